/** The file ndb, by every door: what is written comes into force when it is closed. */
import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { hostname } from 'node:os';
import type { FsError } from '../../src/netfs/error.ts';
import { Server } from '../../src/server/server.ts';
import { ALICE, GLENDA, people } from '../support/callers.ts';
import { facts } from '../support/machine.ts';
import { forEachDialect, forEachDoor, isRefusal, onFuse } from '../support/fixture.ts';
import type { FuseFile } from '../support/fusefs.ts';
import { readAll, type OpenFile, type Tree } from '../support/tree.ts';

const LIMIT = 32_768;

const machine = () => ({
  facts: facts([['127.0.0.1/8'], ['192.0.2.7/24']], ['192.0.2.1']),
  resolverSettings: { servers: ['192.0.2.53'], search: ['example.org'] },
});

forEachDoor(
  'ndb',
  t => {
    const content = (client: Tree = t.client): Promise<string> => t.text('ndb', client);

    /** A file opened for writing, with the content gone. */
    const emptied = (mode: 'w' | 'rw' = 'w'): Promise<OpenFile> =>
      t.client.open('ndb', mode, { truncate: true });

    it('begins with what the host is, and its size is told', async () => {
      const text = await content();
      assert(text.startsWith('ip=192.0.2.7 ipmask=/120 ipgw=192.0.2.1\n\tsys='));
      assert.match(text, /\n\tdns=192\.0\.2\.53\n\tdnsdomain=example\.org\n$/);
      assert(hostname() === '' || text.includes(`sys=${hostname().split('.')[0]}`));
      const stat = await t.client.stat('ndb');
      assert.equal(stat.length, text.length);
      assert.equal(stat.mode, 0o644);
    });

    it('holds exactly what a shell wrote with >', async () => {
      await t.client.writeFile('ndb', 'x\n');
      assert.equal(await content(), 'x\n');
      assert.equal((await t.client.stat('ndb')).length, 2);
      await t.client.writeFile('ndb', 'sys=a ip=192.0.2.8\n\tdom=a.example\n');
      assert.equal(await content(), 'sys=a ip=192.0.2.8\n\tdom=a.example\n');
    });

    it('comes into force when it is closed; the editor sees his own, others what was there', async () => {
      await t.client.writeFile('ndb', 'old=1\n');
      const editor = await emptied('rw');
      const other = await t.another();
      await editor.write('new=1\n');
      assert.equal((await editor.read(100, 0)).toString(), 'new=1\n');
      assert.equal(await content(other), 'old=1\n');
      await editor.close();
      assert.equal(await content(other), 'new=1\n');
    });

    it('takes writes in parts, whatever they split', async () => {
      const text = Buffer.from('sys=a txt="é ü"\n\tip=192.0.2.8\n');
      const editor = await emptied();
      for (const byte of text) assert.equal(await editor.write(Buffer.of(byte)), 1);
      await editor.close();
      assert.equal(await content(), text.toString());
    });

    it('lets an editor change what is in the middle, and add at the end', async () => {
      await t.client.writeFile('ndb', 'a=1\nb=2\nc=3\n');
      const editor = await t.client.open('ndb', 'rw');
      await editor.write('9', 6);
      await editor.write('d=4\n', 12);
      await editor.close();
      assert.equal(await content(), 'a=1\nb=9\nc=3\nd=4\n');
    });

    it('refuses whole a write with a line that is none, and keeps what was there', async () => {
      await t.client.writeFile('ndb', 'a=1\n');
      const editor = await emptied('rw');
      await editor.write('b=2\n');
      for (const bad of ['c=3\n=4\n', 'c="3\n', 'c=\0\n', Buffer.from([0x63, 0xff, 0x0a])]) {
        await t.refuses(editor.write(bad, 4), 'syntax error', 'EINVAL');
      }
      assert.equal((await editor.read(100, 0)).toString(), 'b=2\n');
      assert.equal(await content(await t.another()), 'a=1\n');
      await editor.write('c=3\n', 4);
      await editor.close();
      assert.equal(await content(), 'b=2\nc=3\n');
    });

    it('is what it was after a truncation and a write that is refused', async () => {
      await t.client.writeFile('ndb', 'a=1\n');
      const editor = await emptied();
      await t.refuses(editor.write('=2\n'), 'syntax error', 'EINVAL');
      await editor.close();
      assert.equal(await content(), 'a=1\n');
    });

    it('looks at a line that does not end when it is closed, and keeps what was there if it is none', async () => {
      await t.client.writeFile('ndb', 'a=1\n');
      const good = await emptied();
      await good.write('b=2');
      await good.close();
      assert.equal(await content(), 'b=2');
      const bad = await emptied();
      await bad.write('c="3');
      await bad.close();
      assert.equal(await content(), 'b=2');
    });

    it('is empty after a truncation alone, once that is closed', async () => {
      const editor = await emptied();
      assert.notEqual(await content(await t.another()), '');
      await editor.close();
      assert.equal(await content(), '');
    });

    it('is empty after a truncation by who only reads it, once that is closed', async () => {
      const reader = await t.client.open('ndb', 'r', { truncate: true });
      assert.notEqual(await content(await t.another()), '');
      await reader.close();
      assert.equal(await content(), '');
    });

    it('is shortened by truncate(2) at once, and never made longer', async () => {
      await t.client.writeFile('ndb', 'a=1\nb=2\n');
      await t.client.setStat('ndb', { length: 4 });
      assert.equal(await content(), 'a=1\n');
      await t.refuses(t.client.setStat('ndb', { length: 5 }), 'i/o error', 'EIO');
      await t.client.setStat('ndb', { length: 0 });
      assert.equal(await content(), '');
      await t.client.writeFile('ndb', 'a=1 b="2"\n');
      await t.refuses(t.client.setStat('ndb', { length: 8 }), 'syntax error', 'EINVAL');
      assert.equal(await content(), 'a=1 b="2"\n');
    });

    it('has fewer bytes than 32768, and no holes', async () => {
      const editor = await emptied();
      await t.refuses(editor.write('a=1\n', 1), 'i/o error', 'EIO');
      const most = `${'a'.repeat(LIMIT - 2)}\n`;
      await t.refuses(editor.write(`a${most}`, 0), 'i/o error', 'EIO');
      await editor.write(most, 0);
      await t.refuses(editor.write('\n', LIMIT - 1), 'i/o error', 'EIO');
      await editor.close();
      assert.equal(await content(), most);
    });

    it('is as the last of two editors left it', async () => {
      const first = await emptied();
      const second = await (await t.another()).open('ndb', 'w', { truncate: true });
      await first.write('first=1\n');
      await second.write('second=2\n');
      await second.close();
      assert.equal(await content(), 'second=2\n');
      await first.close();
      assert.equal(await content(), 'first=1\n');
    });

    it('answers cs when it has come into force, not before', async () => {
      const cs = await t.client.open('cs', 'rw');
      const editor = await emptied();
      await editor.write('sys=here dom=here.example ip=192.0.2.99\n\ttcp=mine port=4321\n');
      await assert.rejects(cs.write('tcp!here!4321', 0), isRefusal);
      await editor.close();
      await cs.write('tcp!here!mine', 0);
      assert.equal((await cs.read(200, 0)).toString(), '/net/tcp/clone 192.0.2.99!4321');
    });
  },
  machine,
);

