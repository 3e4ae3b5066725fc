/** Dumps of netlink(7): whole, of one time, or an error. */
import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { collect, INTERRUPTED, Refused, untilWhole } from '../../src/host/netlink.ts';
import { message, u32 } from './rtwire.ts';

const [MULTI, INTR] = [0x2, 0x10];
const [ERROR, DONE, NEWROUTE] = [2, 3, 24];
const { EPERM, EAGAIN, EBUSY } = constants.errno;

const route = (text: string, flags = MULTI): Buffer => message(NEWROUTE, flags, 1, Buffer.from(text));
const done = message(DONE, MULTI, 1, u32(0));

/** What comes of these datagrams; then there are no more. */
function collected(...datagrams: Buffer[]): ReturnType<typeof collect> {
  return collect(() => datagrams.shift() ?? new Refused(EAGAIN), true);
}

describe('a dump', () => {
  it('is all messages of all datagrams, up to the one that says it is the end', () => {
    const found = collected(
      Buffer.concat([route('one1'), route('two2')]),
      Buffer.concat([route('end3'), done]),
    );
    assert.deepEqual((found as Buffer[]).map(String), ['one1', 'two2', 'end3']);
  });

  it('leaves out what was said to others, and what is no answer', () => {
    const other = message(NEWROUTE, MULTI, 2, Buffer.from('other'));
    const noop = message(1, MULTI, 1);
    assert.deepEqual(collected(Buffer.concat([noop, other, done])), []);
  });

  it('is interrupted when any of its messages says so', () => {
    assert.equal(collected(Buffer.concat([route('one1', MULTI | INTR), route('two2'), done])), INTERRUPTED);
    assert.equal(collected(route('one1'), message(DONE, MULTI | INTR, 1, u32(0))), INTERRUPTED);
  });

  it('fails with the errno of an error, of its end, or of reading it', () => {
    const errno = (found: ReturnType<typeof collect>): number => (found as Refused).errno;
    assert.equal(errno(collected(message(ERROR, 0, 1, u32(2 ** 32 - EPERM)))), EPERM);
    assert.equal(errno(collected(route('one1'), message(DONE, MULTI, 1, u32(2 ** 32 - EBUSY)))), EBUSY);
    assert.equal(errno(collected(route('one1'))), EAGAIN);
  });

  it('that has no end is given up', () => {
    const datagram = Buffer.concat(Array.from({ length: 1000 }, () => route('x'.repeat(64))));
    assert.throws(() => collect(() => datagram, true), { name: 'Etoobig' });
    assert.throws(() => collect(() => Buffer.alloc(1024), true), { name: 'Etoobig' });
  });

  it('is asked for again until nothing interrupts it', () => {
    let asked = 0;
    const whole = untilWhole(() => (++asked < 3 ? INTERRUPTED : [Buffer.from('x')]));
    assert.deepEqual(whole, [Buffer.from('x')]);
    assert.equal(asked, 3);
  });

  it('that is always interrupted is an error, as is one that is refused', () => {
    assert.throws(() => untilWhole(() => INTERRUPTED), { name: 'Eintr' });
    assert.throws(() => untilWhole(() => new Refused(EPERM)), { name: 'Eperm', detail: /AF_NETLINK/ });
    assert.throws(() => untilWhole(() => new Refused(EBUSY)), { name: 'Eio', detail: 'netlink: EBUSY' });
  });
});
