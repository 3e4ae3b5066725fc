/** The tree: names, modes, owners, qids, walking and listing. ip(3). */
import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { codecFor } from '../../src/server/9p/codec.ts';
import { IOHDRSZ } from '../../src/server/9p/messages.ts';
import { GLENDA, people } from '../support/callers.ts';
import {
  eventually,
  forEachDialect,
  forEachDoor,
  isRefusal,
  onFuse,
  type NinepFixture,
} from '../support/fixture.ts';
import type { DirEntry, FuseFile } from '../support/fusefs.ts';
import type { Tree } from '../support/tree.ts';

const { O_CREAT, O_RDWR } = constants;
const DENIED = ['permission denied', 'EACCES'] as const;
const CONVERSATION = ['ctl', 'data', 'err', 'listen', 'local', 'remote', 'status'];

/** Every file with two conversations, with its mode. */
const FILES: readonly (readonly [path: string, mode: number])[] = [
  ['', 0o555],
  ['cs', 0o600],
  ['ndb', 0o644],
  ['tcp', 0o555],
  ['tcp/clone', 0o600],
  ['tcp/stats', 0o444],
  ['dial', 0o555],
  ...['tcp/0', 'tcp/1'].flatMap(
    dir =>
      [
        [dir, 0o555],
        [`${dir}/ctl`, 0o600],
        [`${dir}/data`, 0o600],
        [`${dir}/err`, 0o600],
        [`${dir}/listen`, 0o600],
        [`${dir}/local`, 0o444],
        [`${dir}/remote`, 0o444],
        [`${dir}/status`, 0o444],
      ] as const,
  ),
  ['udp', 0o555],
  ['udp/clone', 0o600],
  ['udp/stats', 0o444],
  ['dns', 0o600],
  ['explain', 0o666],
  ['log', 0o600],
  ['zone', 0o755],
  ['zone/all', 0o755],
  ['view', 0o777],
  ['view/clone', 0o666],
  ['arp', 0o444],
  ['iproute', 0o444],
  ['ipselftab', 0o444],
  ['ipifc', 0o555],
  ['ipifc/clone', 0],
  ['ipifc/stats', 0o444],
  ['ipifc/0', 0o555],
  ...['addr', 'ctl', 'local', 'remote', 'status'].map(name => [`ipifc/0/${name}`, 0o444] as const),
];

/** Those whose files are all above. */
const LISTED = ['', 'tcp', 'tcp/0', 'tcp/1', 'udp', 'ipifc/0', 'dial', 'zone', 'view'];

/** Texts that have a length. */
const EDITED = ['ndb', 'zone/all'];

const DIRECTORIES = [...LISTED, 'ipifc'];

const ROOT = [
  'tcp',
  'udp',
  'ipifc',
  'dial',
  'zone',
  'view',
  'arp',
  'cs',
  'dns',
  'explain',
  'iproute',
  'ipselftab',
  'log',
  'ndb',
];

const names = async (client: Tree, path: string): Promise<string[]> =>
  (await client.readdir(path)).map(({ name }) => name);

const lastOf = (path: string): string => path.split('/').at(-1)! || '/';

