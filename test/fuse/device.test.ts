/** /dev/fuse on the event loop and on the thread pool, with a socket that keeps messages apart in its place. */
import assert from 'node:assert/strict';
import { writeSync } from 'node:fs';
import koffi from 'koffi';
import { pipeSocket } from '../../src/host/fd.ts';
import { Device } from '../../src/server/fuse/device.ts';

const socketpair = koffi
  .load('libc.so.6')
  .func('int socketpair(int domain, int type, int protocol, _Out_ int *descriptors)');
const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;

for (const [where, asPipe] of [
  ['on the event loop', pipeSocket],
  ['on the thread pool', () => undefined],
] as const) {
  describe(`the device ${where}`, () => {
    it('brings one request at a time, takes whole replies, and tells its end once', async () => {
      const ends = [0, 0];
      assert.equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
      const [kernel, ours] = ends as [number, number];
      const seen: string[] = [];
      let told: () => void = () => {};
      const until = async (count: number): Promise<void> => {
        while (seen.length < count) await new Promise<void>(resolve => (told = resolve));
      };
      let ended = 0;
      const device = new Device(
        ours,
        {
          request: (buffer, size) => {
            seen.push(buffer.toString('latin1', 0, size));
            told();
          },
          ended: () => ended++,
        },
        asPipe,
      );
      writeSync(kernel, 'one');
      await until(1);
      writeSync(kernel, 'two');
      writeSync(kernel, 'three');
      await until(3);
      assert.deepEqual(seen, ['one', 'two', 'three']);
      assert.equal(device.write(Buffer.from('answer'), 6), 0);
      const answers: string[] = [];
      await new Promise<void>(resolve => {
        const answer = new Device(kernel, {
          request: (buffer, size) => {
            answers.push(buffer.toString('latin1', 0, size));
            answer.close();
          },
          ended: () => resolve(),
        });
      });
      assert.deepEqual(answers, ['answer']);
      device.close();
      device.close();
      while (ended === 0) await new Promise(setImmediate);
      await new Promise(setImmediate);
      assert.equal(ended, 1);
      assert.equal(device.write(Buffer.from('late'), 4), 0);
    });
  });
}
