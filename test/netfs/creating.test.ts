/** Files are made, removed and renamed where their directory offers it, by every door. */
import assert from 'node:assert/strict';
import { DIRECTORY_BITS, FILE_BITS, notesTree, READ_ONLY_BITS } from '../support/notes.ts';
import { ALICE, BOB, GLENDA, people } from '../support/callers.ts';
import { DirectTree } from '../support/direct.ts';
import { forEachDoor, inProcess, type Fixture } from '../support/fixture.ts';
import type { Tree } from '../support/tree.ts';

const NOT_THERE = ['file does not exist', 'ENOENT'] as const;
const DENIED = ['permission denied', 'EACCES'] as const;
const TAKEN = ['file already exists', 'EEXIST'] as const;

const LONGEST = 'é'.repeat(127) + 'x';

forEachDoor(
  'a directory whose files come and go',
  t => {
    const names = async (path: string, client: Tree = t.client): Promise<string[]> =>
      (await client.readdir(path)).map(({ name }) => name).sort();

    // ---- making ---------------------------------------------------------------------------------

    it('makes an empty file with the bits that the directory gives', async () => {
      await t.client.create('notes/a');
      const { mode, length, isDirectory, name } = await t.client.stat('notes/a');
      assert.deepEqual(
        { mode, length, isDirectory, name },
        { mode: FILE_BITS, length: 0, isDirectory: false, name: 'a' },
      );
      assert.deepEqual(await names('notes'), ['a']);
    });

    it('makes a directory, and files in it', async () => {
      await t.client.create('notes/dir', { directory: true });
      const { mode, isDirectory } = await t.client.stat('notes/dir');
      assert.deepEqual({ mode, isDirectory }, { mode: DIRECTORY_BITS, isDirectory: true });
      await t.client.writeFile('notes/dir/a', 'text\n', { create: true });
      assert.equal(await t.text('notes/dir/a'), 'text\n');
    });

    it('makes a file as it is opened for writing, and opens and empties it the next time', async () => {
      await t.client.writeFile('notes/a', 'one\ntwo\n', { create: true });
      const { qid } = await t.client.stat('notes/a');
      await t.client.writeFile('notes/a', 'three\n', { create: true });
      assert.equal(await t.text('notes/a'), 'three\n');
      assert.equal((await t.client.stat('notes/a')).qid.path, qid.path);
    });

    it('writes and reads by the descriptor that made a file', async () => {
      const file = await t.client.open('notes/a', 'rw', { create: true });
      await file.write('hello\n', 0);
      assert.equal((await file.read(100, 0)).toString(), 'hello\n');
      await file.close();
      assert.equal(await t.text('notes/a'), 'hello\n');
    });

    it('makes no file of a name that is taken', async () => {
      await t.client.create('notes/a');
      await t.client.create('notes/dir', { directory: true });
      for (const [path, directory] of [
        ['a', false],
        ['a', true],
        ['dir', false],
        ['dir', true],
      ] as const) {
        await t.refuses(t.client.create(`notes/${path}`, { directory }), ...TAKEN);
      }
      assert.deepEqual(await names('notes'), ['a', 'dir']);
    });

    it('lets one of those who make the same file at once have made it', async () => {
      const clients = [t.client, await t.another(), await t.another()];
      const made = await Promise.allSettled(clients.map(client => client.create('notes/a')));
      assert.equal(made.filter(({ status }) => status === 'fulfilled').length, 1);
      for (const each of made)
        if (each.status === 'rejected') await t.refuses(Promise.reject(each.reason as Error), ...TAKEN);
    });

    it('opens the one file for all who open or make it at once', async () => {
      const clients = [t.client, await t.another(), await t.another()];
      const files = await Promise.all(clients.map(client => client.open('notes/a', 'r', { create: true })));
      const qids = await Promise.all(files.map(async file => (await file.stat()).qid.path));
      assert.equal(new Set(qids).size, 1);
    });

    it('takes a name of 255 bytes, and none of 256', async () => {
      await t.client.create(`notes/${LONGEST}`);
      assert.deepEqual(await names('notes'), [LONGEST]);
      const long = ['file name too long', 'ENAMETOOLONG'] as const;
      await t.refuses(t.client.create(`notes/${LONGEST}x`), ...long);
      await t.refuses(t.client.rename(`notes/${LONGEST}`, `notes/${LONGEST}x`), ...long);
      await t.refuses(t.client.create(`notes/${LONGEST}x`, { directory: true }), ...long);
    });

    for (const name of ['a\nb', '\x1b[2J', 'a\x7f', '\u0085', 'a\u202eb', 'line\u2028']) {
      it(`gives no file the name ${JSON.stringify(name)}`, async () => {
        await t.client.create('notes/a');
        const bad = ['illegal name', 'EINVAL'] as const;
        await t.refuses(t.client.create(`notes/${name}`), ...bad);
        await t.refuses(t.client.create(`notes/${name}`, { directory: true }), ...bad);
        await t.refuses(t.client.rename('notes/a', `notes/${name}`), ...bad);
        assert.deepEqual(await names('notes'), ['a']);
      });
    }

    // ---- removing -------------------------------------------------------------------------------

    it('removes a file, and one that is made anew is another', async () => {
      await t.client.writeFile('notes/a', 'old\n', { create: true });
      const { qid } = await t.client.stat('notes/a');
      await t.client.remove('notes/a');
      await t.refuses(t.client.stat('notes/a'), ...NOT_THERE);
      await t.refuses(t.client.remove('notes/a'), ...NOT_THERE);
      await t.client.create('notes/a');
      assert.notEqual((await t.client.stat('notes/a')).qid.path, qid.path);
      assert.equal(await t.text('notes/a'), '');
    });

    it('leaves a file to who has it open when it is removed', async () => {
      await t.client.writeFile('notes/a', 'old\n', { create: true });
      const file = await t.client.open('notes/a', 'rw');
      const other = await t.another();
      await other.remove('notes/a');
      await other.writeFile('notes/a', 'new\n', { create: true });
      assert.equal((await file.read(100, 0)).toString(), 'old\n');
      await file.write('late\n', 0);
      await file.close();
      assert.equal(await t.text('notes/a'), 'new\n');
    });

    it('does not bring back what was removed while it was edited', async () => {
      const file = await t.client.open('notes/a', 'rw', { create: true });
      await file.write('text\n', 0);
      await (await t.another()).remove('notes/a');
      await file.close();
      assert.deepEqual(await names('notes'), []);
    });

    it('removes a directory only when nothing is in it', async () => {
      await t.client.create('notes/dir', { directory: true });
      await t.client.create('notes/dir/a');
      await t.refuses(t.client.remove('notes/dir'), 'directory not empty', 'ENOTEMPTY');
      await t.client.remove('notes/dir/a');
      await t.client.remove('notes/dir');
      assert.deepEqual(await names('notes'), []);
    });

    // ---- renaming -------------------------------------------------------------------------------

    it('renames a file, which stays the same', async () => {
      await t.client.writeFile('notes/a', 'text\n', { create: true });
      const { qid } = await t.client.stat('notes/a');
      await t.client.rename('notes/a', 'notes/b');
      assert.deepEqual(await names('notes'), ['b']);
      assert.equal((await t.client.stat('notes/b')).qid.path, qid.path);
      assert.equal(await t.text('notes/b'), 'text\n');
      await t.refuses(t.client.stat('notes/a'), ...NOT_THERE);
    });

    it('replaces a file: who has the old one open keeps it, who opens the name has the new one', async () => {
      await t.client.writeFile('notes/a', 'old\n', { create: true });
      await t.client.writeFile('notes/a~', 'new\n', { create: true });
      const old = await t.client.open('notes/a', 'rw');
      const kept = await t.client.open('notes/a~', 'r');
      await (await t.another()).rename('notes/a~', 'notes/a');
      assert.equal((await old.read(100, 0)).toString(), 'old\n');
      assert.equal((await kept.read(100, 0)).toString(), 'new\n');
      assert.equal(await t.text('notes/a'), 'new\n');
      await old.write('late\n', 0);
      await old.close();
      assert.equal(await t.text('notes/a'), 'new\n');
      assert.deepEqual(await names('notes'), ['a']);
    });

    it('has the name at every moment while its file is replaced again and again', async () => {
      const writer = await t.another();
      await t.client.writeFile('notes/a', '0\n', { create: true });
      const seen = new Set<string>();
      let replacing = true;
      const read = async (): Promise<void> => {
        while (replacing) seen.add(await t.text('notes/a'));
      };
      const reading = read();
      for (let i = 1; i <= 50; i++) {
        await writer.writeFile('notes/new', `${i}\n`, { create: true });
        await writer.rename('notes/new', 'notes/a');
      }
      replacing = false;
      await reading;
      assert.equal(await t.text('notes/a'), '50\n');
      for (const text of seen) assert.match(text, /^\d+\n$/);
    });

    it('renames nothing onto a directory in which something is, nor a directory onto a file', async () => {
      await t.client.create('notes/dir', { directory: true });
      await t.client.create('notes/dir/a');
      await t.client.create('notes/empty', { directory: true });
      await t.client.create('notes/file');
      await t.refuses(t.client.rename('notes/empty', 'notes/dir'), 'directory not empty', 'ENOTEMPTY');
      await t.refuses(t.client.rename('notes/file', 'notes/dir'), 'is a directory', 'EISDIR');
      await t.refuses(t.client.rename('notes/dir', 'notes/file'), 'not a directory', 'ENOTDIR');
      assert.deepEqual(await names('notes'), ['dir', 'empty', 'file']);
    });

    it('renames a file to its own name, and nothing that is not there', async () => {
      await t.client.writeFile('notes/a', 'text\n', { create: true });
      await t.client.rename('notes/a', 'notes/a');
      assert.equal(await t.text('notes/a'), 'text\n');
      await t.refuses(t.client.rename('notes/none', 'notes/b'), ...NOT_THERE);
    });

    if (t.door !== '9P2000' && t.door !== '9P2000.u') {
      it('moves a file to another directory, but no directory into itself', async () => {
        await t.client.writeFile('notes/a', 'text\n', { create: true });
        await t.client.create('notes/dir', { directory: true });
        await t.client.create('notes/dir/in', { directory: true });
        await t.client.rename('notes/a', 'other/b');
        assert.equal(await t.text('other/b'), 'text\n');
        const itself = ['bad arg in system call', 'EINVAL'] as const;
        await t.refuses(t.client.rename('notes/dir', 'notes/dir/in/dir'), ...itself);
        await t.refuses(t.client.rename('notes/dir', 'notes/dir/in'), ...itself);
        await t.client.rename('notes/dir', 'other/dir');
        assert.deepEqual(await names('other'), ['b', 'dir']);
        assert.deepEqual(await names('other/dir'), ['in']);
      });

      it('moves nothing to a directory that takes nothing, nor out of one', async () => {
        await t.client.create('notes/a');
        await t.refuses(t.client.rename('notes/a', 'fixed/a'), ...DENIED);
        await t.refuses(t.client.rename('notes/a', 'fixed/file'), ...DENIED);
        await t.refuses(t.client.rename('fixed/file', 'notes/file'), ...DENIED);
        assert.deepEqual(await names('notes'), ['a']);
      });
    }

    // ---- where it is not offered ----------------------------------------------------------------

    it('is alone in that: elsewhere nothing is made, removed or renamed', async () => {
      for (const dir of ['fixed/', '']) {
        await t.refuses(t.client.create(`${dir}new`), ...DENIED);
        await t.refuses(t.client.create(`${dir}new`, { directory: true }), ...DENIED);
        await t.refuses(t.client.open(`${dir}new`, 'w', { create: true }), ...DENIED);
      }
      await t.refuses(t.client.remove('fixed/file'), ...DENIED);
      await t.refuses(t.client.remove('notes'), ...DENIED);
      await t.refuses(t.client.rename('fixed/file', 'fixed/new'), ...DENIED);
      await t.refuses(t.client.rename('notes', 'new'), ...DENIED);
      await t.client.writeFile('fixed/file', 'text\n', { create: true });
      assert.deepEqual(await names(''), ['fixed', 'notes', 'other']);
    });
  },
  () => ({ tree: notesTree }),
);