forEachDoor(
  "another's ndb",
  t => {
    it('is read by anybody and written by its owner, unless its bits say otherwise', async () => {
      const alice = await t.as(ALICE);
      assert.notEqual(await t.text('ndb', alice), '');
      for (const mode of ['w', 'rw'] as const) {
        await t.refuses(alice.open('ndb', mode), 'permission denied', 'EACCES');
      }
      await t.refuses(alice.open('ndb', 'w', { truncate: true }), 'permission denied', 'EACCES');
      await t.refuses(alice.open('ndb', 'r', { truncate: true }), 'permission denied', 'EACCES');
      await t.refuses(alice.setStat('ndb', { length: 0 }), 'permission denied', 'EACCES');
      assert.notEqual(await t.text('ndb', alice), '');
      await t.client.chmod('ndb', 0o646);
      await alice.writeFile('ndb', 'alice=1\n');
      await t.client.chmod('ndb', 0o640);
      await t.refuses(alice.readFile('ndb'), 'permission denied', 'EACCES');
      assert.equal(await t.text('ndb'), 'alice=1\n');
    });

    it('is changed blindly by who may only write it, and only read by who may only read it', async () => {
      await t.client.writeFile('ndb', 'secret=1\n');
      const alice = await t.as(ALICE);
      await t.client.chmod('ndb', 0o642);
      for (const mode of ['r', 'rw'] as const) {
        await t.refuses(alice.open('ndb', mode), 'permission denied', 'EACCES');
        await t.refuses(alice.open('ndb', mode, { truncate: true }), 'permission denied', 'EACCES');
      }
      assert.equal(await t.text('ndb'), 'secret=1\n');
      const editor = await alice.open('ndb', 'w');
      await assert.rejects(editor.read(100, 0));
      await editor.write('more=2\n', 9);
      await t.refuses(editor.write('more=3\n', 99), 'i/o error', 'EIO');
      await editor.close();
      assert.equal(await t.text('ndb'), 'secret=1\nmore=2\n');
      await alice.setStat('ndb', { length: 9 });
      assert.equal(await t.text('ndb'), 'secret=1\n');
      await t.client.chmod('ndb', 0o644);
      const reader = await alice.open('ndb', 'r');
      await assert.rejects(reader.write('x=1\n', 0));
      await t.refuses(alice.setStat('ndb', { length: 0 }), 'permission denied', 'EACCES');
      await reader.close();
      assert.equal(await t.text('ndb'), 'secret=1\n');
    });

    it('is shortened by who has it open for writing, whatever its bits are by then', async () => {
      await t.client.chmod('ndb', 0o646);
      const alice = await t.as(ALICE);
      const editor = await alice.open('ndb', 'w', { truncate: true });
      await t.client.chmod('ndb', 0o644);
      await editor.write('alice=1\n');
      await editor.close();
      assert.equal(await t.text('ndb'), 'alice=1\n');
    });
  },
  () => ({ owner: GLENDA, users: people, ...machine() }),
);

