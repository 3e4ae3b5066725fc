/** How much one user's writes can make the server hold. */
import assert from 'node:assert/strict';
import { WaitingBytes } from '../../src/server/fuse/waiting.ts';

const MIB = Buffer.alloc(1024 * 1024);

describe('writes that wait', () => {
  let waiting: WaitingBytes;
  let settle: (() => void)[];
  beforeEach(() => {
    waiting = new WaitingBytes();
    settle = [];
  });

  /** One write of a user that waits; how much of it was taken. */
  function write(uid: number, data = MIB, isStream = true): number {
    const part = waiting.part(data, uid, isStream);
    void waiting.hold(part.length, uid, new Promise<void>(resolve => settle.push(resolve)));
    return part.length;
  }

  it('are held whole up to 16 MiB of a user, then in pieces, then not at all', () => {
    for (let i = 0; i < 16; i++) assert.equal(write(1), MIB.length);
    let pieces = 0;
    assert.throws(
      () => {
        for (;;) {
          assert.equal(write(1), 16 * 1024);
          pieces++;
        }
      },
      { name: 'Ebusy' },
    );
    assert.equal(pieces, (48 * 1024) / 16);
  });

  it("of one user are not another's", () => {
    for (let i = 0; i < 17; i++) write(1);
    assert.equal(write(2), MIB.length);
  });

  it('count no more when they are over, whether they went or failed', async () => {
    for (let i = 0; i < 16; i++) write(1);
    assert.equal(write(1), 16 * 1024);
    for (const done of settle) done();
    await assert.rejects(waiting.hold(5, 1, Promise.reject(new Error('failed'))));
    assert.equal(write(1), MIB.length);
  });

  it('are taken whole if they are messages', () => {
    for (let i = 0; i < 16; i++) write(1);
    assert.equal(write(1, Buffer.alloc(100_000), false), 100_000);
  });
});