forEachDoor('the tree', t => {
  beforeEach(async () => {
    await t.clone();
    await t.clone();
  });

  it('lists the protocols, then the conversations before clone and stats, then the files of one', async () => {
    assert.deepEqual(await names(t.client, ''), ROOT);
    assert.deepEqual(await names(t.client, 'tcp'), ['0', '1', 'clone', 'stats']);
    assert.deepEqual(await names(t.client, 'tcp/0'), CONVERSATION);
  });

  it('lists conversations by number, also beyond ten', async () => {
    for (let i = 2; i < 12; i++) await t.clone();
    const numbers = Array.from({ length: 12 }, (_, i) => String(i));
    assert.deepEqual(await names(t.client, 'tcp'), [...numbers, 'clone', 'stats']);
  });

  it('answers stat of every file with its name, mode and no length but that of what is edited', async () => {
    for (const [path, mode] of FILES) {
      const stat = await t.client.stat(path);
      assert.equal(stat.name, lastOf(path), path);
      assert.equal(stat.mode, mode, path);
      assert.equal(stat.isDirectory, DIRECTORIES.includes(path), path);
      const { length } = EDITED.includes(path) ? await t.client.readFile(path) : { length: 0 };
      assert.equal(stat.length, length, path);
    }
  });

  it('gives every file a qid of its own, the same wherever it is told', async () => {
    const seen = new Map<number, string>();
    for (const [path] of FILES) {
      const { qid } = await t.client.stat(path);
      assert.equal(seen.get(qid.path), undefined, path);
      seen.set(qid.path, path);
      assert.deepEqual((await t.client.stat(path)).qid, qid, path);
    }
    for (const path of LISTED) {
      for (const { name, qid } of await t.client.readdir(path)) {
        assert.equal(seen.get(qid.path), path === '' ? name : `${path}/${name}`);
      }
    }
  });

  it('gives times that were', async () => {
    const now = Date.now() / 1000;
    for (const [path] of FILES) {
      const { atime, mtime } = await t.client.stat(path);
      for (const time of [atime, mtime]) assert(time > now - 60 && time <= now + 1, path);
    }
  });

  if (t.door !== '9P2000') {
    it('shows a length of 0 for a stream that has bytes, so that nobody stops reading there', async () => {
      const { dir, socket } = await t.connect();
      socket.write('12345');
      await eventually(async () => / qin 5 /.test(await t.text(`${dir}/status`)));
      assert.equal((await t.client.stat(`${dir}/data`)).length, 0);
    });
  }
  if (t.door === '9P2000') {
    it('shows how many bytes wait in a stream as the length of data', async () => {
      const { data, dir, socket } = await t.connect();
      socket.write('12345');
      await eventually(async () => (await t.client.stat(`${dir}/data`)).length === 5);
      await data.read(2);
      assert.equal((await t.client.stat(`${dir}/data`)).length, 3);
    });
  }

  it('keeps the directory of a conversation when it is closed', async () => {
    const { ctl } = await t.clone();
    await ctl.close();
    assert.deepEqual(await names(t.client, 'tcp'), ['0', '1', '2', 'clone', 'stats']);
    assert.deepEqual(await names(t.client, 'tcp/2'), CONVERSATION);
  });

  it('opens what only tells something for reading only', async () => {
    for (const path of ['tcp/stats', 'tcp/0/local', 'tcp/0/remote', 'tcp/0/status']) {
      await t.touch(path, 'r');
      await t.refuses(t.touch(path, 'w'), ...DENIED);
      await t.refuses(t.touch(path, 'rw'), ...DENIED);
    }
  });

  it('opens directories for reading only', async () => {
    for (const path of DIRECTORIES) {
      await t.touch(path, 'r');
      await assert.rejects(t.touch(path, 'w'), isRefusal);
      await assert.rejects(t.touch(path, 'rw'), isRefusal);
    }
  });
});

forEachDoor(
  'the owner of the tree',
  t => {
    it("is the server's", async () => {
      await t.clone();
      for (const [path] of FILES.filter(([path]) => !path.startsWith('tcp/1'))) {
        const { owner, group, uid, gid } = await t.client.stat(path);
        if (t.door !== '9P2000.L' && t.door !== 'FUSE')
          assert.deepEqual([owner, group], ['glenda', 'glenda'], path);
        if (t.door !== '9P2000') assert.deepEqual([uid, gid], [GLENDA.uid, GLENDA.gid], path);
      }
    });
  },
  () => ({ owner: GLENDA, users: people }),
);

