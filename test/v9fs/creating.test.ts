/** Files that come and go under Linux's own 9p file system, with a shell and its usual programs, in each dialect. */
import assert from 'node:assert/strict';
import { DIALECTS } from '../server/bytes.ts';
import { notesTree } from '../support/notes.ts';
import { Mounted } from './mounted.ts';

for (const dialect of DIALECTS) {
  describe(`files that come and go under Linux in ${dialect}`, () => {
    const m = new Mounted(dialect);
    /** Runs a script in an empty notes/ and gives what it printed. */
    const run = (script: string): Promise<string> => m.ok(`cd notes; rm -rf *; set -e\n${script}`);

    before(async function () {
      this.timeout(120_000);
      await m.start({ tree: notesTree });
    });
    after(() => m.stop());

    it('touch, > and >> make files', async () => {
      assert.equal(await run('touch a; stat -c "%a %s" a; ls'), '640 0\na\n');
      assert.equal(
        await run('echo one > a; cat a; echo two >> a; cat a; stat -c %s a'),
        'one\none\ntwo\n8\n',
      );
      assert.equal(await run('echo long text > a; echo x > a; cat a; stat -c %s a'), 'x\n2\n');
      assert.equal(await run('echo one >> a; echo two >> b; cat a b'), 'one\ntwo\n');
    });

    it('a descriptor that made a file reads what it wrote', async () => {
      assert.equal(await run('exec 5<>a; echo hello >&5; cat a; exec 5>&-; cat a'), 'hello\n');
    });

    it('a descriptor that made a file writes more, and others see its length', async () => {
      assert.equal(
        await run('exec 5>a; echo one >&5; echo two >&5; exec 5>&-; cat a; wc -c < a'),
        'one\ntwo\n8\n',
      );
    });

    it('mv renames and replaces', async () => {
      assert.equal(await run('echo a > a; mv a b; cat b; ls'), 'a\nb\n');
      assert.equal(await run('echo old > a; echo new > b; mv b a; cat a; ls; stat -c %s a'), 'new\na\n4\n');
      assert.equal(await run('echo old > a; exec 5<a; echo new > b; mv b a; cat <&5; cat a'), 'old\nnew\n');
    });

    it('rm removes, and who has a file open keeps it', async () => {
      assert.equal(await run('echo a > a; rm a; ls; ! cat a 2>/dev/null; echo b > a; cat a'), 'b\n');
      assert.equal(await run('echo a > a; exec 5<a; rm a; cat <&5; ls'), 'a\n');
    });

    it('mkdir and rmdir', async () => {
      assert.equal(await run('mkdir d; stat -c %a d; echo x > d/a; ls d; cat d/a'), '750\na\nx\n');
      assert.equal(await run('mkdir d; touch d/a; ! rmdir d 2>/dev/null; rm d/a; rmdir d; ls'), '');
      assert.equal(await run('mkdir -p d/e/f; echo x > d/e/f/a; rm -r d; ls'), '');
    });

    it('mv into another directory', async () => {
      assert.equal(await run('echo x > a; mkdir d; mv a d/b; cat d/b; ls'), 'x\nd\n');
      assert.equal(await run('echo x > a; mv a ../other/b; cat ../other/b; ls; rm ../other/b'), 'x\n');
    });

    it('sed -i, cp, and an editor that writes a new file and renames it', async () => {
      assert.equal(await run('printf "one\\ntwo\\n" > a; sed -i s/one/1/ a; cat a; ls'), '1\ntwo\na\n');
      assert.equal(await run('echo x > a; cp a b; cat b; cp b a; cat a'), 'x\nx\n');
      assert.equal(await run('echo x > a; mv a a~; echo y > a; cat a a~; rm a~; ls'), 'y\nx\na\n');
      assert.equal(
        await run('echo x > a; cp a a~; echo longer > a.new; mv a.new a; cat a a~'),
        'longer\nx\n',
      );
    });

    it('a name with @ in it is one', async () => {
      assert.equal(await run('echo x > a@b; cat a@b; ls; rm a@b; ls'), 'x\na@b\n');
    });

    it('set -C makes no file that is there', async () => {
      assert.equal(
        await run('echo x > a; set -C; ! (echo y > a) 2>/dev/null; cat a; echo z > b; cat b'),
        'x\nz\n',
      );
    });

    it('where nothing can be made, nothing is', async () => {
      const refused = 'Permission denied';
      for (const command of [
        'touch ../fixed/a',
        'mkdir ../fixed/d',
        'rm ../fixed/file',
        'mv ../fixed/file ../fixed/x',
      ]) {
        const output = await run(`LC_ALL=C ${command} 2>&1 || true`);
        assert.match(output, new RegExp(refused), command);
      }
      assert.equal(await run('ls ../fixed'), 'file\n');
    });

    it('another door’s changes are seen', async () => {
      const script = 'echo ready; until [ -e go ]; do :; done; cat a; ls -1';
      const printed = run(`echo old > a; cat a >/dev/null; ${script}`);
      await m.guest.says(/ready\n/);
      const { mount, owner } = m.server;
      const req = { caller: owner, signal: new AbortController().signal };
      const notes = await mount.walk(mount.root, 'notes', req);
      await mount.remove(notes, 'a', req);
      const handle = await mount.createOpen(
        notes,
        'a',
        'file',
        { read: true, write: true, truncate: false },
        req,
      );
      await handle.write(0, Buffer.from('a longer text\n'), req);
      await handle.flush?.(req);
      handle.close();
      await mount.create(notes, 'go', 'file', req);
      assert.equal(await printed, 'ready\na longer text\na\ngo\n');
    });
  });
}
