/** `slashnet serve --dns`: whom it asks. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '../../src/client/index.ts';
import { ADDRESS, record, reply, RESPONSE, ScriptedServer } from '../host/dns/wire.ts';
import { serve } from '../server/child.ts';

describe('serve --dns', () => {
  let dir: string;

  before(() => (dir = mkdtempSync(join(tmpdir(), 'slashnet-'))));
  after(() => rmSync(dir, { recursive: true }));

  it('asks these servers in place of the host’s, in their order, and connect asks them too', async () => {
    const refusing = await ScriptedServer.start(query => reply(query, { flags: RESPONSE | 5 }));
    const loopback = record({ type: 1, data: [127, 0, 0, 1] });
    const answering = await ScriptedServer.start(query =>
      reply(query, { answers: query.type === 1 ? [query.name === 'here.test' ? loopback : ADDRESS] : [] }),
    );
    const peer = createServer(socket => socket.end()).listen(0, '127.0.0.1');
    const servers = [refusing, answering].flatMap(({ at }) => ['--dns', `${at.address}!${at.port}`]);
    const child = serve(['--listen', `unix!${dir}/sock`, ...servers]);
    await child.says(/listening at/);
    const client = await connect(`unix!${dir}/sock`, { dialect: '9P2000' });
    const file = await client.open('dns', 'rw');
    await file.write('web.test ip', 0);
    assert.equal((await file.read(8192, 0)).toString(), 'web.test ip\t192.0.2.7');
    assert.deepEqual(
      [refusing, answering].map(({ queries }) => queries.length),
      [1, 1],
    );
    const clone = await client.open('tcp/clone', 'rw');
    await clone.write(`connect here.test!${(peer.address() as AddressInfo).port}`, 0);
    assert.match((await client.readFile('tcp/0/remote')).toString(), /^127\.0\.0\.1!/);
    client.close();
    child.kill('SIGTERM');
    assert.equal((await child.ended).code, 0);
    peer.close();
    for (const server of [refusing, answering]) server.stop();
  });

  for (const wrong of ['example.test', '192.0.2.1!domain', '192.0.2.1:53', '192.0.2.1!0', '']) {
    it(`says what is right when it is '${wrong}'`, async () => {
      const child = serve(['--dns', wrong]);
      assert.equal((await child.ended).code, 2);
      assert.match(child.stderr, /--dns.*write ADDR or ADDR!PORT, for example 192\.0\.2\.53/);
    });
  }
});