forEachDoor('a path', t => {
  beforeEach(() => t.clone());

  it('goes up with ..', async () => {
    const paths: Record<string, string> = {
      'tcp/..': '',
      'tcp/0/..': 'tcp',
      'tcp/0/../clone': 'tcp/clone',
      'tcp/../tcp/0/../0/ctl': 'tcp/0/ctl',
    };
    for (const [path, same] of Object.entries(paths)) {
      assert.deepEqual((await t.client.stat(path)).qid, (await t.client.stat(same)).qid, path);
    }
  });

  for (const path of [
    'icmp',
    'TCP',
    'tcp/1',
    'tcp/00',
    'tcp/007',
    'tcp/-0',
    'tcp/+0',
    'tcp/0x0',
    'tcp/0e0',
    'tcp/0.0',
    'tcp/ 0',
    'tcp/0 ',
    'tcp/\u0660',
    'tcp/99999999999999999999',
    'tcp/Clone',
    'tcp/toString',
    'tcp/__proto__',
    'tcp/0/nothing',
    'tcp/0/__proto__',
    'tcp/0/constructor',
    'tcp/0/snoop',
  ]) {
    it(`to ${JSON.stringify(path)} finds nothing`, async () => {
      await t.refuses(t.client.stat(path), 'file does not exist', 'ENOENT');
    });
  }

  it('through a file that is no directory is refused', async () => {
    for (const path of ['tcp/clone/x', 'tcp/clone/..', 'tcp/0/ctl/x', 'tcp/0/ctl/..']) {
      await t.refuses(t.client.stat(path), 'not a directory', 'ENOTDIR');
    }
  });

  // The tree itself knows its names and no limit.
  if (t.door !== 'in process') {
    it('of a name that is too long is told so', async () => {
      await t.refuses(t.client.stat('x'.repeat(256)), 'file name too long', 'ENAMETOOLONG');
      await t.refuses(t.client.stat('x'.repeat(255)), 'file does not exist', 'ENOENT');
    });
  }
});

forEachDialect('a walk', t => {
  beforeEach(() => t.clone());

  it('goes up with .., and not above the root', async () => {
    const paths: Record<string, string> = {
      '..': '',
      '../..': '',
      'tcp/..': '',
      'tcp/0/..': 'tcp',
      'tcp/0/../clone': 'tcp/clone',
      'tcp/../../../tcp/0/../0/ctl': 'tcp/0/ctl',
    };
    for (const [path, same] of Object.entries(paths)) {
      assert.deepEqual((await t.client.walk(path)).qid, (await t.client.walk(same)).qid, path);
    }
  });

  it('stays with .', async () => {
    const dir = await t.client.walk('tcp');
    assert.deepEqual((await dir.walk(['.'])).qid, dir.qid);
    assert.deepEqual((await dir.walk(['.', '0', '.', 'ctl'])).qid, (await t.client.walk('tcp/0/ctl')).qid);
  });

  it('of no names gives another fid of the same file', async () => {
    const ctl = await t.client.walk('tcp/0/ctl');
    const again = await ctl.walk([]);
    assert.notEqual(again.number, ctl.number);
    await again.open('rw');
    assert.equal((await again.read(0, 32)).toString(), '0');
  });

  it('gives every file a qid of its own, of version 0, the same wherever it is told', async () => {
    await t.clone();
    const seen = new Map<number, string>();
    for (const [path] of FILES) {
      const { qid } = await t.client.walk(path);
      assert.equal(seen.get(qid.path), undefined, path);
      seen.set(qid.path, path);
      assert.equal(qid.type, DIRECTORIES.includes(path) ? 0x80 : 0, path);
      assert.equal(qid.vers, 0, path);
      assert.deepEqual((await t.client.stat(path)).qid, qid, path);
    }
    for (const path of LISTED) {
      for (const { name, qid } of await t.client.readdir(path)) {
        assert.deepEqual(qid, (await t.client.walk(`${path}/${name}`)).qid, `${path}/${name}`);
      }
    }
  });

  it('through a file that is no directory is refused', async () => {
    for (const name of ['x', '..', '.']) {
      await t.refuses((await t.client.walk('tcp/clone')).walk([name]), 'not a directory', 'ENOTDIR');
      await t.refuses((await t.client.walk('tcp/0/ctl')).walk([name]), 'not a directory', 'ENOTDIR');
    }
  });

  it('refuses names that cannot be', async () => {
    for (const name of ['', 'tcp/0', '/', 'a\0b', '\0']) {
      await t.refuses(t.client.root.walk([name]), 'illegal name', 'EINVAL');
    }
    await t.refuses(t.client.root.walk(['x'.repeat(256)]), 'file name too long', 'ENAMETOOLONG');
    await t.refuses(t.client.root.walk(['x'.repeat(255)]), 'file does not exist', 'ENOENT');
  });

  it('that stops half-way says how far it came, and makes no fid', async () => {
    const request = { fid: t.client.root.number, newfid: 77, names: ['tcp', 'nothing', 'ctl'] };
    assert.equal((await t.client.rpc('Twalk', request)).qids.length, 1);
    await t.refuses(t.client.rpc('Tclunk', { fid: 77 }), 'unknown fid', 'EBADF');
  });

  it('may be attached to a directory below, and does not leave it', async () => {
    const client = await t.another({ aname: 'tcp/0' });
    assert.deepEqual(await names(client, ''), CONVERSATION);
    for (const path of ['..', '../..', '../1']) {
      await client.walk(path).then(
        fid => assert.deepEqual(fid.qid, client.root.qid),
        (error: Error) => assert.equal(error.message, 'file does not exist'),
      );
    }
    assert.equal(await t.text('ctl', client), '0');
  });

  it('may be attached as Plan 9 does: by nothing, by / or by stack 0', async () => {
    for (const aname of ['', '/', '0']) {
      assert.deepEqual((await t.another({ aname })).root.qid, t.client.root.qid);
    }
    await t.refuses(t.another({ aname: 'nothing' }), 'file does not exist', 'ENOENT');
    await t.refuses(t.another({ aname: 'tcp/clone' }), 'not a directory', 'ENOTDIR');
  });
});

