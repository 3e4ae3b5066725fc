/** The messages that make, remove and rename files, one by one, and what becomes of their fids. */
import assert from 'node:assert/strict';
import type { DirNode, Node } from '../../src/netfs/node.ts';
import { Abort } from '../../src/abort.ts';
import { FILE_BITS, notesTree } from '../support/notes.ts';
import * as b from './bytes.ts';
import { DIALECTS, R } from './bytes.ts';
import { Rig, type RawClient } from './rig.ts';

const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_TRUNC = 0o1000;
const DMDIR = 0x80000000;
const AT_REMOVEDIR = 0x200;
const S_IFREG = 0o100000;

const NOT_THERE = ['file does not exist', 'ENOENT'] as const;
const DENIED = ['permission denied', 'EACCES'] as const;
const TAKEN = ['file already exists', 'EEXIST'] as const;
const BAD_USE = ['bad use of fid', 'EBADF'] as const;
const BAD_NAME = ['illegal name', 'EINVAL'] as const;

for (const dialect of DIALECTS) {
  describe(`a file that comes and goes in ${dialect}`, () => {
    let rig: Rig;
    let client: RawClient;
    const isL = dialect === '9P2000.L';

    beforeEach(async () => {
      rig = await Rig.start({ tree: notesTree });
      client = await rig.client(dialect);
      await client.walk(1, 'notes');
    });
    afterEach(async () => {
      await client.ok(b.stat(dialect, 99, 0));
      await rig.stop();
    });

    const notes = (): DirNode => rig.server.mount.root.walk('notes', request()) as DirNode;
    const request = () => ({ caller: rig.server.owner, signal: new Abort() });
    const listed = (): string[] => [...notes().children(request(), 0)].map(({ node }) => node.stat().name);
    const modeOf = (name: string): number => (notes().walk(name, request()) as Node).permissions.mode;
    /** A Tcreate or Tlcreate of a name that must be free. */
    const creating = (fid: number, name: string): Buffer =>
      isL
        ? b.Tlcreate(5, fid, name, b.ORDWR | O_CREAT | O_EXCL)
        : b.Tcreate(dialect, 5, fid, name, 0o644, b.ORDWR);

    /** Makes a file, which `fid` is then, unopened. */
    async function file(fid: number, name: string, text = ''): Promise<void> {
      await client.ok(b.Twalk(5, 1, fid));
      await client.ok(creating(fid, name));
      if (text !== '') await client.write(fid, text);
      await client.clunk(fid);
      await client.ok(b.Twalk(5, 1, fid, name));
    }

    // ---- Tcreate and Tlcreate -----------------------------------------------------------------------

    it('is what the fid of its directory stands for when it was made, opened', async () => {
      await client.ok(b.Twalk(5, 1, 2));
      const made = await client.ok(creating(2, 'a'));
      assert.equal(made.qid().type, 0);
      assert.ok(made.u32(13) > 0, 'an iounit');
      await client.write(2, 'hello\n');
      assert.equal((await client.read(2)).toString(), 'hello\n');
      await client.refused(b.Twalk(5, 2, 3, 'b'), ...BAD_USE);
      await client.refused(creating(2, 'b'), ...BAD_USE);
      await client.clunk(2);
      assert.equal(await client.file('notes/a'), 'hello\n');
      assert.deepEqual((await client.walk(2, 'notes/a')).qid(2 + 13), made.qid());
    });

    it('leaves the fid as it was where it cannot be made', async () => {
      await file(2, 'a');
      await client.refused(creating(1, 'a'), ...TAKEN);
      for (const name of ['.', '..', 'a/b', '', 'a\0b', 'a\tb', '\ufffd']) {
        await client.refused(creating(1, name), ...BAD_NAME);
      }
      await client.refused(creating(1, 'x'.repeat(256)), 'file name too long', 'ENAMETOOLONG');
      await client.refused(creating(2, 'b'), 'not a directory', 'ENOTDIR');
      await client.ok(b.Twalk(5, 1, 3, 'a'));
      await client.ok(creating(1, 'b'));
      assert.deepEqual(listed(), ['a', 'b']);
    });

    it('is not made below an opened directory', async () => {
      await client.ok(b.open(dialect, 5, 1, b.OREAD));
      await client.refused(creating(1, 'a'), ...BAD_USE);
    });

    it('is closed at once where its fid went while it was made', async () => {
      const { proceed, asked, opened } = held(notes());
      client.send(creating(1, 'a'));
      await asked;
      await client.refused(b.Twalk(6, 1, 1, 'x'), ...BAD_USE);
      await client.ok(b.Tclunk(7, 1));
      proceed();
      assert.ok((await client.next()).error, 'the file has no fid to be');
      await client.refused(b.Tclunk(8, 1), 'unknown fid', 'EBADF');
      assert.equal(opened(), 0);
    });

    it('is nobody’s where the session begins anew while it is made', async () => {
      const { proceed, asked, opened } = held(notes());
      client.send(creating(1, 'a'));
      await asked;
      await client.start();
      proceed();
      await client.walk(1, 'notes');
      assert.equal(opened(), 0);
    });

    // ---- Tremove --------------------------------------------------------------------------------------

    it('is removed by Tremove, opened or not, and its fid is gone', async () => {
      await file(2, 'a');
      await file(3, 'b');
      await client.ok(b.open(dialect, 5, 3, b.ORDWR));
      for (const fid of [2, 3]) {
        await client.ok(b.Tremove(5, fid));
        await client.refused(b.Tclunk(5, fid), 'unknown fid', 'EBADF');
      }
      assert.deepEqual(listed(), []);
    });

    it('is not removed by the fid of another that had its name', async () => {
      await file(2, 'a');
      await client.ok(b.Twalk(5, 2, 3));
      await client.ok(b.Tremove(5, 3));
      await file(4, 'a', 'new\n');
      await client.refused(b.Tremove(5, 2), ...NOT_THERE);
      await client.refused(b.Tclunk(5, 2), 'unknown fid', 'EBADF');
      assert.equal(await client.file('notes/a'), 'new\n');
    });

    it('is not removed by the fid of one that it replaced', async () => {
      await file(2, 'a', 'old\n');
      await file(3, 'b', 'new\n');
      await notes().rename!('b', notes(), 'a', true, request());
      await client.refused(b.Tremove(5, 2), ...NOT_THERE);
      assert.equal(await client.file('notes/a'), 'new\n');
      await client.ok(b.Tremove(5, 3));
      assert.deepEqual(listed(), []);
    });

    it('is not removed where it is what was attached', async () => {
      await client.ok(b.Tattach(dialect, 5, 2, { aname: 'notes' }));
      await client.refused(b.Tremove(5, 2), ...DENIED);
      await client.refused(b.Tremove(5, 0), ...DENIED);
      await client.walk(0, 'notes').catch(() => client.ok(b.Tattach(dialect, 5, 0)));
    });

    it('keeps its fids when it is renamed', async () => {
      await file(2, 'a', 'text\n');
      await notes().rename!('a', notes(), 'b', true, request());
      await client.ok(b.open(dialect, 5, 2, b.OREAD));
      assert.equal((await client.read(2)).toString(), 'text\n');
      await client.ok(b.Tremove(5, 2));
      assert.deepEqual(listed(), []);
    });

    if (!isL) {
      it('is a directory with DMDIR in its mode, to be read', async () => {
        await client.refused(
          b.Tcreate(dialect, 5, 1, 'd', DMDIR + 0o777, b.ORDWR),
          'is a directory',
          'EISDIR',
        );
        assert.deepEqual(listed(), []);
        assert.equal(
          (await client.ok(b.Tcreate(dialect, 5, 1, 'd', DMDIR + 0o777, b.OREAD))).qid().type,
          0x80,
        );
        assert.equal((await client.read(1)).length, 0);
      });

      it('is no link, no device and no socket', async () => {
        for (const perm of [0x02000000, 0x01000000, 0x00800000, 0x00200000, 0x00100000]) {
          await client.refused(b.Tcreate(dialect, 5, 1, 'a', perm + 0o644, b.OREAD), ...DENIED);
        }
        assert.deepEqual(listed(), []);
      });

      it('is renamed by Twstat, and replaces then', async () => {
        await file(2, 'a', 'one\n');
        await file(3, 'b', 'two\n');
        await client.ok(b.Twstat(dialect, 5, 2, { name: 'c' }));
        assert.equal(await client.file('notes/c'), 'one\n');
        await client.ok(b.Twstat(dialect, 5, 2, { name: 'b' }));
        assert.equal(await client.file('notes/b'), 'one\n');
        assert.deepEqual(listed(), ['b']);
        await client.refused(b.Twstat(dialect, 5, 3, { name: 'd' }), ...NOT_THERE);
        for (const name of ['..', 'x/y', 'a\nb']) {
          await client.refused(b.Twstat(dialect, 5, 2, { name }), ...BAD_NAME);
        }
      });

      it('changes its name and its bits by one Twstat, or neither', async () => {
        await file(2, 'a');
        await file(3, 'b');
        await client.ok(b.Twstat(dialect, 5, 2, { name: 'c', mode: 0o600 }));
        assert.equal(modeOf('c'), 0o600);
        await client.refused(b.Twstat(dialect, 5, 2, { name: 'b', mode: 0o644 }), ...TAKEN);
        await client.refused(b.Twstat(dialect, 5, 2, { name: 'd', length: 99 }), 'i/o error', 'EIO');
        assert.deepEqual(listed().sort(), ['b', 'c']);
        assert.equal(modeOf('c'), 0o600);
      });
    } else {
      it('is opened by Tlcreate where it is there, but not with O_EXCL', async () => {
        await file(2, 'a', 'text\n');
        await client.ok(b.Twalk(5, 1, 3));
        await client.ok(b.Tlcreate(5, 3, 'a', b.ORDWR | O_CREAT));
        assert.equal((await client.read(3)).toString(), 'text\n');
        await client.ok(b.Twalk(5, 1, 4));
        await client.ok(b.Tlcreate(5, 4, 'a', b.ORDWR | O_CREAT | O_TRUNC));
        assert.equal((await client.read(4)).toString(), '');
        await client.refused(b.Tlcreate(5, 1, 'a', b.ORDWR | O_CREAT | O_EXCL), ...TAKEN);
        await client.ok(b.Tmkdir(5, 1, 'd'));
        await client.refused(b.Tlcreate(5, 1, 'd', b.OREAD | O_CREAT), 'is a directory', 'EISDIR');
      });

      it('is made by Tmknod and Tmkdir, and the fid stays the directory’s', async () => {
        assert.equal((await client.ok(b.Tmknod(5, 1, 'a', S_IFREG | 0o600))).qid().type, 0);
        assert.equal((await client.ok(b.Tmkdir(5, 1, 'd'))).qid().type, 0x80);
        await client.refused(b.Tmkdir(5, 1, 'a'), ...TAKEN);
        await client.refused(b.Tmknod(5, 1, 'd', S_IFREG), ...TAKEN);
        for (const type of [0o10000, 0o20000, 0o60000, 0o140000, 0o120000]) {
          await client.refused(b.Tmknod(5, 1, 'x', type | 0o644), ...DENIED);
        }
        await client.refused(b.Tsymlink(5, 1, 'x', 'a'), ...DENIED);
        assert.deepEqual(listed(), ['a', 'd']);
        assert.equal(modeOf('a'), FILE_BITS);
      });

      it('is removed by Tunlinkat, which tells a directory from a file', async () => {
        await file(2, 'a');
        await client.ok(b.Tmkdir(5, 1, 'd'));
        await client.refused(b.Tunlinkat(5, 1, 'd'), 'is a directory', 'EISDIR');
        await client.refused(b.Tunlinkat(5, 1, 'a', AT_REMOVEDIR), 'not a directory', 'ENOTDIR');
        for (const name of ['.', '..', ''])
          await client.refused(b.Tunlinkat(5, 1, name, AT_REMOVEDIR), ...BAD_NAME);
        await client.refused(b.Tunlinkat(5, 1, 'none'), ...NOT_THERE);
        await client.ok(b.Tunlinkat(5, 1, 'a'));
        await client.ok(b.Tunlinkat(5, 1, 'd', AT_REMOVEDIR));
        assert.deepEqual(listed(), []);
        // Who has walked to it has it still.
        await client.ok(b.open(dialect, 5, 2, b.ORDWR));
      });

      it('is renamed by Trename and Trenameat', async () => {
        await file(2, 'a', 'one\n');
        await file(3, 'b', 'two\n');
        await client.ok(b.Trename(5, 2, 1, 'c'));
        await client.ok(b.Trenameat(5, 1, 'c', 1, 'b'));
        assert.equal(await client.file('notes/b'), 'one\n');
        await client.refused(b.Trename(5, 3, 1, 'd'), ...NOT_THERE);
        await client.refused(b.Trenameat(5, 1, 'b', 1, '..'), ...BAD_NAME);
        await client.refused(b.Trenameat(5, 1, '..', 1, 'x'), ...BAD_NAME);
        await client.walk(4, 'fixed');
        await client.refused(b.Trenameat(5, 1, 'b', 4, 'b'), ...DENIED);
        await client.refused(b.Trename(5, 2, 4, 'b'), ...DENIED);
        assert.deepEqual(listed(), ['b']);
      });

      it('is not moved to what another attach leads to', async () => {
        await file(2, 'a');
        await client.ok(b.Tattach(dialect, 5, 3, { aname: 'other' }));
        await client.refused(b.Trename(5, 2, 3, 'a'), ...BAD_USE);
        await client.refused(b.Trenameat(5, 1, 'a', 3, 'a'), ...BAD_USE);
        await client.refused(b.Trenameat(5, 3, 'a', 1, 'a'), ...BAD_USE);
      });

      it('is not removed by the fid of its list of attributes', async () => {
        await file(2, 'a');
        await client.ok(b.Txattrwalk(5, 2, 3, ''));
        await client.refused(b.Trename(5, 3, 1, 'b'), ...BAD_USE);
        await client.refused(b.Tremove(5, 3), ...BAD_USE);
        assert.deepEqual(listed(), ['a']);
      });
    }

    it('survives random messages', async () => {
      let seed = 12345;
      const random = (n: number): number => ((seed = (seed * 48271) % (2 ** 31 - 1)) >>> 8) % n;
      const name = (): string => ['a', 'b', 'd', '..', '', 'x/y', 'é'.repeat(200)][random(7)]!;
      // Fid 1 stays the directory.
      const fid = (): number => 1 + random(6);
      const other = (): number => 2 + random(5);
      const messages = (tag: number): Buffer[] => [
        b.Twalk(tag, 1, other()),
        b.Twalk(tag, 1, other(), name()),
        b.Twalk(tag, fid(), other(), name()),
        b.Tclunk(tag, other()),
        b.Tremove(tag, other()),
        b.open(dialect, tag, other(), random(4)),
        b.Twrite(tag, fid(), 0, 'text\n'),
        b.Tread(tag, fid(), 0, 100),
        ...(isL
          ? [
              b.Tlcreate(tag, other(), name(), random(0o2000)),
              b.Tmkdir(tag, fid(), name()),
              b.Tmknod(tag, fid(), name(), S_IFREG),
              b.Tunlinkat(tag, fid(), name(), random(2) * AT_REMOVEDIR),
              b.Trename(tag, fid(), fid(), name()),
              b.Trenameat(tag, fid(), name(), fid(), name()),
            ]
          : [
              b.Tcreate(dialect, tag, other(), name(), random(2) * DMDIR, random(128)),
              b.Twstat(dialect, tag, fid(), { name: name() }),
              b.Tflush(tag, random(100)),
            ]),
      ];
      for (let i = 0; i < 3000; i++) {
        const choice = messages(1 + (i % 100));
        client.send(choice[random(choice.length)]!);
        await client.next();
      }
      assert.ok(client.answers.some(({ type }) => type === (isL ? R.lcreate : R.create)));
      assert.ok(client.answers.some(({ type }) => type === R.remove));
      for (const { node } of notes().children(request(), 0)) assert.equal(node.parent, notes());
    });
  });
}

/** A directory that makes nothing until it is let; how many of its files are open then. */
function held(dir: DirNode): { proceed: () => void; asked: Promise<void>; opened: () => number } {
  let proceed!: () => void;
  let ask!: () => void;
  let opened = 0;
  const gate = new Promise<void>(resolve => (proceed = resolve));
  const asked = new Promise<void>(resolve => (ask = resolve));
  const create = dir.create!.bind(dir);
  dir.create = async (...args) => {
    ask();
    await gate;
    const node = await create(...args);
    const open = node.open.bind(node);
    node.open = async (...how) => {
      const handle = await open(...how);
      const close = handle.close.bind(handle);
      opened++;
      handle.close = () => {
        opened--;
        close();
      };
      return handle;
    };
    return node;
  };
  return { proceed, asked, opened: () => opened };
}
