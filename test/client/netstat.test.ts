/** What conversations there are, as the library tells it. */
import assert from 'node:assert/strict';
import { netstat } from '../../src/client/index.ts';
import type { Session } from '../../src/server/9p/session.ts';
import { ALICE, GLENDA, people } from '../support/callers.ts';
import { close, forEachDialect } from '../support/fixture.ts';
import { receive } from '../support/remote.ts';

forEachDialect('netstat', t => {
  it('tells of each conversation its number, owner, state, addresses, bytes and time', async () => {
    const { port } = await t.announce();
    const { data, socket } = await t.connect();
    await data.write('12345');
    await receive(socket, 5);
    socket.write('123');
    await data.read();
    const now = Date.now() / 1000;
    const [listening, connected, ...more] = await netstat(t.client);
    assert.deepEqual(more, []);
    const { permissions } = t.server.tcp.at(0);
    const owner = t.dialect === '9P2000.L' ? String(permissions.owner.uid) : permissions.owner.name;
    const { since, ...rest } = listening!;
    assert(since > now - 60 && since <= now + 1);
    const common = { protocol: 'tcp', owner };
    assert.deepEqual(rest, {
      ...common,
      number: 0,
      state: 'Listen',
      local: `127.0.0.1!${port}`,
      remote: '::!0',
      bytesIn: 0,
      bytesOut: 0,
    });
    assert.deepEqual(connected, {
      ...common,
      since: connected!.since,
      number: 1,
      state: 'Established',
      local: `127.0.0.1!${socket.remotePort}`,
      remote: `127.0.0.1!${socket.localPort}`,
      bytesIn: 3,
      bytesOut: 5,
    });
  });

  it('leaves out what is closed, unless all are asked for', async () => {
    const { ctl } = await t.clone();
    await t.announce();
    await ctl.close();
    const numbers = async (all: boolean) => (await netstat(t.client, { all })).map(({ number }) => number);
    assert.deepEqual(await numbers(false), [1]);
    assert.deepEqual(await numbers(true), [0, 1]);
  });

  it('is in the order of numbers, beyond ten too', async () => {
    for (let i = 0; i < 12; i++) await t.clone();
    const found = await netstat(t.client, { all: true });
    assert.deepEqual(
      found.map(({ number }) => number),
      Array.from({ length: 12 }, (_, i) => i),
    );
  });

  it('goes on when conversations end meanwhile', async () => {
    const announced = [];
    for (let i = 0; i < 300; i++) announced.push(await t.announce());
    const asking = netstat(t.client);
    await close(...announced.map(({ ctl }) => ctl));
    assert((await asking).every(({ state }) => state === 'Listen'));
    assert.deepEqual(await netstat(t.client), []);
  });

  it('leaves the server no fid', async () => {
    await t.announce();
    const [session] = [...t.server.sessions] as Session[];
    const before = session!.fids.size;
    await netstat(t.client);
    await t.client.stat('');
    assert.equal(session!.fids.size, before);
  });

  it('may be given up', async () => {
    await t.announce();
    const reason = new Error('enough');
    await assert.rejects(netstat(t.client, { signal: AbortSignal.abort(reason) }), reason);
  });
});

forEachDialect(
  'netstat of somebody else',
  t => {
    it('tells of all conversations, whosever they are', async () => {
      await t.announce();
      const alice = await t.as(ALICE);
      const found = await netstat(alice);
      assert.deepEqual(
        found.map(({ owner }) => owner),
        [t.dialect === '9P2000.L' ? String(GLENDA.uid) : 'glenda'],
      );
    });

    it('leaves out a protocol into which he may not look', async () => {
      await t.announce();
      await t.client.chmod('tcp', 0o750);
      assert.deepEqual(await netstat(await t.as(ALICE)), []);
    });
  },
  () => ({ owner: GLENDA, users: people }),
);
