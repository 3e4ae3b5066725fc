/** Views bound over /net for a process, by mount(8) and unshare(1): real users on a real mount. docs/views.md. */
import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { Nodeids } from '../../src/server/fuse/nodeids.ts';
import { View } from '../../src/netfs/view.ts';
import { Server } from '../../src/server/server.ts';
import { ALICE, BOB, GLENDA, people } from '../support/callers.ts';
import type { FuseFixture } from '../support/fixture.ts';
import { Lines } from './namespace.ts';
import { shellAs, withRealUsers, type Outcome } from '../support/realusers.ts';
import { assertPrinted, scriptOf, transcriptOf } from '../support/transcript.ts';

/** Runs `script` where view $v is what there is of the tree, as its maker's process would be. */
const sandboxed = (script: string): string =>
  `export v; exec unshare -Urm --propagation private sh -c '` +
  `net=$PWD; mount --bind view/$v "$net"; cd "$net"; ${script.replaceAll("'", `'"'"'`)}'`;

/** A script that makes a view, with these messages, and has its number in $v and its ctl as descriptor 9. */
const making = (...messages: string[]): string =>
  `exec 9<>view/clone; read -r v <&9; ${messages.map(message => `echo '${message}' >&9; `).join('')}`;

const dials = (address: string): string =>
  `exec 3<>tcp/clone; read -r n <&3; echo "connect ${address}" >&3 && cat tcp/$n/status`;

async function openToAll(t: FuseFixture): Promise<void> {
  // mount(8) and cd go by the whole path.
  chmodSync(dirname(t.inside.dir), 0o755);
  for (const file of ['tcp/clone', 'udp/clone', 'cs', 'dns']) await t.client.chmod(file, 0o666);
}

const CHANGES = [
  ...['tcp', 'tcp/clone', 'zone', 'zone/allowed', 'cs', 'dns', 'view', 'log'].map(
    path => `chmod 777 ${path}`,
  ),
  'exec 5<>ctl',
  'exec 5<ctl',
  'echo "connect *!*!*" >zone/allowed',
  'echo "connect *!*!*" >>zone/allowed',
  ': >zone/new',
  'rm -f zone/allowed',
  'mv zone/allowed zone/other',
  'ln zone/allowed zone/other',
  'truncate -s 0 zone/allowed',
  'rmdir tcp',
  'mkdir zone/dir',
  'echo x >ndb',
];

/** Which of these commands succeed. */
const succeeding = ({ stdout }: Outcome): string[] =>
  stdout.split('\n').filter(line => line.startsWith('DID '));

const trying = (commands: readonly string[]): string =>
  commands
    .map(command => `(${command}) 2>/dev/null && echo "DID ${command.replaceAll('"', '')}"`)
    .join('; ') + '; echo done';