forEachDoor(
  'two who change one directory',
  t => {
    it('see at once what the other did, though they looked at it before', async () => {
      const other = direct(t);
      await t.refuses(t.client.stat('notes/a'), ...NOT_THERE);
      await other.writeFile('notes/a', 'one\n', { create: true });
      assert.equal(await t.text('notes/a'), 'one\n');
      assert.deepEqual(
        (await t.client.readdir('notes')).map(({ name }) => name),
        ['a'],
      );
      await other.rename('notes/a', 'notes/b');
      await t.refuses(t.client.stat('notes/a'), ...NOT_THERE);
      assert.equal(await t.text('notes/b'), 'one\n');
      await other.remove('notes/b');
      await t.refuses(t.client.open('notes/b'), ...NOT_THERE);
      await other.create('notes/b', { directory: true });
      assert.equal((await t.client.stat('notes/b')).isDirectory, true);
      await other.chmod('notes/b', 0o700);
      assert.equal((await t.client.stat('notes/b')).mode, 0o700);
    });

    it('see whose file a name is that was replaced by the other', async () => {
      const other = direct(t);
      for (const name of ['a', 'b']) await t.client.writeFile(`notes/${name}`, `${name}\n`, { create: true });
      await t.client.ls('notes');
      await other.rename('notes/b', 'notes/a');
      assert.equal(await t.text('notes/a'), 'b\n');
      await t.client.remove('notes/a');
      assert.deepEqual(await other.readdir('notes'), []);
    });
  },
  () => ({ tree: notesTree }),
);

