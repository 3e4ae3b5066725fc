/** The client against a server whose answers have no end: it gives up before its memory does. */
import assert from 'node:assert/strict';
import { ask, ProtocolError } from '../../src/client/index.ts';
import { attached, DIR } from './fake.ts';

/** qid[13] offset[8] type[1] name[s]: as many entries as fit, from a number on. */
function entries(from: number): Buffer {
  const one = Buffer.alloc(25);
  one.writeUInt16LE(1, 22);
  one.write('x', 24);
  return Buffer.concat(
    Array.from({ length: 300 }, (_, i) => {
      const entry = Buffer.from(one);
      entry.writeUInt32LE(from + i + 1, 13);
      return entry;
    }),
  );
}

describe('answers without an end', () => {
  it('a directory of more files than there can be fails', async () => {
    const { client, server } = await attached({ dialect: '9P2000.L' });
    const list = client.readdir('');
    await server.walk();
    await server.open(DIR);
    void (async () => {
      for (;;) {
        const { tag, offset } = await server.next('Treaddir');
        server.send('Rreaddir', tag, { data: entries(offset) });
      }
    })();
    await assert.rejects(list, ProtocolError);
  });

  it('a question whose answers go on and on fails', async () => {
    const { client, server } = await attached();
    const asked = ask(client, 'cs', 'tcp!example.org!http');
    await server.walk();
    await server.open();
    const { tag, data } = await server.next('Twrite');
    server.send('Rwrite', tag, { count: data.length });
    const refused = assert.rejects(asked, ProtocolError);
    for (let answers = 0; answers <= 65_536; answers++) {
      await server.answer('Tread', 'Rread', { data: Buffer.from('x') });
    }
    await server.answer('Tclunk', 'Rclunk', {});
    await refused;
  });
});