withRealUsers('a view bound over the tree', t => {
  beforeEach(() => openToAll(t));

  it('is all that a process of its maker finds: it goes where the view goes, and no further', async () => {
    const [remote, other] = [await t.remote(), await t.remote()];
    const inside = `${dials(remote.address)}; ${dials(other.address)}; ls view; cat ../view/clone`;
    const { stdout, stderr } = await shellAs(
      t,
      ALICE,
      `${making(`allow tcp!${remote.address}`)} ${sandboxed(inside)}`,
    );
    assert.match(stdout, /^Established /, stderr);
    assert.equal(stdout.match(/Established/g)!.length, 1);
    // As dash says it of EACCES.
    assert.match(stderr, /I\/O error/);
  });

  it('is what docs/views.md shows', async () => {
    const [remote, other] = [await t.remote(), await t.remote()];
    const page = new URL('../../docs/views.md', import.meta.url);
    const there = (text: string): string =>
      text
        .replace(/\/net(?=[/;])/g, t.inside.dir)
        .replaceAll('192.0.2.7!80', remote.address)
        .replaceAll('192.0.2.8!80', other.address);
    const commands = transcriptOf(page, ['Learning']).map(({ command, printed }) => ({
      command: there(command),
      printed: there(printed),
    }));
    const { stdout } = await shellAs(t, ALICE, `exec 2>&1\n${scriptOf(commands)}`);
    assertPrinted(commands, stdout);
  });

  it('is told by another what it learned, as docs/views.md shows', async () => {
    const remote = await t.remote();
    const [told] = transcriptOf(new URL('../../docs/views.md', import.meta.url)).slice(-1);
    const learning = `${making('learn')} (cd view/$v; exec 9>&-; exec 3<>dial/tcp!${remote.address}); `;
    const telling = told!.command.replaceAll('/net/', './').replaceAll('$v', '$learned');
    const script = `${learning}exec 8>&9; learned=$v; ${making()} ${telling}; cat view/$v/zone/allowed`;
    assert.deepEqual(await shellAs(t, ALICE, script), {
      code: 0,
      stdout: `connect tcp!${remote.address}\n`,
      stderr: '',
    });
  });

  for (const [who, name] of [
    [ALICE, 'an ordinary user'],
    [GLENDA, 'the owner of the server'],
  ] as const) {
    it(`is not widened from inside by ${name}, who made it`, async () => {
      const outcome = await shellAs(
        t,
        who,
        `${making('allow tcp!192.0.2.1!80')} ${sandboxed(trying(CHANGES))}`,
      );
      assert.match(outcome.stdout, /done/, outcome.stderr);
      assert.deepEqual(succeeding(outcome), []);
      // By the whole mount he is whom it is for, too, and as much inside.
      const whole = await shellAs(
        t,
        who,
        `${making('allow tcp!192.0.2.1!80')} cd view/$v; ${trying(CHANGES)}`,
      );
      assert.match(whole.stdout, /done/, whole.stderr);
      assert.deepEqual(succeeding(whole), []);
    });
  }

  it('made by root for another is governed by root, and not by whom it is for', async () => {
    const view = t.server.net.make({ ...GLENDA });
    view.hold();
    view.giveTo(people.byName('bob')!, { caller: GLENDA });
    view.add('connect tcp!192.0.2.1!80\n', '', { caller: GLENDA });
    const outcome = await shellAs(t, BOB, `cd view/0; ${trying(CHANGES)}`);
    assert.match(outcome.stdout, /done/, outcome.stderr);
    assert.deepEqual(succeeding(outcome), []);
    const { stderr, code } = await shellAs(
      t,
      GLENDA,
      'echo "connect tcp!192.0.2.2!80" >view/0/zone/more && chmod 711 view/0/zone/more && chmod 400 view/0/tcp/clone && echo freeze >view/0/ctl',
    );
    assert.equal(code, 0, stderr);
    assert.equal((await shellAs(t, ALICE, 'cat view/0/status')).stdout, '');
  });

  it('has nothing in it any more when it has ended, and shows nothing of one that gets its number', async () => {
    const alice = await t.as(ALICE);
    const ctl = await alice.open('view/clone', 'rw');
    const { address } = await t.remote();
    await ctl.write('allow *');
    // In a mount namespace that outlives the view; each line that it reads is a command.
    const { pid, dir } = t.inside;
    const shell = new Lines([
      ...[
        'nsenter',
        '-t',
        String(pid),
        '-m',
        `--wdns=${dir}`,
        'setpriv',
        `--reuid=${ALICE.uid}`,
        `--regid=${ALICE.gid}`,
        '--clear-groups',
      ],
      ...['unshare', '-Urm', '--propagation', 'private', 'sh', '-c'],
      `mount --bind view/0 "$PWD" && cd "$PWD" && exec 4<tcp 5<status && echo ready; while read -r line; do eval "$line" 2>&1; echo "= $?"; done`,
    ]);
    t.after(() => shell.kill());
    await shell.says('ready');
    await ctl.close();
    const second = await alice.open('view/clone', 'rw');
    assert.equal((await second.read(32)).toString(), '0');
    await second.write('allow *');
    for (const command of [
      '(exec 3<>tcp/clone)',
      '(exec 3<>view/clone)',
      'ls',
      'ls tcp',
      'ls /proc/self/fd/4/',
      'cat status',
      'stat -c %i .',
      `(exec 3<>"dial/tcp!${address}")`,
      'cat zone/allowed',
      'ls ../view',
      'test -e udp',
    ]) {
      assert.notEqual(await said(shell, `${command} >/dev/null`), '0', command);
    }
  });

  it('is held by whoever has its ctl, though another opened it', async () => {
    const alice = await t.as(ALICE);
    const ctl = await alice.open('view/clone', 'rw');
    const copy = await ctl.dup();
    await ctl.close();
    await alice.stat('view/0/tcp');
    await copy.write('allow *');
    await copy.close();
    await t.refuses(alice.stat('view/0/tcp'), 'file does not exist', 'ENOENT');
    // Inherited by a child, after its parent is gone.
    const { stdout } = await shellAs(
      t,
      ALICE,
      `${making('allow *')} (exec 8>&9; exec 9>&-; ls view; echo freeze >&8 && echo frozen)`,
    );
    assert.match(stdout, /^0\nclone\nfrozen\n/);
    await t.refuses(alice.stat('view/0'), 'file does not exist', 'ENOENT');
  });

  it('ends when the process that holds its ctl is killed', async () => {
    const [alice, other] = [await t.as(ALICE), await t.as(ALICE)];
    await alice.open('view/clone', 'rw');
    await other.stat('view/0/tcp');
    await t.leave(alice);
    await t.refuses(other.stat('view/0/tcp'), 'file does not exist', 'ENOENT');
  });

  it('makes views in it, which are no wider', async () => {
    const [remote, other] = [await t.remote(), await t.remote()];
    // Descriptor 9 keeps the one around it.
    const inner = `${making('allow *').replaceAll('9', '8')} cd view/$v; ${dials(remote.address)}; ${dials(other.address)}`;
    const { stdout, stderr } = await shellAs(
      t,
      ALICE,
      `${making(`allow tcp!${remote.address}`)} ${sandboxed(inner)}`,
    );
    assert.equal(stdout.match(/Established/g)?.length, 1, stderr);
    // As dash says it of EACCES.
    assert.match(stderr, /I\/O error/);
  });
});

/** What a command that it is told ends with. */
async function said(
  shell: { tell(line: string): void; says(word: string): Promise<string> },
  command: string,
): Promise<string> {
  shell.tell(command.replace('>/dev/null', '>/dev/null 2>&1'));
  return shell.says('= ');
}

describe('node ids', () => {
  it('of a view that has ended are not those of another whose files have its qids', () => {
    const server = new Server({ owner: GLENDA, users: people });
    const numbered = (): View => {
      const surroundings = { ...server.net.surroundings, takeRoot: () => 7 };
      return new View(surroundings, server.net.make(ALICE).authority, {
        view: server.net,
        number: 9,
        maker: ALICE,
      });
    };
    const nodeids = new Nodeids(server.mount.root);
    const [first, second] = [numbered(), numbered()];
    assert.equal(first.root.qid.path, second.root.qid.path);
    const entry = nodeids.lookedUp(first.root);
    assert.notEqual(nodeids.lookedUp(second.root), entry);
    assert.equal(entry.node, first.root);
    nodeids.forget(entry.nodeid, 1);
    assert.equal(nodeids.lookedUp(second.root).node, second.root);
  });
});
