/** The calls of an announced udp conversation against remotes by the thousand, on a socket that the test makes up. */
import assert from 'node:assert/strict';
import { Abort } from '../../src/abort.ts';
import { parseIp, type Endpoint, type Ip } from '../../src/netfs/address.ts';
import type { Complaint, Datagram, DatagramRoute, Datagrams } from '../../src/netfs/dialer.ts';
import { FsError } from '../../src/netfs/error.ts';
import { Calls, OF_A_USER, type Call } from '../../src/netfs/udpcalls.ts';
import { Quota } from '../../src/policy/quota.ts';
import { ALICE, GLENDA } from '../support/callers.ts';

const ip = (text: string): Ip => parseIp(text)!;
const HERE = ip('192.0.2.1');

/** What has come lies in `there`: datagrams, or complaints that make receive throw. */
class MadeUpSocket implements Datagrams {
  readonly local: Endpoint = { ip: HERE, port: 7 };
  readonly remote = undefined;
  there: (Datagram | Complaint)[] = [];
  readonly sent: DatagramRoute[] = [];
  readonly groups: string[] = [];
  armed: (() => void) | undefined;
  closed = 0;

  receive(): Datagram | undefined {
    const [first] = this.there;
    if (first !== undefined && 'error' in first) throw first.error;
    this.there.shift();
    return first;
  }

  complaints(): Complaint[] {
    const [first] = this.there;
    if (first === undefined || !('error' in first)) return [];
    this.there.shift();
    return [first];
  }

  send(_bytes: Buffer, route?: DatagramRoute): boolean {
    const [first] = this.there;
    if (first !== undefined && 'error' in first) throw first.error;
    this.sent.push(route!);
    return true;
  }

  whenReadable(run: (() => void) | undefined): void {
    this.armed = run;
  }

  /** The event loop tells of what is there, as long as anybody wants to hear. */
  deliver(...what: (Datagram | Complaint)[]): void {
    this.there.push(...what);
    while (this.there.length > 0 && this.armed !== undefined) this.armed();
  }

  waiting(): boolean {
    return this.there.length > 0;
  }

  room(): Promise<void> {
    return Promise.resolve();
  }

  heedAdvice(): void {}
  queued(): number {
    return 0;
  }
  drops(): number {
    return 0;
  }
  configure(): void {}
  join(): void {}
  leave(): void {}
  close(): void {
    this.closed++;
  }
}

const from = (port: number, more: Partial<Datagram> = {}, host = '192.0.2.9'): Datagram => ({
  bytes: Buffer.from('x'),
  from: { ip: ip(host), port },
  to: HERE,
  interface: HERE,
  ...more,
});

const refusal = (port: number, host = '192.0.2.9', link?: number): Complaint => ({
  to: { ip: ip(host), port },
  error: new FsError('Econrefused'),
  link,
});

