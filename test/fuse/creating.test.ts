/** What only a mount shows of files that come and go: open(2)'s and renameat2(2)'s flags, and what a shell does. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { text } from 'node:stream/consumers';
import { notesTree } from '../support/notes.ts';
import { onFuse, type FuseFixture } from '../support/fixture.ts';

const { O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } = constants;
const TAKEN = ['file already exists', 'EEXIST'] as const;
const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;

const tree = () => ({ tree: notesTree });

onFuse(
  'a descriptor of a file that comes and goes',
  t => {
    it('is made with O_EXCL only where there is no file', async () => {
      await (await t.client.openWith('notes/a', O_CREAT | O_EXCL | O_RDWR)).close();
      await t.refuses(t.client.openWith('notes/a', O_CREAT | O_EXCL | O_RDWR), ...TAKEN);
      await t.refuses(t.client.openWith('notes', O_CREAT | O_EXCL | O_RDWR), ...TAKEN);
    });

    it('empties the file with O_CREAT and O_TRUNC', async () => {
      await t.client.writeFile('notes/a', 'old\n', { create: true });
      const file = await t.client.openWith('notes/a', O_CREAT | O_TRUNC | O_WRONLY);
      await file.close();
      assert.equal(await t.text('notes/a'), '');
    });

    it('is told by fstat of its own file, though another has its name', async () => {
      await t.client.writeFile('notes/a', 'old text\n', { create: true });
      const file = await t.client.openWith('notes/a', O_RDONLY);
      const { qid, length } = await file.stat();
      await t.client.remove('notes/a');
      await t.client.create('notes/a');
      assert.deepEqual([(await file.stat()).qid, (await file.stat()).length], [qid, length]);
      assert.notEqual((await t.client.stat('notes/a')).qid.path, qid.path);
      await t.client.chmod('notes/a', 0o600);
      assert.equal((await file.stat()).mode, 0o640);
    });

    it('mknod makes a file, and nothing else', async () => {
      await t.client.call('mknod', 'notes/a');
      assert.equal((await t.client.stat('notes/a')).isDirectory, false);
      await t.refuses(t.client.call('mknod', 'notes/a'), ...TAKEN);
      const denied = ['permission denied', 'EACCES'] as const;
      await t.refuses(t.client.call('symlink', ['notes/a', 'notes/b']), ...denied);
      await t.refuses(t.client.call('link', ['notes/a', 'notes/b']), ...denied);
    });

    it('unlink is for files and rmdir for directories', async () => {
      await t.client.create('notes/a');
      await t.client.create('notes/d', { directory: true });
      await t.refuses(t.client.call('unlink', 'notes/d'), 'is a directory', 'EISDIR');
      await t.refuses(t.client.call('rmdir', 'notes/a'), 'not a directory', 'ENOTDIR');
    });

    it('renameat2 replaces nothing where it must not, and exchanges nothing', async () => {
      for (const name of ['a', 'b']) await t.client.writeFile(`notes/${name}`, `${name}\n`, { create: true });
      const rename = (to: string, flags: number) => t.client.call('rename', ['notes/a', to], { a: flags });
      await t.refuses(rename('notes/b', RENAME_NOREPLACE), ...TAKEN);
      await t.refuses(rename('notes/b', RENAME_EXCHANGE), 'bad arg in system call', 'EINVAL');
      await rename('notes/c', RENAME_NOREPLACE);
      assert.deepEqual([await t.text('notes/b'), await t.text('notes/c')], ['b\n', 'a\n']);
    });
  },
  tree,
);

/** A shell's script in notes/; what it prints. It must end well. */
async function run(t: FuseFixture, script: string): Promise<string> {
  const { pid, dir } = t.client.client;
  const user = process.getuid!() === 0 ? [] : ['-U', '--preserve-credentials'];
  const shell = ['sh', '-c', `exec 2>&1; cd ${dir}/notes; set -e\n${script}`];
  const child = spawn('nsenter', ['-t', String(pid), '-m', ...user, '--', ...shell], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const status = new Promise(resolve => child.once('close', resolve));
  const printed = await text(child.stdout);
  assert.equal(await status, 0, `${script}\nprinted: ${printed}`);
  return printed;
}

/** Scripts, and what they print. */
const SCRIPTS: Readonly<Record<string, readonly (readonly [script: string, printed: string])[]>> = {
  'touch, > and >> make files': [
    ['touch a; stat -c "%a %s" a; ls', '640 0\na\n'],
    ['echo long text > a; echo x > a; cat a; stat -c %s a', 'x\n2\n'],
    ['echo y >> a; cat a; echo z >> b; cat b', 'x\ny\nz\n'],
  ],
  'mv renames and replaces': [
    ['echo old > a; exec 5<a; echo new > b; mv b a; cat <&5; cat a; ls', 'old\nnew\na\n'],
    ['mv -n a b; ls; mkdir d; mv b d; cat d/b; mv d/b ../other; cat ../other/b; ls d', 'b\nnew\nnew\n'],
  ],
  'rm removes, and who has a file open keeps it': [
    ['echo x > a; exec 5<a; rm a; cat <&5; ls; ! cat a 2>/dev/null; echo y > a; cat a', 'x\ny\n'],
  ],
  'mkdir and rmdir': [
    ['mkdir -p d/e; touch d/e/f; ! rmdir d 2>/dev/null; find d | sort', 'd\nd/e\nd/e/f\n'],
    ['rm -r d; ls', ''],
  ],
  'sed -i edits': [['printf "one\\ntwo\\n" > a; sed -i s/one/1/ a; cat a; ls', '1\ntwo\na\n']],
  'cp copies': [['echo x > a; cp a b; cat b; echo longer > a; cp a b; cat b; ls', 'x\nlonger\na\nb\n']],
  'an editor keeps a copy of what was there': [
    ['echo x > a; mv a a~; echo y > a; cat a a~; rm a~; ls', 'y\nx\na\n'],
    ['cp a a~; echo z > .a.swp; mv .a.swp a; cat a a~; ls -A', 'z\ny\na\na~\n'],
  ],
  'set -C makes no file that is there': [
    ['echo x > a; set -C; ! (echo y > a) 2>/dev/null; cat a; echo z > b; cat b', 'x\nz\n'],
  ],
};

onFuse(
  'a shell in a directory whose files come and go',
  t => {
    for (const [what, scripts] of Object.entries(SCRIPTS)) {
      it(what, async () => {
        for (const [script, printed] of scripts) assert.equal(await run(t, script), printed, script);
      });
    }
  },
  tree,
);
