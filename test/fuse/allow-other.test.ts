/**
 * The promise of permissions and zones, kept to real users: a server of root's that everybody may come to,
 * mounted with --allow-other and at a socket.
 */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { need, needFuse } from '../support/packages.ts';
import { Remote } from '../support/remote.ts';
import { isRoot, type Lines, mounterIn, Namespace, sourcesIn } from './namespace.ts';

const TEAM = 72000;
const MEMBER = { uid: 74321, groups: [TEAM] };
const OTHER = { uid: 74322, groups: [] };

type User = typeof MEMBER | typeof OTHER;

const by = ({ uid, groups }: User): string[] => [
  'setpriv',
  `--reuid=${uid}`,
  `--regid=${uid}`,
  groups.length > 0 ? `--groups=${groups.join(',')}` : '--clear-groups',
];

const POLICY = `
files:
  tcp/clone: { mode: '0666' }
zones:
  web: { mode: '0700', lines: 'connect tcp!127.0.0.1!*' }
`;

describe('a server of root’s for everybody', function () {
  this.timeout(60_000);
  let work: string;
  let net: string;
  let ns: Namespace;
  let remote: Remote;

  before(async function () {
    if (!isRoot) this.skip();
    this.timeout(120_000);
    needFuse();
    need({ bash: 'bash' });
    work = mkdtempSync(join(tmpdir(), 'slashnet-'));
    chmodSync(work, 0o755);
    net = join(work, 'net');
    mkdirSync(net);
    writeFileSync(join(work, 'policy.yaml'), POLICY);
    ns = await Namespace.make(['-m'], mounterIn(work).script);
  });

  beforeEach(async () => {
    remote = await Remote.listen();
    const doors = ['--listen', `unix!${work}/sock`, '--socket-mode', '666', '--mount', net, '--allow-other'];
    const server = slashnet(undefined, 'serve', '--policy', join(work, 'policy.yaml'), ...doors);
    await server.says('slashnet: listening at');
    await server.says('slashnet: mounted on');
    ended = async () => {
      server.child.kill('SIGTERM');
      await server.closed;
      assert.equal(server.child.exitCode, 0);
    };
  });
  let ended: () => Promise<void>;

  afterEach(async () => {
    remote.close();
    await ended();
  });

  after(async () => {
    // A suite that was left out has made none.
    await (ns as Namespace | undefined)?.end();
    if (isRoot) rmSync(work, { recursive: true, force: true });
  });

  function slashnet(user: User | undefined, ...args: string[]): Lines {
    const { node, slashnet } = sourcesIn(work);
    const command = [node, `${slashnet}/bin/slashnet.js`, ...args];
    return ns.run(['sh', '-c', 'exec "$@" 2>&1', 'sh', ...command], {
      by: user === undefined ? [] : by(user),
    });
  }

  const bash = (user: User | undefined, script: string): Lines =>
    ns.run(['bash', '-c', `exec 2>&1; cd ${net}; ${script}`], {
      by: user === undefined ? [] : by(user),
      env: { LC_ALL: 'C' },
    });

  async function outcome(lines: Lines): Promise<{ code: number | null; output: string }> {
    const output = await lines.everything();
    return { code: lines.child.exitCode, output };
  }

  async function ok(lines: Lines): Promise<string> {
    const { code, output } = await outcome(lines);
    assert.equal(code, 0, output);
    return output;
  }

  describe('through the mount', () => {
    // The number has no newline behind it, so that read fails with it.
    const CONNECT = 'exec 3<>tcp/clone || exit 1; read -r n <&3; echo "connect $0" >&3 || exit 2;';
    const connect = (user: User, then = 'cat tcp/$n/status'): Lines =>
      bash(user, `set -- ${remote.address}; ${CONNECT.replace('$0', '$1')} ${then}`);

    it('lets members of the group connect to which clone was given, and nobody else', async () => {
      await ok(bash(undefined, `chmod o+x zone/web; chgrp ${TEAM} tcp/clone; chmod 660 tcp/clone`));
      assert.match(await ok(connect(MEMBER)), /^Established /);
      const refused = await outcome(connect(OTHER));
      assert.match(refused.output, /tcp\/clone: Permission denied/);
      assert.equal(refused.code, 1);
      const dialled = await outcome(bash(OTHER, `exec 3<>'dial/tcp!${remote.address}'`));
      assert.match(dialled.output, /Permission denied/);
      await ok(bash(MEMBER, `exec 3<>'dial/tcp!${remote.address}'`));
    });

    it('opens and closes the destinations of a zone by o+x and o-x, live connections too', async () => {
      const refused = await outcome(connect(OTHER, 'true'));
      assert.equal(refused.code, 2);
      assert.match(refused.output, /Permission denied/);
      await ok(bash(undefined, 'chmod o+x zone/web'));
      const live = connect(
        OTHER,
        'exec 4<>tcp/$n/data; echo open; read -r line <&4 2>/dev/null; echo "ended: $(cat tcp/$n/err)"',
      );
      await live.says('open');
      const root = bash(
        undefined,
        `exec 3<>'dial/tcp!${remote.address}'; echo open; read -r word; echo more >&3 && echo written`,
      );
      await root.says('open');
      const sockets = [await remote.accept(), await remote.accept()];
      await ok(bash(undefined, 'chmod o-x zone/web'));
      const why = await live.says('ended:');
      assert.match(why, /74322 .*tcp!127\.0\.0\.1/);
      assert.match(why, /zone\/web|zone web/);
      root.tell('go');
      await root.says('written');
      assert.equal((await outcome(connect(OTHER, 'true'))).code, 2);
      for (const socket of sockets) socket.destroy();
      const log = await ok(slashnet(undefined, 'log', '--at', `unix!${work}/sock`));
      assert.match(log, /verb=hangup .*user=74322|user=74322 .*verb=hangup/);
    });
  });

  describe('at its socket', () => {
    const as = (user: User | undefined, command: string, ...args: string[]): Lines =>
      slashnet(user, command, '--at', `unix!${work}/sock`, ...args);
    const dial = (user: User): Lines => as(user, 'dial', `tcp!${remote.address}`);

    async function connects(user: User): Promise<Lines> {
      const dialling = dial(user);
      (await remote.accept()).end('hello\n');
      await dialling.says('hello');
      dialling.child.stdin.end();
      return dialling;
    }

    it('lets members of the group connect to which clone was given, and nobody else', async () => {
      await ok(as(undefined, 'chmod', 'o+x', 'zone/web'));
      await ok(as(undefined, 'chgrp', String(TEAM), 'tcp/clone'));
      await ok(as(undefined, 'chmod', '660', 'tcp/clone'));
      await ok(await connects(MEMBER));
      const refused = await outcome(dial(OTHER));
      assert.match(refused.output, /permission/);
      assert.equal(refused.code, 1);
    });

    it('opens and closes the destinations of a zone by o+x and o-x, live connections too', async () => {
      const refused = await outcome(dial(OTHER));
      assert.equal(refused.code, 1);
      assert.match(refused.output, /no zone|zone web|permission denied/);
      assert.match((await outcome(as(OTHER, 'explain', `tcp!${remote.address}`))).output, /^no: 74322 /);
      await ok(as(undefined, 'chmod', 'o+x', 'zone/web'));
      assert.match(await ok(as(OTHER, 'explain', `tcp!${remote.address}`)), /^yes: 74322 /);
      const live = dial(OTHER);
      const socket = await remote.accept();
      socket.write('hello\n');
      await live.says('hello');
      const gone = new Promise(resolve => socket.resume().once('close', resolve));
      await ok(as(undefined, 'chmod', 'o-x', 'zone/web'));
      await gone;
      assert.notEqual((await outcome(live)).code, 0);
      assert.equal((await outcome(dial(OTHER))).code, 1);
    });
  });
});