forEachDoor('a listing', t => {
  it('gives every entry once', async () => {
    for (let i = 0; i < 100; i++) await t.clone();
    const all = await names(t.client, 'tcp');
    assert.deepEqual(all, [...Array.from({ length: 100 }, (_, i) => String(i)), 'clone', 'stats']);
    assert.deepEqual(
      (await t.client.ls('tcp')).map(({ name }) => name),
      all,
    );
  });
});

onFuse('listing by getdents(2)', t => {
  const list = async (
    dir: FuseFile,
    size: number,
    between = () => Promise.resolve(),
  ): Promise<DirEntry[]> => {
    const all: DirEntry[] = [];
    for (let part; (part = await dir.entries(size)).length > 0; await between()) all.push(...part);
    return all;
  };
  const namesIn = (entries: DirEntry[]): string[] => entries.map(({ name }) => name);
  /** Of getdents' structs, padded: one of the longest. */
  const LARGEST = 32;

  it('gives every entry once, . and .. first, however small the reads', async () => {
    for (let i = 0; i < 300; i++) await t.clone();
    const all = ['.', '..', ...(await names(t.client, 'tcp'))];
    assert.equal(all.length, 304);
    for (const size of [LARGEST, LARGEST + 8, 10 * LARGEST, 65536]) {
      assert.deepEqual(namesIn(await list(await t.client.open('tcp'), size)), all, `${size} bytes at a time`);
    }
  });

  it('tells the inodes that stat tells, of . and .. too', async () => {
    await t.clone();
    for (const path of ['tcp', 'tcp/0']) {
      for (const { name, qid } of await list(await t.client.open(path), 4096)) {
        assert.deepEqual(qid, (await t.client.stat(`${path}/${name}`)).qid, `${path}/${name}`);
      }
    }
  });

  it('is not confused by conversations that come meanwhile', async () => {
    for (let i = 0; i < 20; i++) await t.clone();
    const before = ['.', '..', ...(await names(t.client, 'tcp'))];
    const dir = await t.client.open('tcp');
    const listed = namesIn(await list(dir, 3 * LARGEST, async () => void (await t.clone())));
    assert.equal(new Set(listed).size, listed.length, 'each once');
    assert.deepEqual(
      listed.filter(name => before.includes(name)),
      before,
    );
  });

  it('begins anew at the start, and goes on behind any entry', async () => {
    const dir = await t.client.open('tcp');
    assert.deepEqual(namesIn(await list(dir, 4096)), ['.', '..', 'clone', 'stats']);
    await t.clone();
    await dir.seek(0);
    const all = await list(dir, 4096);
    assert.deepEqual(namesIn(all), ['.', '..', '0', 'clone', 'stats']);
    for (const [i, { next }] of all.entries()) {
      await dir.seek(next);
      assert.deepEqual(namesIn(await list(dir, 4096)), namesIn(all.slice(i + 1)));
    }
  });

  it('is refused on what is no directory, and reading bytes on what is one is too', async () => {
    const { ctl } = await t.clone();
    await t.refuses(ctl.entries(), 'not a directory', 'ENOTDIR');
    await t.refuses((await t.client.open('tcp')).read(), 'is a directory', 'EISDIR');
  });
});

