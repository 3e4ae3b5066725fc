/** `slashnet serve --policy`, as its users run it: what is loaded, read again and shown; and where the log goes. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { connect } from '../../src/client/index.ts';
import { eventually } from '../support/fixture.ts';
import { Process, run, type Outcome } from './process.ts';

const zone = (mode: string, lines = 'connect tcp!127.0.0.1!*'): string =>
  `zones: { lo: { mode: '${mode}', lines: '${lines}' } }\n`;

describe('slashnet serve --policy', function () {
  this.timeout(30_000);
  let dir: string;
  let path: string;
  let at: string;
  let started: Process[];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    path = join(dir, 'policy.yaml');
    at = `unix!${dir}/sock`;
    started = [];
  });

  afterEach(async () => {
    for (const { child, ended } of started) {
      child.kill('SIGTERM');
      await ended;
    }
    rmSync(dir, { recursive: true, force: true });
  });

  function start(...args: string[]): Process {
    const process = new Process(args);
    started.push(process);
    return process;
  }

  /** A server with this policy, which is listening. */
  async function serving(policy: string, ...args: string[]): Promise<Process> {
    writeFileSync(path, policy);
    const listen = /^listen:/m.test(policy) ? [] : ['--listen', at];
    const server = start('serve', '--policy', path, ...listen, ...args);
    await server.until('stderr', /listening/);
    return server;
  }

  const client = (command: string, ...args: string[]): Promise<Outcome> =>
    run([command, '--at', at, ...args]);

  async function ok(outcome: Promise<Outcome>): Promise<string> {
    const { code, stdout, stderr } = await outcome;
    assert.deepEqual([code, stderr], [0, '']);
    return stdout;
  }

  /** The log, followed. */
  const following = (): Process => start('log', '--at', at, '-f');

  /** By another in its place, as most editors do. */
  function replace(policy: string): void {
    writeFileSync(`${path}.new`, policy);
    renameSync(`${path}.new`, path);
  }

  const lo = async (): Promise<string> => (await ok(client('ls', '-l', 'zone'))).split(' ')[0]!;

  it('opens no door with a policy that is not sound, and tells all that is wrong', async () => {
    writeFileSync(path, 'files: { dns: { mode: 0660 } }\nzone: {}\n');
    const expected = [
      `${path}:1:23: 0660 is a decimal number to YAML; quote it: '0660'`,
      `${path}:2:1: 'zone' is no setting here; did you mean zones?`,
      '',
    ].join('\n');
    for (const more of [[], ['--background']]) {
      const { code, stderr } = await run(['serve', '--policy', path, '--listen', at, ...more]);
      assert.deepEqual([code, stderr.replace('slashnet: serve: ', '').trimEnd()], [1, expected.trimEnd()]);
      assert(!existsSync(join(dir, 'sock')));
    }
    const { code, stderr } = await run(['serve', '--policy', join(dir, 'none'), '--listen', at]);
    assert.deepEqual([code, stderr], [1, `${dir}/none:1:1: there is no such file\n`]);
  });

  it('has the zones of the policy and no other, and its modes', async () => {
    await serving(`files: { tcp/clone: { mode: '0640' } }\n${zone('0750')}`);
    assert.equal(await ok(client('ls', 'zone')), 'lo\n');
    assert.match(await ok(client('ls', '-l', 'tcp/clone')), /^-rw-r-----/);
    assert.match(await ok(client('explain', 'tcp!127.0.0.1!80')), /^yes: /);
    const { code, stdout } = await client('explain', 'tcp!127.0.0.2!80');
    assert.equal(code, 1);
    assert.match(stdout, /^no: /);
  });

  it('shows what it was started with, and the same when it is started with what it shows', async () => {
    const { username } = userInfo();
    const server = await serving(`files: { cs: { mode: '0664' } }\n${zone('0750')}`);
    const shown = await ok(run(['policy', 'show', '--at', at]));
    assert.match(shown, new RegExp(`cs: \\{ mode: '0664', owner: "${username}"`));
    assert.match(shown, /lo:\n {4}mode: '0750'\n/);
    server.child.kill('SIGTERM');
    await server.ended;
    at = `unix!${dir}/again`;
    await serving(shown);
    assert.equal(await ok(run(['policy', 'show', '--at', at])), shown);
  });

  it('shows that there are no zones, for without a word of them everything is allowed', async () => {
    await serving('zones: {}');
    assert.match(await ok(run(['policy', 'show', '--at', at])), /^zones: \{\}$/m);
  });

  it('listens where the policy says, unless the command line does', async () => {
    await serving(`listen: unix!${dir}/sock\n`);
    await ok(client('ls', 'zone'));
    at = `unix!${dir}/other`;
    const server = start('serve', '--policy', path, '--listen', at);
    const [said] = await server.until('stderr', /listening at .*\n/);
    assert.equal(said, `listening at ${at}\n`);
  });

  it('reads it again when it is replaced, and when it is written in place', async () => {
    await serving(zone('0700'));
    const log = following();
    replace(zone('0750'));
    await log.until('stdout', /verb=policy .*verdict=allowed .*zone lo mode 0750/);
    assert.equal(await lo(), '-rwxr-x---');
    writeFileSync(path, zone('0755'));
    await log.until('stdout', /verb=policy .*verdict=allowed .*zone lo mode 0755/);
    assert.equal(await lo(), '-rwxr-xr-x');
  });

  it('reads a file that is included again, too', async () => {
    writeFileSync(join(dir, 'more.zone'), 'connect tcp!127.0.0.1!*\n');
    await serving('zones: { lo: { include: more.zone } }');
    const log = following();
    writeFileSync(join(dir, 'more.zone'), 'connect tcp!127.0.0.2!*\n');
    await log.until('stdout', /verb=policy .*zone lo lines changed/);
    assert.equal(await ok(client('cat', 'zone/lo')), 'connect tcp!127.0.0.2!*\n');
  });

  it('goes on with the last good one when it is not sound any more, and says so in both logs', async () => {
    const server = await serving(zone('0755'));
    const log = following();
    const broken: readonly (readonly [string, string])[] = [
      [`${zone('0700')}bad: 1\n`, ":2:1: 'bad' is no setting here"],
      ['', ':1:1: the file is empty'],
      ['zones: {', ':1:9: '],
    ];
    for (const [text, reason] of broken) {
      replace(text);
      const told = new RegExp(`${path}${reason}`.replaceAll('.', '\\.'));
      const [line] = await log.until('stdout', new RegExp(`verb=policy .*verdict=refused .*${told.source}`));
      assert.match(line, / dest=\S+policy\.yaml /);
      await server.until('stderr', new RegExp(`the policy is not sound: ${told.source}`));
      assert.equal(await lo(), '-rwxr-xr-x');
    }
    rmSync(path);
    await log.until('stdout', /there is no such file/);
    assert.match(await ok(client('explain', 'tcp!127.0.0.1!80')), /^yes: /);
    replace(zone('0700'));
    await log.until('stdout', /zone lo mode 0700/);
    assert.equal(await lo(), '-rwx------');
  });

  it('reads it at SIGHUP, and leaves what it says as before', async () => {
    const server = await serving(`files: { cs: { mode: '0660' } }\n${zone('0755')}`);
    await ok(client('chmod', '600', 'cs'));
    await ok(client('chmod', '700', 'zone/lo'));
    await ok(client('write', 'zone/own', 'resolve own.test'));
    const log = following();
    server.child.kill('SIGHUP');
    await log.until('stdout', /verb=policy .*what="nothing new"/);
    assert.equal(await lo(), '-rwx------');
    assert.match(await ok(client('ls', '-l', 'cs')), /^-rw-------/);
    assert.equal(await ok(client('ls', 'zone')), 'lo\nown\n');
  });

  it('writes the log to the files that are named, and to new ones when those are moved away', async () => {
    const [ours, theirs] = [join(dir, 'ours.log'), join(dir, 'theirs.log')];
    const server = await serving(`log: { file: theirs.log }\n${zone('0700')}`, '--net-log', ours);
    const has = (file: string, pattern: RegExp): Promise<void> =>
      eventually(() => Promise.resolve(existsSync(file) && pattern.test(readFileSync(file, 'utf8'))));
    for (const file of [ours, theirs]) await has(file, /verb=policy .*zone lo added/);
    for (const file of [ours, theirs]) renameSync(file, `${file}.1`);
    server.child.kill('SIGHUP');
    for (const file of [ours, theirs]) await has(file, /^time=\S+ verb=policy .*nothing new"\n$/);
    replace(zone('0755'));
    await has(ours, /log changed/);
    server.child.kill('SIGTERM');
    assert.equal((await server.ended).code, 0);
    assert.equal(readFileSync(`${theirs}.1`, 'utf8'), readFileSync(`${ours}.1`, 'utf8'));
  });

  it('has all lines in the file when it has ended', async () => {
    const file = join(dir, 'net.log');
    const server = await serving(zone('0700'), '--net-log', file);
    for (const mode of ['711', '755', '700']) await ok(client('chmod', mode, 'zone/lo'));
    server.child.kill('SIGTERM');
    await server.ended;
    assert.match(readFileSync(file, 'utf8'), /mode=0711 .*\n.*mode=0755 .*\n.*mode=0700 .*\n$/);
  });

  it('ends though nobody reads the FIFO that the log goes to', async () => {
    execFileSync('mkfifo', [join(dir, 'fifo')]);
    const server = await serving(zone('0700'), '--net-log', join(dir, 'fifo'));
    await server.until('stderr', /cannot be written/);
    server.child.kill('SIGTERM');
    assert.equal((await server.ended).code, 0);
  });
});

