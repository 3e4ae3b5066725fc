/** slashnet policy, as its users run it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostUsers } from '../../src/host/users.ts';
import { loadPolicy, type Policy } from '../../src/policy/config/index.ts';
import type { Door } from '../../src/server/transport/door.ts';
import { unixDoor } from '../../src/server/transport/unix.ts';
import { madeUp, type MadeUp } from '../support/madeup.ts';
import { run, Served, type Outcome } from './process.ts';

const me = hostUsers().byId(process.getuid!())!;

async function load(text: string): Promise<Policy> {
  const loaded = await loadPolicy('/p.yaml', { users: hostUsers(), read: () => Buffer.from(text) });
  if ('errors' in loaded) assert.fail(`${text}\n${JSON.stringify(loaded.errors)}`);
  return loaded.policy;
}

describe('slashnet policy check', () => {
  let dir: string;
  let path: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    path = join(dir, 'policy.yaml');
  });

  afterEach(() => rmSync(dir, { recursive: true }));

  it('says of a sound file how much is in it, and ends with 0', async () => {
    writeFileSync(join(dir, 'more.zone'), '# comment\n\nconnect tcp!192.0.2.7!80\n');
    writeFileSync(path, "zones:\n  a: { lines: '' }\n  b: { lines: resolve *, include: more.zone }\n");
    const { code, stdout, stderr } = await run(['policy', 'check', path]);
    assert.deepEqual([code, stdout, stderr], [0, `${path}: sound: 2 zones, 2 lines\n`, '']);
  });

  it('prints every error as FILE:LINE:COLUMN: reason, in included files too, and ends with 1', async () => {
    writeFileSync(join(dir, 'more.zone'), 'connect tcp!192.0.2.7!80\nbad\n');
    writeFileSync(path, 'files:\n  dns: { mode: 0660 }\nzones:\n  a: { include: more.zone, ower: root }\n');
    const { code, stdout, stderr } = await run(['policy', 'check', path]);
    assert.deepEqual([code, stdout], [1, '']);
    assert.deepEqual(stderr.split('\n'), [
      `${path}:2:16: 0660 is a decimal number to YAML; quote it: '0660'`,
      `${path}:4:28: 'ower' is no setting here; did you mean owner?`,
      `${dir}/more.zone:2:1: 'bad' is no verb; write connect, announce, accept or resolve`,
      '',
    ]);
  });

  it('prints what docs/policy-file.md shows', async () => {
    const page = readFileSync(new URL('../../docs/policy-file.md', import.meta.url), 'utf8');
    const [, shown] = /^\$ slashnet policy check policy.yaml\n(.*?)```$/ms.exec(page)!;
    writeFileSync(join(dir, 'github.zone'), 'connect tcp!example.com\n');
    const lines = ['files:', '  cs: {}', '  tcp/clone: { mode: 0660 }', 'zones:', '  lan:', '    lines: |'];
    lines.push('      connect tcp!10.0.0.0/8!22', '  github:', '    ower: root', '    lines: |');
    writeFileSync(
      path,
      [...lines, '       conect tcp!github.com!22', '    include: github.zone', ''].join('\n'),
    );
    const { stderr } = await run(['policy', 'check', path]);
    assert.equal(stderr.replaceAll(path, 'policy.yaml').replaceAll(dir, '/etc/slashnet'), shown);
  });

  it('does not wait for a FIFO, and tells of a file that is not there', async () => {
    execFileSync('mkfifo', [path]);
    for (const [file, reason] of [
      [path, 'this is not a plain file'],
      [join(dir, 'none'), 'there is no such file'],
    ] as const) {
      const { code, stderr } = await run(['policy', 'check', file]);
      assert.deepEqual([code, stderr], [1, `${file}:1:1: ${reason}\n`]);
    }
  });

  it('moves no cursor, whatever is in the file and in its name', async () => {
    const evil = join(dir, 'a\x1b[2J\u009b\u202e');
    writeFileSync(evil, 'files: { "x\\e[2J\\u202e": {} }\nzones: { a: { include: "\\e[2J" } }\n');
    const { code, stderr } = await run(['policy', 'check', evil]);
    assert.equal(code, 1);
    assert.doesNotMatch(stderr, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
    assert.equal(stderr.trimEnd().split('\n').length, 2);
  });

  for (const args of [['policy'], ['policy', 'check'], ['policy', 'chekc', 'x'], ['policy', 'show', 'x']]) {
    it(`ends with 2 on ${args.join(' ')}`, async () => {
      const { code, stdout } = await run(args);
      assert.deepEqual([code, stdout], [2, '']);
    });
  }
});

describe('slashnet policy show', () => {
  let dir: string;
  let door: Door | undefined;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
  });

  afterEach(() => {
    door?.close();
    rmSync(dir, { recursive: true });
  });

  async function show(content: MadeUp, dialect = '9P2000.u'): Promise<Outcome> {
    const serve = madeUp(content);
    const how = { mode: 0o600, squash: false, users: hostUsers() };
    door = await unixDoor(join(dir, 'sock'), how, (...client) => void serve(...client));
    return run(['policy', 'show', '--at', `unix!${dir}/sock`, '--dialect', dialect]);
  }

  for (const dialect of ['9P2000', '9P2000.u', '9P2000.L']) {
    it(`prints files and zones as a policy that says the same, over ${dialect}`, async () => {
      const zone = { github: '# git\n\nconnect tcp!github.com!22,443\n', empty: '' };
      const tree = { tcp: { clone: '', 0: {} }, dns: '', ipifc: {}, zone };
      const { code, stdout, stderr } = await show(tree, dialect);
      assert.deepEqual([code, stderr], [0, '']);
      const mine = { owner: me.uid, group: me.gid };
      const policy = await load(stdout);
      assert.deepEqual(
        policy.files,
        new Map([
          ['tcp', { mode: 0o555, ...mine }],
          ['zone', { mode: 0o555, ...mine }],
          ['tcp/clone', { mode: 0o444, ...mine }],
          ['dns', { mode: 0o444, ...mine }],
        ]),
      );
      assert.deepEqual(
        policy.zones,
        new Map([
          ['github', { mode: 0o444, ...mine, lines: zone.github }],
          ['empty', { mode: 0o444, ...mine, lines: '' }],
        ]),
      );
    });
  }

  it('leaves out what editors leave in the directory of zones', async () => {
    const { code, stdout } = await show({ zone: { a: '', 'a~': 'x', '.a.swp': 'x', '#a#': 'x' } });
    assert.equal(code, 0);
    assert.deepEqual([...(await load(stdout)).zones!.keys()], ['a']);
  });

  it('moves no cursor, whatever the server says', async () => {
    const { code, stdout, stderr } = await show({ zone: { a: 'x\x1b[2J\u009b31m\u202e\r\n' } });
    assert.equal(code, 0);
    assert.doesNotMatch(stdout + stderr, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
  });

  it('tells how the server began, as a file that is sound', async () => {
    const served = new Served();
    await served.start();
    try {
      const { code, stdout } = await run(['policy', 'show', '--at', served.at]);
      assert.equal(code, 0);
      const { files } = await load(stdout);
      assert.deepEqual(files.get('tcp/clone'), { mode: 0o600, owner: me.uid, group: me.gid });
      const path = join(served.dir, 'now.yaml');
      writeFileSync(path, stdout);
      assert.equal((await run(['policy', 'check', path])).code, 0);
    } finally {
      await served.stop();
    }
  });
});
