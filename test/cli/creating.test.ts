/** The commands that make, move and remove files, on a server of this process's. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server } from '../../src/server/server.ts';
import { unixDoor } from '../../src/server/transport/unix.ts';
import { notesTree } from '../support/notes.ts';
import { run, type Outcome } from './process.ts';

describe('files that come and go, by commands', () => {
  let dir: string;
  let server: Server;

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    server = new Server({ tree: notesTree });
    const door = { mode: 0o600, squash: false, users: server.users };
    await server.addDoor(onClient => unixDoor(join(dir, 'sock'), door, onClient));
  });
  afterEach(() => {
    server.close();
    rmSync(dir, { recursive: true });
  });

  const slashnet = (command: string, ...args: string[]): Promise<Outcome> =>
    run([command, '--at', `unix!${join(dir, 'sock')}`, ...args]);

  async function ok(command: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await slashnet(command, ...args);
    assert.deepEqual([code, stderr], [0, '']);
    return stdout;
  }

  async function refused(sentence: string, command: string, ...args: string[]): Promise<void> {
    const { code, stderr } = await slashnet(command, ...args);
    assert.deepEqual([code, stderr], [1, `slashnet: ${sentence}\n`]);
  }

  it('touch makes files, and leaves those that are there', async () => {
    await ok('touch', 'notes/a', '/net/notes/b');
    await ok('write', 'notes/a', 'text');
    await ok('touch', 'notes/a', 'fixed/file');
    assert.equal(await ok('cat', 'notes/a', 'notes/b'), 'text\n');
    await refused('touch fixed/new: permission denied', 'touch', 'fixed/new');
    await refused('touch none/new: file does not exist', 'touch', 'none/new');
  });

  it('write makes the file that it writes to', async () => {
    await ok('write', 'notes/a', 'one', 'two');
    await ok('write', 'notes/a', 'three');
    assert.equal(await ok('cat', 'notes/a'), 'three\n');
    await refused('write fixed/new: permission denied', 'write', 'fixed/new', 'x');
  });

  it('mkdir makes directories, and rm removes them when nothing is in them', async () => {
    await ok('mkdir', 'notes/d');
    await ok('touch', 'notes/d/a');
    await refused('mkdir notes/d: file already exists', 'mkdir', 'notes/d');
    await refused('rm notes/d: directory not empty', 'rm', 'notes/d');
    await ok('rm', 'notes/d/a', 'notes/d');
    assert.equal(await ok('ls', 'notes'), '');
    await refused('rm fixed/file: permission denied', 'rm', 'fixed/file');
  });

  it('mv renames, replaces, and moves to another directory', async () => {
    await ok('write', 'notes/a', 'a');
    await ok('write', 'notes/b', 'b');
    await ok('mv', 'notes/a', '/net/notes/b');
    assert.equal(await ok('cat', 'notes/b'), 'a\n');
    await ok('mv', 'notes/b', 'other/c');
    assert.equal(await ok('ls', 'notes', 'other'), 'notes:\n\nother:\nc\n');
    await refused('mv notes/b: file does not exist', 'mv', 'notes/b', 'notes/d');
    await refused('mv other/c: permission denied', 'mv', 'other/c', 'fixed/c');
  });

  it('chown gives files to users and groups', async () => {
    await ok('touch', 'notes/a');
    const [uid, gid] = [process.getuid!(), process.getgid!()];
    for (const owner of [`${uid}`, `${uid}:${gid}`, `:${gid}`, server.owner.name])
      await ok('chown', owner, 'notes/a');
    await refused('chown notes/a: unknown user', 'chown', 'no-such-user', 'notes/a');
    await refused('chown notes/a: unknown user', 'chown', `${uid}:no-such-group`, 'notes/a');
  });
});