/** One who comes in by another door. */
function direct(t: Fixture): Tree {
  return new DirectTree(t.server, t.server.owner);
}

forEachDoor(
  'a directory that is not everybody’s to change',
  t => {
    for (const [what, mode] of [
      ['w', 0o5],
      ['x', 0o6],
    ] as const) {
      it(`needs ${what} for each change`, async () => {
        await t.client.create('notes/a');
        await t.client.chmod('notes/a', 0o666);
        await t.client.chmod('notes', 0o770 | mode);
        const alice = await t.as(ALICE);
        await t.refuses(alice.create('notes/new'), ...DENIED);
        await t.refuses(alice.create('notes/new', { directory: true }), ...DENIED);
        await t.refuses(alice.open('notes/new', 'w', { create: true }), ...DENIED);
        await t.refuses(alice.remove('notes/a'), ...DENIED);
        await t.refuses(alice.rename('notes/a', 'notes/b'), ...DENIED);
        assert.deepEqual(
          (await t.client.readdir('notes')).map(({ name }) => name),
          ['a'],
        );
      });
    }

    it('opens what is made in a mode that its bits will not give again', async () => {
      await t.client.chmod('other', 0o777);
      const alice = await t.as(ALICE);
      const file = await alice.open('other/a', 'rw', { create: true });
      await file.write('text\n', 0);
      assert.equal((await file.read(10, 0)).toString(), 'text\n');
      await file.close();
      assert.equal((await alice.stat('other/a')).mode, READ_ONLY_BITS);
      await t.refuses(alice.open('other/a', 'w', { create: true }), ...DENIED);
      assert.equal(await t.text('other/a', alice), 'text\n');
    });

    it('gives a file to who makes it, who may do with it what its bits say', async () => {
      await t.client.chmod('notes', 0o777);
      const [alice, bob] = [await t.as(ALICE), await t.as(BOB)];
      await alice.writeFile('notes/hers', 'text\n', { create: true });
      const { uid, owner } = await alice.stat('notes/hers');
      assert.ok(uid === ALICE.uid || owner === ALICE.name);
      await t.refuses(bob.readFile('notes/hers'), ...DENIED);
      await t.refuses(bob.open('notes/hers', 'w', { create: true }), ...DENIED);
      // As on Unix: who may write to the directory.
      await bob.remove('notes/hers');
      await t.refuses(alice.stat('notes/hers'), ...NOT_THERE);
    });

    if (t.door !== '9P2000' && t.door !== '9P2000.u') {
      it('needs w on both directories of a move', async () => {
        await t.client.chmod('notes', 0o777);
        await t.client.chmod('other', 0o775);
        await t.client.create('other/there');
        const alice = await t.as(ALICE);
        await alice.create('notes/a');
        await t.refuses(alice.rename('notes/a', 'other/a'), ...DENIED);
        await t.refuses(alice.rename('notes/a', 'other/there'), ...DENIED);
        await t.refuses(alice.rename('other/there', 'notes/there'), ...DENIED);
      });
    }

    it('is not reached past a directory that may not be searched', async () => {
      await t.client.chmod('notes', 0o777);
      await t.client.create('notes/dir', { directory: true });
      await t.client.chmod('notes/dir', 0o777);
      await t.client.create('notes/dir/a');
      await t.client.chmod('notes', 0o770);
      const alice = await t.as(ALICE);
      await t.refuses(alice.create('notes/dir/new'), ...DENIED);
      await t.refuses(alice.remove('notes/dir/a'), ...DENIED);
    });
  },
  () => ({ tree: notesTree, owner: GLENDA, users: people }),
);

inProcess(
  'a directory that was moved',
  t => {
    const req = () => ({ caller: t.server.owner, signal: new AbortController().signal });

    it('leads no way out of what was attached', async () => {
      const { mount } = t.server;
      await t.client.create('notes/dir', { directory: true });
      const attached = await mount.attach('notes', req());
      const dir = await attached.walk(attached.root, 'dir', req());
      assert.equal(await attached.walk(dir, '..', req()), attached.root);
      await t.client.rename('notes/dir', 'other/dir');
      assert.throws(() => attached.walk(dir, '..', req()), { name: 'Eperm' });
      assert.throws(() => attached.open(dir, { read: true, write: false, truncate: false }, req()), {
        name: 'Eperm',
      });
      assert.throws(() => attached.create(dir, 'new', 'file', req()), { name: 'Eperm' });
      assert.throws(() => attached.rename(attached.root, 'x', dir, 'y', true, req()), { name: 'Eperm' });
    });
  },
  () => ({ tree: notesTree }),
);