describe('udp calls of remotes by the thousand', () => {
  let socket: MadeUpSocket;
  let kept: Quota;
  let calls: Calls;

  beforeEach(() => {
    socket = new MadeUpSocket();
    kept = new Quota(OF_A_USER);
    calls = new Calls(socket, kept, ALICE);
  });

  const accept = (): Promise<Call> => calls.accept(new Abort());

  /** A call that wants to hear, so that the socket is read. */
  async function ring(datagram: Datagram): Promise<Call> {
    const call = accept();
    socket.deliver(datagram);
    return call;
  }

  it('128 of 100,000 wait, the others are lost and counted', async () => {
    const first = await ring(from(1));
    first.whenReadable(() => {});
    socket.deliver(...Array.from({ length: 50_000 }, (_, i) => from(2 + i)));
    socket.deliver(...Array.from({ length: 50_000 }, (_, i) => from(2 + i, {}, '192.0.2.10')));
    assert.equal(calls.drops(), 100_000 - 128);
    for (let i = 0; i < 128; i++) (await accept()).close();
    assert.equal(calls.poll(undefined), false);
  });

  it('nobody wants to hear: the socket is left alone', async () => {
    const first = await ring(from(1));
    assert.equal(socket.armed, undefined);
    first.whenReadable(() => {});
    assert.notEqual(socket.armed, undefined);
    first.whenReadable(undefined);
    assert.equal(socket.armed, undefined);
  });

  it('what all calls of a user keep is limited, whichever announcements they are of', async () => {
    const all = [];
    for (let announcement = 0; announcement < 20; announcement++) {
      socket = new MadeUpSocket();
      calls = new Calls(socket, kept, ALICE);
      for (let remote = 0; remote < 40; remote++) {
        const call = await ring(from(1 + remote));
        call.whenReadable(() => {});
        const big = { bytes: Buffer.alloc(60_000) };
        socket.deliver(...Array.from({ length: 9 }, () => from(1 + remote, big)));
        call.whenReadable(undefined);
        all.push(call);
      }
    }
    const held = all.reduce((sum, call) => sum + call.queued(), 0);
    assert.ok(held > 100e6 && held <= 128 * 1024 * 1024, String(held));
    assert.equal(kept.take(ALICE, 60_000 * 30), false);
    assert.equal(kept.take(GLENDA, 60_000 * 30), true);
    for (const call of all) call.close();
    assert.equal(kept.take(ALICE, OF_A_USER), true);
  });

  it('a datagram that is kept is a copy of its own, and keeps nothing else', async () => {
    const bytes = Buffer.from('lent');
    const call = await ring(from(1, { bytes }));
    bytes.fill(0);
    const got = call.receive()!.bytes;
    assert.equal(got.toString(), 'lent');
    assert.equal(got.buffer.byteLength, 4);
  });

  it('a complaint reaches the calls of its remote and no other', async () => {
    const [one, two] = [await ring(from(1)), await ring(from(2))];
    const elsewhere = await ring(from(1, { to: ip('192.0.2.2') }));
    one.whenReadable(() => {});
    socket.deliver(refusal(1));
    assert.throws(() => one.receive(), { name: 'Econrefused' });
    assert.throws(() => elsewhere.send(Buffer.alloc(1)), { name: 'Econrefused' });
    assert.equal(two.receive()?.bytes.toString(), 'x');
    // What is said of one keeps nothing of another's back.
    socket.there.push(refusal(1));
    assert.equal(two.send(Buffer.alloc(1)), true);
    assert.deepEqual(one.complaints().length, 1);
    assert.deepEqual(one.complaints(), []);
    assert.equal(one.receive()?.bytes.toString(), 'x');
  });

  it('one link-local address on two links is two remotes, each answered on its own', async () => {
    const near = await ring(from(1, { link: 2 }, 'fe80::1'));
    const far = await ring(from(1, { link: 3 }, 'fe80::1'));
    assert.notEqual(near, far);
    near.send(Buffer.alloc(1));
    far.send(Buffer.alloc(1));
    assert.deepEqual(
      socket.sent.map(({ link }) => link),
      [2, 3],
    );
    near.whenReadable(() => {});
    socket.deliver(refusal(1, 'fe80::1', 3));
    assert.equal(near.receive()?.bytes.toString(), 'x');
    assert.throws(() => far.receive(), { name: 'Econrefused' });
  });

  it('the socket is closed once, when the announcement and the last call are', async () => {
    const [one, two] = [await ring(from(1)), await ring(from(2))];
    calls.close();
    one.close();
    one.close();
    assert.equal(socket.closed, 0);
    two.close();
    assert.equal(socket.closed, 1);
  });

  it('a fault in one call does not stop the others', async () => {
    const [one, two] = [await ring(from(1)), await ring(from(2))];
    one.whenReadable(() => {
      throw new Error('a bug');
    });
    two.whenReadable(() => {});
    assert.throws(() => socket.deliver(from(1), from(2)), /a bug/);
    socket.deliver();
    assert.equal(two.receive()?.bytes.toString(), 'x');
    assert.equal(two.receive()?.bytes.toString(), 'x');
  });
});