forEachDialect('listing', t => {
  it('gives every entry once, however small the reads', async () => {
    for (let i = 0; i < 25; i++) await t.clone();
    const all = await names(t.client, 'tcp');
    assert.equal(all.length, 27);
    const largest = await sizeOfOne(t);
    for (const count of [largest, largest + 1, 2 * largest, 10 * largest]) {
      assert.deepEqual(await listIn(t, 'tcp', count), all, `${count} bytes at a time`);
    }
  });

  it('works with the smallest msize', async () => {
    for (let i = 0; i < 100; i++) await t.clone();
    const client = await t.another({ msize: 512 });
    assert.deepEqual(await names(client, 'tcp'), await names(t.client, 'tcp'));
    assert.equal((await client.ls('tcp')).length, 102);
  });

  it('is not confused by conversations that come meanwhile', async () => {
    for (let i = 0; i < 20; i++) await t.clone();
    const before = await names(t.client, 'tcp');
    const count = 3 * (await sizeOfOne(t));
    const listed = await listIn(t, 'tcp', count, () => t.clone());
    assert.equal(new Set(listed).size, listed.length, 'each once');
    // Those that came may be in it or not; the server keeps no list for whoever has a directory open.
    assert.deepEqual(
      listed.filter(name => before.includes(name)),
      before,
    );
  });

  it('begins anew at offset 0', async () => {
    const dir = await t.client.open('tcp', 'r');
    const first = await readDirectory(t, dir.fid.number, 0, 4096);
    await t.clone();
    const second = await readDirectory(t, dir.fid.number, 0, 4096);
    assert.deepEqual(first.names, ['clone', 'stats']);
    assert.deepEqual(second.names, ['0', 'clone', 'stats']);
  });

  it('is refused on what is no directory, and reading bytes on what is one is too', async () => {
    const ctl = await t.clone();
    const dir = await t.client.open('tcp', 'r');
    if (t.dialect === '9P2000.L') {
      const readdir = { fid: ctl.ctl.fid.number, offset: 0, count: 100 };
      await t.refuses(t.client.rpc('Treaddir', readdir), 'not a directory', 'ENOTDIR');
    }
    const write = { fid: dir.fid.number, offset: 0, data: Buffer.from('x') };
    await assert.rejects(t.client.rpc('Twrite', write), { name: 'NinepError' });
  });

  if (t.dialect !== '9P2000.L') {
    it('in a count that holds no entry is `stat buffer too small`', async () => {
      const dir = await t.client.open('tcp', 'r');
      const read = { fid: dir.fid.number, offset: 0, count: 10 };
      await t.refuses(t.client.rpc('Tread', read), 'stat buffer too small', 'EINVAL');
    });

    it('from where no read ended is refused', async () => {
      const dir = await t.client.open('tcp', 'r');
      for (const offset of [1, 100000]) {
        const read = { fid: dir.fid.number, offset, count: 1000 };
        await t.refuses(t.client.rpc('Tread', read), 'bad offset', 'EINVAL');
      }
    });
  } else {
    it('has . and .. first', async () => {
      for (const path of ['', 'tcp']) {
        const dir = await t.client.open(path, 'r');
        const { dots } = await readDirectory(t, dir.fid.number, 0, 4096);
        const own = await t.client.walk(path);
        const parent = await t.client.walk(`${path}/..`);
        assert.deepEqual(dots, [
          { name: '.', path: own.qid.path },
          { name: '..', path: parent.qid.path },
        ]);
      }
    });

    it('goes on behind any entry', async () => {
      for (let i = 0; i < 5; i++) await t.clone();
      const dir = await t.client.open('tcp', 'r');
      const whole = await readDirectory(t, dir.fid.number, 0, 4096);
      for (const [i, next] of whole.nexts.entries()) {
        const rest = await readDirectory(t, dir.fid.number, next, 4096);
        assert.equal(rest.dots.length + rest.names.length, whole.nexts.length - i - 1);
      }
    });
  }
});

