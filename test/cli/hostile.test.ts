/** The commands against a server that lies. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostUsers } from '../../src/host/users.ts';
import type { Door } from '../../src/server/transport/door.ts';
import { unixDoor } from '../../src/server/transport/unix.ts';
import { madeUp, type Claims, type MadeUp } from '../support/madeup.ts';
import { run, type Outcome } from './process.ts';

const CLEAR = '\x1b[2J';
const EVIL = `evil${CLEAR}\u009b31m\u202e\r`;

const conversation = (text: string): MadeUp => ({ status: text, local: `${text}\n`, remote: `${text}\n` });

/** What a terminal would obey. */
function assertPlain(text: string): void {
  assert.doesNotMatch(text, /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/);
}

describe('the commands and a server that lies', () => {
  let dir: string;
  let door: Door | undefined;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
  });

  afterEach(() => {
    door?.close();
    rmSync(dir, { recursive: true });
  });

  async function against(content: MadeUp, claims: Claims, ...[command, ...args]: string[]): Promise<Outcome> {
    const how = { mode: 0o600, squash: false, users: hostUsers() };
    const serve = madeUp(content, claims);
    door = await unixDoor(join(dir, 'sock'), how, (...client) => void serve(...client));
    return run([command!, '--at', `unix!${dir}/sock`, ...args]);
  }

  it('netstat lets nothing of it move the cursor, and one line stays one', async () => {
    const { code, stdout, stderr } = await against(
      { [`tcp${EVIL}`]: { 0: conversation(`${EVIL}\nInjected`) } },
      { owner: EVIL },
      'netstat',
    );
    assert.deepEqual([code, stderr, stdout.trimEnd().split('\n').length], [0, '', 2]);
    assertPlain(stdout);
  });

  it('netstat tells of a time that is none, and of numbers that are none', async () => {
    const tree = {
      tcp: { 0: conversation('Open in 99999999999999999999 out x'), [`9${'9'.repeat(200)}`]: {} },
    };
    const claims = { since: Number.MAX_SAFE_INTEGER };
    const table = await against(tree, claims, 'netstat', '--dialect', '9P2000.L');
    assert.deepEqual([table.code, table.stderr], [0, '']);
    assert.match(table.stdout, / \?\n$/);
    door!.close();
    const { code, stdout } = await against(tree, claims, 'netstat', '--json', '--dialect', '9P2000.L');
    assert.equal(code, 0);
    const [one] = JSON.parse(stdout) as { since: unknown; bytesOut: unknown }[];
    assert.deepEqual([one!.since, one!.bytesOut], [null, null]);
  });

  it('netstat --json escapes what a terminal would obey', async () => {
    const { code, stdout } = await against(
      { tcp: { 0: conversation(EVIL) } },
      { owner: EVIL },
      'netstat',
      '--json',
    );
    assert.equal(code, 0);
    assertPlain(stdout);
    assert.equal((JSON.parse(stdout) as { owner: string }[])[0]!.owner, EVIL);
  });

  it('ls and stat let nothing of it move the cursor', async () => {
    const tree = { [EVIL]: 'x' };
    for (const args of [['ls'], ['ls', '-l'], ['stat', '/']]) {
      const { code, stdout } = await against(tree, { owner: EVIL }, ...args);
      assert.equal(code, 0);
      assertPlain(stdout);
      door!.close();
    }
  });

  it('an error lets nothing of it move the cursor', async () => {
    const { code, stderr } = await against({ dns: 'x', cs: 'x' }, {}, 'resolve', 'example.org');
    assert.equal(code, 1);
    assertPlain(stderr);
  });
});