let now = 1000;

forEachDoor(
  'a change of ndb',
  t => {
    it('is told by mtime, and counted by qid.vers where there is one', async () => {
      const told = async (): Promise<[mtime: number, version: number]> => {
        const { mtime, qid } = await t.client.stat('ndb');
        return [mtime, t.door === 'FUSE' ? 0 : qid.vers];
      };
      const version = (n: number): number => (t.door === 'FUSE' ? 0 : n);
      assert.deepEqual(await told(), [1000, 0]);
      now = 2000;
      assert.deepEqual(await told(), [1000, 0]);
      await t.client.writeFile('ndb', 'a=1\n');
      assert.deepEqual([(await told())[0], (await told())[1] > 0], [2000, version(1) > 0]);
      const [, before] = await told();
      now = 3000;
      const editor = await t.client.open('ndb', 'rw');
      await editor.write('b', 0);
      assert.deepEqual(await told(), [2000, before]);
      await editor.close();
      assert.deepEqual(await told(), [3000, before + version(1)]);
    });
  },
  () => {
    now = 1000;
    return { now: () => now * 1000, ...machine() };
  },
);

forEachDialect(
  "another's ndb",
  t => {
    it('is as it was when an editor hangs up before he has closed it', async () => {
      await t.client.writeFile('ndb', 'a=1\n');
      await t.client.chmod('ndb', 0o666);
      const alice = await t.as(ALICE);
      const editor = await alice.open('ndb', 'w', { truncate: true });
      await editor.write('b=2\n');
      await t.leave(alice);
      assert.equal(await t.text('ndb'), 'a=1\n');
    });

    it('is not emptied by an editor who hangs up before he has written', async () => {
      await t.client.writeFile('ndb', 'a=1\n');
      await t.client.chmod('ndb', 0o666);
      for (const mode of ['w', 'r'] as const) {
        const alice = await t.as(ALICE);
        await alice.open('ndb', mode, { truncate: true });
        await t.leave(alice);
        assert.equal(await t.text('ndb'), 'a=1\n');
      }
    });
  },
  () => ({ owner: GLENDA, users: people, ...machine() }),
);