forEachDialect('nothing can be', t => {
  beforeEach(() => t.clone());

  it('removed, and the fid is gone all the same', async () => {
    for (const path of ['tcp', 'tcp/clone', 'tcp/0', 'tcp/0/ctl']) {
      const { number } = await t.client.walk(path);
      await t.refuses(t.client.rpc('Tremove', { fid: number }), ...DENIED);
      await t.refuses(t.client.rpc('Tclunk', { fid: number }), 'unknown fid', 'EBADF');
    }
    assert.deepEqual(await names(t.client, 'tcp'), ['0', 'clone', 'stats']);
  });

  if (t.dialect === '9P2000.L') {
    it('created, linked, renamed or unlinked', async () => {
      const { number: dir } = await t.client.walk('tcp');
      const { number: file } = await t.client.walk('tcp/clone');
      const common = { name: 'new', mode: 0o644, gid: 0 };
      const refused = (request: Promise<unknown>) => t.refuses(request, ...DENIED);
      await refused(t.client.rpc('Tlcreate', { fid: dir, flags: 2, ...common }));
      await refused(t.client.rpc('Tmkdir', { dfid: dir, ...common }));
      await refused(t.client.rpc('Tmknod', { dfid: dir, major: 0, minor: 0, ...common }));
      await refused(t.client.rpc('Tsymlink', { fid: dir, name: 'new', symtgt: 'clone', gid: 0 }));
      await refused(t.client.rpc('Tlink', { dfid: dir, fid: file, name: 'new' }));
      await refused(t.client.rpc('Trename', { fid: file, dfid: dir, name: 'new' }));
      const renameat = { olddirfid: dir, oldname: 'clone', newdirfid: dir, newname: 'new' };
      await refused(t.client.rpc('Trenameat', renameat));
      await refused(t.client.rpc('Tunlinkat', { dirfid: dir, name: 'clone', flags: 0 }));
      assert.deepEqual(await names(t.client, 'tcp'), ['0', 'clone', 'stats']);
    });
  } else {
    it('created', async () => {
      for (const path of ['', 'tcp', 'tcp/0']) {
        const { number } = await t.client.walk(path);
        const create = { fid: number, name: 'new', perm: 0o644, mode: 2, extension: '' };
        await t.refuses(t.client.rpc('Tcreate', create), ...DENIED);
        await t.refuses(t.client.rpc('Tcreate', { ...create, perm: 0x800001ff, mode: 0 }), ...DENIED);
      }
    });

    it('renamed', async () => {
      for (const path of ['tcp', 'tcp/clone', 'tcp/stats', 'tcp/0', 'tcp/0/status']) {
        await t.refuses(rename(t, path), ...DENIED);
      }
      // ip(3) ignores a new name on a conversation's own files.
      await rename(t, 'tcp/0/ctl').catch(() => {});
      assert.deepEqual(await names(t.client, 'tcp/0'), CONVERSATION);
    });
  }
});

