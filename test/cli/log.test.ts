/** `slashnet log` against a tree that has only a log. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostUsers } from '../../src/host/users.ts';
import { Journal, LogFile } from '../../src/netfs/log.ts';
import { Mount } from '../../src/netfs/mount.ts';
import { Qids } from '../../src/netfs/qid.ts';
import { RootDir } from '../../src/netfs/root.ts';
import { Authority } from '../../src/policy/permissions.ts';
import { Locks } from '../../src/server/9p/locks.ts';
import { DEFAULT_LIMITS, Session } from '../../src/server/9p/session.ts';
import { silent } from '../../src/log.ts';
import type { Door } from '../../src/server/transport/door.ts';
import { unixDoor } from '../../src/server/transport/unix.ts';
import { madeUp } from '../support/madeup.ts';
import { Process, run, type Outcome } from './process.ts';

const TIME = Date.UTC(2026, 10, 25, 10);
const STAMP = 'time=2026-11-25T10:00:00.000Z';

describe('slashnet log', () => {
  let dir: string;
  let door: Door | undefined;
  let journal: Journal;
  let time: number;
  const users = hostUsers();

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    time = TIME;
    journal = new Journal({ now: () => time });
  });
  afterEach(() => {
    door?.close();
    rmSync(dir, { recursive: true });
  });

  const how = { mode: 0o600, squash: false, users };

  async function serve(): Promise<void> {
    const authority = new Authority(users.byId(process.getuid!())!);
    const top = { qids: new Qids(0), permissions: authority.file(0o555), since: 0 };
    const root = new RootDir(top, parent => [
      new LogFile(parent, journal, { path: 31, authority, since: 0 }),
    ]);
    const locks = new Locks();
    door = await unixDoor(join(dir, 'sock'), how, (stream, peer, direct) => {
      const options = { mount: new Mount(root, authority), users, peer, locks, log: silent };
      new Session(stream, { ...options, limits: DEFAULT_LIMITS, direct });
    });
  }

  const args = (...rest: string[]): string[] => ['log', '--at', `unix!${dir}/sock`, ...rest];
  const log = (...rest: string[]): Promise<Outcome> => run(args(...rest));

  it('prints what is there and ends', async () => {
    journal.write({ verb: 'connect', user: 'alice' });
    journal.write({ verb: 'hangup' });
    await serve();
    for (const dialect of ['9P2000', '9P2000.u', '9P2000.L']) {
      assert.deepEqual(await log('--dialect', dialect), {
        code: 0,
        signal: null,
        stdout: `${STAMP} verb=connect user=alice\n${STAMP} verb=hangup\n`,
        stderr: '',
      });
    }
  });

  it('prints nothing where nothing has happened', async () => {
    await serve();
    const { code, stdout, stderr } = await log('/net/log');
    assert.deepEqual([code, stdout, stderr], [0, '', '']);
  });

  it('prints a log that is larger than a message, to its end', async () => {
    for (let n = 0; n < 8000; n++) journal.write({ n, reason: 'x'.repeat(50) });
    await serve();
    const { stdout } = await log();
    assert.equal(stdout.split('\n').length, 8001);
    assert.match(stdout, / n=7999 reason=x+\n$/);
  });

  it('ends though new lines come as fast as it reads', async () => {
    journal.write({ n: 0 });
    await serve();
    // No read ever waits: each turn of the event loop has something new.
    let busy = true;
    const turn = (): void => {
      time += 10;
      journal.write({ n: 1 });
      if (busy) setImmediate(turn);
    };
    turn();
    try {
      assert.equal((await log()).code, 0);
    } finally {
      busy = false;
    }
  });

  it('goes on with what happens when it follows', async () => {
    journal.write({ n: 1 });
    await serve();
    const following = new Process(args('-f'));
    await following.until('stdout', / n=1\n/);
    journal.write({ n: 2 });
    await following.until('stdout', / n=1\n.* n=2\n/);
    following.child.kill('SIGINT');
    await following.ended;
  });

  it('says why it cannot be read', async () => {
    await serve();
    const { code, stderr } = await log('view/3/log');
    assert.equal(code, 1);
    assert.match(stderr, /^slashnet: .*file does not exist\n$/);
  });

  it('lets nothing of a server that lies move the cursor', async () => {
    const lying = madeUp({ log: 'verb=x\x1b[2J\u009b31m\r\nnext\u202e\u2028' });
    door = await unixDoor(join(dir, 'sock'), how, (...client) => void lying(...client));
    const { code, stdout } = await log();
    assert.deepEqual([code, stdout], [0, 'verb=x?[2J?31m?\nnext??\n']);
  });
});