describe('a change of ndb', () => {
  it('is counted by qid.vers and told by mtime', async () => {
    let now = 1000;
    const server = new Server({ now: () => now * 1000, ...machine() });
    const req = { caller: server.owner, signal: new AbortController().signal };
    const node = await server.mount.walk(server.mount.root, 'ndb', req);
    assert.deepEqual([node.qid.vers, node.stat().mtime], [0, 1000]);
    now = 2000;
    const handle = await server.mount.open(node, { read: false, write: true, truncate: true }, req);
    await handle.write(0, Buffer.from('a=1\n'), req);
    assert.deepEqual([node.qid.vers, node.stat().mtime], [0, 1000]);
    await handle.flush!(req);
    assert.deepEqual([node.qid.vers, node.stat().mtime], [1, 2000]);
    now = 3000;
    await handle.flush!(req);
    handle.close();
    assert.deepEqual([node.qid.vers, node.stat().mtime], [1, 2000]);
    assert.throws(
      () => server.mount.wstat(node, { length: 9 }, req),
      (error: FsError) => error.name === 'Eio',
    );
  });

  it('is a length only by who may write: a file that he opened to read is none to him', async () => {
    const server = new Server({ owner: GLENDA, users: people, ...machine() });
    const by = (caller: typeof ALICE) => ({ caller, signal: new AbortController().signal });
    const node = await server.mount.walk(server.mount.root, 'ndb', by(ALICE));
    const reader = await server.mount.open(node, { read: true, write: false, truncate: false }, by(ALICE));
    const shorten = () => server.mount.wstat(node, { length: 0 }, by(ALICE), reader);
    assert.throws(shorten, { name: 'Eperm' });
    await server.mount.wstat(node, { mode: 0o646 }, by(GLENDA));
    // At once: what reads has nothing to close.
    await shorten();
    assert.equal(node.stat().length, 0);
  });

  it('of its length and its bits is made whole or not at all, of an open file too', async () => {
    const server = new Server(machine());
    const req = { caller: server.owner, signal: new AbortController().signal };
    const node = await server.mount.walk(server.mount.root, 'ndb', req);
    const before = node.stat();
    const handle = await server.mount.open(node, { read: true, write: true, truncate: false }, req);
    assert.throws(() => server.mount.wstat(node, { mode: 0o666, length: 9999 }, req, handle), {
      name: 'Eio',
    });
    assert.deepEqual(node.stat(), before);
    await server.mount.wstat(node, { mtime: 1, length: 0 }, req, handle);
    assert.equal(node.stat().length, before.length);
    await handle.flush!(req);
    handle.close();
    assert.equal(node.stat().length, 0);
  });

  it('that was written and never closed is gone with its client', async () => {
    const server = new Server(machine());
    const req = { caller: server.owner, signal: new AbortController().signal };
    const node = await server.mount.walk(server.mount.root, 'ndb', req);
    const before = node.stat().length;
    const handle = await server.mount.open(node, { read: true, write: true, truncate: false }, req);
    await handle.write(0, Buffer.from('#'), req);
    handle.close();
    assert.deepEqual([node.stat().length, node.qid.vers], [before, 0]);
  });
});

onFuse(
  'a descriptor of ndb',
  t => {
    it('opened to append adds at the end, wherever that is by then', async () => {
      await t.client.writeFile('ndb', 'a=1\n');
      const adder = await t.client.openWith('ndb', constants.O_WRONLY | constants.O_APPEND);
      await t.client.writeFile('ndb', 'much=longer\n');
      await adder.write('b=2\n');
      await adder.close();
      assert.equal(await t.text('ndb'), 'much=longer\nb=2\n');
    });

    it('brings what was written into force at every close of a copy, and goes on from there', async () => {
      const editor = await t.client.open('ndb', 'w', { truncate: true });
      await (await editor.dup()).close();
      assert.notEqual(await t.text('ndb'), '');
      await editor.write('a=1\n');
      await (await editor.dup()).close();
      assert.equal(await t.text('ndb'), 'a=1\n');
      await editor.write('b=2\n');
      await editor.close();
      assert.equal(await t.text('ndb'), 'a=1\nb=2\n');
    });

    it('has close(2) say that the last line is none', async () => {
      const editor: FuseFile = await t.client.open('ndb', 'w', { truncate: true });
      await editor.write('c="3');
      await t.refuses(editor.client.call('close', { a: editor.fd }), 'syntax error', 'EINVAL');
    });

    it('is truncated by ftruncate(2), for itself until it is closed', async () => {
      await t.client.writeFile('ndb', 'a=1\nb=2\n');
      const editor = await t.client.open('ndb', 'rw');
      await editor.client.call('ftruncate', { a: editor.fd, b: 4 });
      assert.equal((await readAll(editor)).toString(), 'a=1\n');
      assert.equal(await t.text('ndb'), 'a=1\nb=2\n');
      await editor.close();
      assert.equal(await t.text('ndb'), 'a=1\n');
    });
  },
  machine,
);

forEachDialect('a client that writes ndb', t => {
  it('is told when it has written a last line that is none', async () => {
    await t.client.writeFile('ndb', 'a=1\n');
    await t.refuses(t.client.writeFile('ndb', 'b="2'), 'syntax error', 'EINVAL');
    const editor = await t.client.open('ndb', 'w');
    await editor.write('b="2');
    await t.refuses(editor.finish(), 'syntax error', 'EINVAL');
    // The fid is gone all the same.
    await editor.close();
    await assert.rejects(editor.write('c=3\n'), isRefusal);
    assert.equal(await t.text('ndb'), 'a=1\n');
  });
});