onFuse('nothing can be', t => {
  beforeEach(async () => {
    await t.clone();
    await t.clone();
  });

  it('created, linked, renamed or unlinked', async () => {
    const refused = (request: Promise<unknown>) => t.refuses(request, ...DENIED);
    for (const dir of ['.', 'tcp', 'tcp/0']) {
      const path = `${dir}/new`;
      await refused(t.client.openWith(path, O_CREAT | O_RDWR));
      for (const call of ['mkdir', 'mknod'] as const) await refused(t.client.call(call, path));
      await refused(t.client.call('symlink', ['clone', path]));
      await refused(t.client.call('link', ['tcp/stats', path]));
      await refused(t.client.call('rename', ['tcp/stats', path]));
      await refused(t.client.call('rename', ['tcp/1', path]));
    }
    for (const path of ['tcp/clone', 'tcp/stats', 'tcp/0/ctl', 'tcp/0/status']) {
      await refused(t.client.call('unlink', path));
    }
    for (const path of ['tcp', 'tcp/0']) await refused(t.client.call('rmdir', path));
    assert.deepEqual(await names(t.client, 'tcp'), ['0', '1', 'clone', 'stats']);
    assert.deepEqual(await names(t.client, 'tcp/0'), CONVERSATION);
  });
});

/** A wstat that gives a new name and touches nothing else. */
async function rename(t: NinepFixture, path: string): Promise<void> {
  const fid = await t.client.walk(path);
  const all = 0xffffffff;
  const untouched = {
    type: 0xffff,
    dev: all,
    mode: all,
    atime: all,
    mtime: all,
    nUid: all,
    nGid: all,
    nMuid: all,
  };
  const qid = { type: 0xff, vers: all, path: 2 ** 64 };
  const stat = { ...untouched, qid, length: 2 ** 64, name: 'new', uid: '', gid: '', muid: '', extension: '' };
  await t.client.rpc('Twstat', { fid: fid.number, stat });
}

/** One read of a directory: the names in it, and in .L the dots and where each entry's successor is. */
async function readDirectory(t: NinepFixture, fid: number, offset: number, count: number) {
  const found = {
    names: [] as string[],
    dots: [] as { name: string; path: number }[],
    nexts: [] as number[],
    end: 0,
  };
  if (t.dialect !== '9P2000.L') {
    const { data } = await t.client.rpc('Tread', { fid, offset, count });
    for (let at = 0; at < data.length;) {
      const { stat, end } = codecFor(t.dialect).decodeStat(data, at);
      found.names.push(stat.name);
      at = end;
    }
    return { ...found, end: offset + data.length };
  }
  const { data } = await t.client.rpc('Treaddir', { fid, offset, count });
  for (let at = 0; at < data.length;) {
    // qid[13] offset[8] type[1] name[s]
    const end = at + 24 + data.readUInt16LE(at + 22);
    const name = data.toString('utf8', at + 24, end);
    if (/^\.\.?$/.test(name)) found.dots.push({ name, path: Number(data.readBigUInt64LE(at + 5)) });
    else found.names.push(name);
    found.end = Number(data.readBigUInt64LE(at + 13));
    found.nexts.push(found.end);
    at = end;
  }
  return found;
}

/** All names of a directory, read so many bytes at a time. */
async function listIn(
  t: NinepFixture,
  path: string,
  count: number,
  between: () => Promise<unknown> = () => Promise.resolve(),
): Promise<string[]> {
  assert(count <= t.client.msize - IOHDRSZ);
  const dir = await t.client.open(path, 'r');
  const all: string[] = [];
  for (let offset = 0; ;) {
    const part = await readDirectory(t, dir.fid.number, offset, count);
    if (part.names.length + part.dots.length === 0) return all;
    all.push(...part.names);
    offset = part.end;
    await between();
  }
}

/** Bytes of the largest entry of tcp. */
async function sizeOfOne(t: NinepFixture): Promise<number> {
  const longest = 'clone';
  if (t.dialect === '9P2000.L') return 24 + longest.length;
  const fid = await t.client.walk('tcp/clone');
  const { stat } = await t.client.rpc('Tstat', { fid: fid.number });
  return codecFor(t.dialect).statSize(stat);
}