describe('slashnet write', () => {
  it('tells where to look for what is wrong with the lines of a zone', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    const at = ['--at', `unix!${dir}/sock`];
    const server = new Process(['serve', '--listen', `unix!${dir}/sock`]);
    await server.until('stderr', /listening/);
    try {
      const { code, stderr } = await run(['write', ...at, '/net/zone/lan', 'connect tcp!10.0.0.5!0']);
      assert.deepEqual(
        [code, stderr],
        [
          1,
          'slashnet: write /net/zone/lan: syntax error; line, column and reason are in the log: slashnet log\n',
        ],
      );
      const { stdout } = await run(['log', ...at]);
      assert.match(stdout, /verb=zone zone=lan verdict=refused reason="line 1, column 22: port 0 is no port/);
    } finally {
      server.child.kill('SIGTERM');
      await server.ended;
      rmSync(dir, { recursive: true });
    }
  });
});

describe('slashnet explain', () => {
  it('answers of others, and in a view', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    const at = `unix!${dir}/sock`;
    const server = new Process(['serve', '--listen', at]);
    await server.until('stderr', /listening/);
    const client = await connect(at);
    try {
      const { name } = await client.open('view/clone', 'rw').then(async file => {
        await file.write('allow tcp!127.0.0.1!80\n');
        return { name: `view/${(await file.read(16, 0)).toString()}` };
      });
      const explain = async (...args: string[]): Promise<string> => {
        const { code, stdout, stderr } = await run(['explain', '--at', at, ...args]);
        assert.equal(stderr, '');
        assert.equal(code, stdout.startsWith('yes: ') ? 0 : 1);
        return stdout;
      };
      assert.match(await explain('--in', name, 'tcp!127.0.0.1!80'), /^yes: /);
      assert.match(await explain('--in', `/net/${name}`, 'connect', 'tcp!127.0.0.1!81'), /^no: /);
      assert.match(await explain('announce', 'tcp!*!80'), /^yes: .* announce /);
      assert.match(await explain('resolve', 'example.test'), /^(yes|no): /);
      await client.chmod('tcp/clone', 0o600);
      assert.match(await explain('--user', 'nobody', 'tcp!127.0.0.1!80'), /^no: nobody needs /);
      assert.match(
        await explain('--user', 'none', 'tcp!127.0.0.1!80'),
        /^no: none needs .* on tcp\/clone, mode 0600, .*; to allow: chmod o\+rw \/net\/tcp\/clone$/m,
      );
      const { code, stdout, stderr } = await run(['explain', '--at', at, '--user', 'no-such', 'tcp!x!1']);
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, /unknown user/);
    } finally {
      client.close();
      server.child.kill('SIGTERM');
      await server.ended;
      rmSync(dir, { recursive: true, force: true });
    }
  });

  for (const args of [[], ['a', 'tcp!x!1'], ['connect', 'tcp!x!1', 'more']]) {
    it(`ends with 2 on explain ${args.join(' ')}`, async () => {
      const { code, stdout } = await run(['explain', ...args]);
      assert.deepEqual([code, stdout], [2, '']);
    });
  }
});
