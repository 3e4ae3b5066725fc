/** udp as descriptors of a mount: poll, select, epoll, O_NONBLOCK. */
import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { constants as os } from 'node:os';
import { Abort } from '../../src/abort.ts';
import { Server } from '../../src/server/server.ts';
import { Station } from '../support/datagrams.ts';
import { DirectTree } from '../support/direct.ts';
import { eventually, onFuse, opened } from '../support/fixture.ts';
import type { FuseFixture } from '../support/fixture.ts';
import type { FuseFile } from '../support/fusefs.ts';

const { O_RDWR, O_NONBLOCK } = constants;
const POLLIN = 1;
const POLLOUT = 4;

async function connected(
  t: FuseFixture,
): Promise<{ data: FuseFile; there: Station; port: number; dir: string }> {
  const there = await Station.bind();
  t.after(() => there.close());
  const { dir } = await t.tell(`connect ${there.address}`, t.client, 'udp');
  const port = Number((await t.text(`${dir}/local`)).trim().split('!')[1]);
  return { data: await t.client.openWith(`${dir}/data`, O_RDWR), there, port, dir };
}

for (const by of ['poll', 'select', 'epoll'] as const) {
  onFuse(`${by} of a udp data`, t => {
    it('wakes when a datagram comes, takes none, and again for the next', async () => {
      const { data, there, port } = await connected(t);
      assert.equal(await data.poll(POLLIN | POLLOUT, 0, by), POLLOUT);
      for (const text of ['one', 'two', 'three']) {
        const polling = data.poll(POLLIN, -1, by);
        assert(await t.pending(polling));
        await there.send(text, port);
        assert.equal(await polling, POLLIN);
        assert.equal((await data.read(10)).toString(), text);
        assert.equal(await data.poll(POLLIN, 0, by), 0);
      }
    });

    it('wakes for a datagram of no bytes', async () => {
      const { data, there, port } = await connected(t);
      const polling = data.poll(POLLIN, -1, by);
      assert(await t.pending(polling));
      await there.send('', port);
      assert.equal(await polling, POLLIN);
      assert.equal((await data.read(10)).length, 0);
    });

    it('of an announced listen wakes for a call', async () => {
      const announced = await t.announce('127.0.0.1!0', t.client, 'udp');
      const listen = await t.client.openWith(`${announced.dir}/listen`, O_RDWR | O_NONBLOCK);
      const polling = listen.poll(POLLIN, -1, by);
      assert(await t.pending(polling));
      const there = await Station.bind();
      t.after(() => there.close());
      await there.send('hello', announced.port);
      assert.equal(await polling, POLLIN);
      const call = await opened(listen, 'udp');
      assert.equal((await (await t.client.open(`${call.dir}/data`)).read(10)).toString(), 'hello');
    });
  });
}

onFuse('O_NONBLOCK of a udp data', t => {
  it('lets a read that would wait answer EAGAIN, and one that need not read', async () => {
    const { dir, there, port } = await connected(t);
    const data = await t.client.openWith(`${dir}/data`, O_RDWR | O_NONBLOCK);
    await assert.rejects(data.read(10), (error: { errno?: number }) => error.errno === os.errno.EAGAIN);
    await there.send('here', port);
    assert.equal((await data.read(10)).toString(), 'here');
  });
});

describe('who watches a udp data', () => {
  it('is told once of what comes, not of what he leaves there, and again when he has read', async () => {
    const server = new Server();
    const tree = new DirectTree(server, server.owner);
    const there = await Station.bind();
    try {
      const conv = await opened(await tree.open('udp/clone', 'rw'), 'udp');
      await conv.ctl.write(`connect ${there.address}`);
      const data = await tree.open(`${conv.dir}/data`, 'rw');
      const port = Number((await tree.readFile(`${conv.dir}/local`)).toString().trim().split('!')[1]);
      let told = 0;
      const watch = { changed: (): void => void told++, closed: new Abort() };
      const poll = (): boolean => data.handle.poll!(watch).readable;

      assert.equal(poll(), false);
      await there.send('one', port);
      await eventually(() => Promise.resolve(told === 1));
      assert.equal(poll(), true);
      for (let i = 0; i < 50; i++) await new Promise(setImmediate);
      assert.equal(told, 1);
      assert.equal((await data.read(10)).toString(), 'one');
      await there.send('two', port);
      await eventually(() => Promise.resolve(told === 2));
      assert.equal((await data.read(10)).toString(), 'two');
    } finally {
      tree.close();
      there.close();
      server.close();
    }
  });
});
