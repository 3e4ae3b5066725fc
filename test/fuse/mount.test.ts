/** Mounting for the FUSE door. Every mount is in a mount namespace of its own, made by another process. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { need, needFuse } from '../support/packages.ts';
import {
  ALICE,
  asAlice,
  ignoresSignals,
  isGone,
  isRoot,
  mounterIn,
  Namespace,
  until,
  watchdogsOf,
} from './namespace.ts';

describe('a FUSE mount', function () {
  this.timeout(30_000);
  let work: string;
  let dir: string;
  let ns: Namespace;

  before(function () {
    this.timeout(120_000);
    needFuse();
    need({ fusermount3: 'fuse3' });
  });

  beforeEach(() => {
    work = mkdtempSync(join(tmpdir(), 'slashnet-'));
    chmodSync(work, 0o755);
    dir = join(work, 'net');
    mkdirSync(dir);
  });

  afterEach(async () => {
    // A test that was left out has made none.
    await (ns as Namespace | undefined)?.end();
    rmSync(work, { recursive: true, force: true });
  });

  const gone = (): Promise<void> => until(() => ns.at(dir).length === 0);

  // ---- what any way must do ---------------------------------------------------------------------

  function lives(setUp: () => Promise<void>, by: readonly string[] = []): void {
    beforeEach(setUp);

    it('is there when mount returns, and gone when unmount does, which may be called again', async () => {
      const server = await ns.mounted(dir, [], { by });
      assert.equal(ns.at(dir).length, 1);
      await server.ask('unmount');
      assert.deepEqual(ns.at(dir), []);
    });

    it('is a fuse.slashnet without set-uid, devices, programs and the checks of the kernel', async () => {
      await ns.mounted(dir, ['name=my, net'], { by });
      const [line = ''] = ns.at(dir);
      assert.match(line, / rw,nosuid,nodev,noexec,noatime .*- fuse\.slashnet my,\\040net rw,user_id=/);
      assert.doesNotMatch(line, /allow_other|default_permissions/);
    });

    it('is taken away while somebody is in it', async () => {
      const server = await ns.mounted(dir, [], { by });
      const inside = ns.run(['sh', '-c', `cd ${dir} && echo inside && read -r word`], { by });
      await inside.says('inside');
      await server.ask('unmount');
      assert.deepEqual(ns.at(dir), []);
    });

    it('is taken away where it is now, if a directory above it was moved', async () => {
      if (by.length > 0) chownSync(work, ALICE, ALICE);
      mkdirSync(join(work, 'up'));
      mkdirSync(join(work, 'up', 'net'));
      if (by.length > 0) chownSync(join(work, 'up', 'net'), ALICE, ALICE);
      const server = await ns.mounted(join(work, 'up', 'net'), [], { by });
      await ns.run(['mv', join(work, 'up'), join(work, 'moved')]).closed;
      assert.equal(ns.at(join(work, 'moved', 'net')).length, 1);
      await server.ask('unmount');
      assert.deepEqual(ns.at(join(work, 'moved', 'net')), []);
    });

    it('is not inherited by the programs that the server starts', async () => {
      const server = await ns.mounted(dir, [], { by });
      assert.doesNotMatch(await server.ask('inherited'), /fuse/);
    });

    it('goes within two seconds when its server is killed, and the pipes of the server end', async () => {
      const server = await ns.mounted(dir, [], { by });
      const killed = Date.now();
      await server.kill();
      await gone();
      assert(Date.now() - killed < 2000);
    });

    it('goes within two seconds, too, while somebody else holds the lock for spite', async () => {
      const server = await ns.mounted(dir, [], { by });
      const spite = ns.run(['flock', work, 'sh', '-c', 'echo locked; read -r word']);
      await spite.says('locked');
      const killed = Date.now();
      await server.kill();
      await gone();
      assert(Date.now() - killed < 2000);
    });

    it('has a watchdog that ends when it is unmounted', async () => {
      const server = await ns.mounted(dir, [], { by });
      const watchdog = await server.ask('children');
      assert.match(watchdog, /^\d+$/);
      await server.ask('unmount');
      await until(() => isGone(watchdog));
    });

    it('has a watchdog that no signal from the terminal ends', async () => {
      const server = await ns.mounted(dir, [], { by });
      const watchdog = Number(await server.ask('children'));
      await until(() => ignoresSignals(watchdog));
      for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) process.kill(watchdog, signal);
      await server.kill();
      await gone();
    });

    it('is made again at once after its server was killed, and no watchdog takes it away', async () => {
      const first = await ns.mounted(dir, [], { by });
      const watchdog = await first.ask('children');
      first.tell('exit');
      const second = await ns.mounted(dir, [], { by });
      await until(() => isGone(watchdog));
      assert.equal(ns.at(dir).length, 1);
      await second.ask('unmount');
      assert.deepEqual(ns.at(dir), []);
    });

    it('takes the place of a dead one that was left without a watchdog', async () => {
      const first = await ns.mounted(dir, [], { by });
      const watchdog = await first.ask('children');
      process.kill(Number(watchdog), 'SIGKILL');
      await until(() => isGone(watchdog));
      await first.kill();
      assert.equal(ns.at(dir).length, 1);
      const second = await ns.mounted(dir, [], { by });
      assert.equal(ns.at(dir).length, 1);
      await second.ask('unmount');
    });

    it('is refused where a slashnet is running', async () => {
      await ns.mounted(dir, [], { by });
      assert.match(
        await ns.refused(dir, [], { by }),
        /^a slashnet of \S+ is running on \S+ already; stop it, or name another directory$/,
      );
    });
  }

  describe('of root', () => {
    lives(async () => {
      ns = await Namespace.ofRoot();
    });

    it('lets other users in if it is told to', async () => {
      await ns.mounted(dir, ['allow-other']);
      assert.match(ns.at(dir)[0]!, /,allow_other/);
    });

    it('is found by a symbolic link, and at a path with blanks', async () => {
      const blank = join(work, 'my net');
      mkdirSync(blank);
      const linked = await ns
        .run(['ln', '-s', blank, `${work}/link`])
        .closed.then(() => ns.mounter(`${work}/link`));
      assert.equal(await linked.says('mounted'), blank);
      const watched = (): number => ns.at(blank.replace(' ', '\\040')).length;
      assert.equal(watched(), 1);
      await linked.kill();
      await until(() => watched() === 0);
    });
  });

  describe('of root in a user namespace', () => {
    lives(async () => {
      ns = await Namespace.make(['-U', '-r', '-m']);
    });

    it('lets other users in if it is told to', async () => {
      await ns.mounted(dir, ['allow-other']);
      assert.match(ns.at(dir)[0]!, /,allow_other/);
    });
  });

  // ---- an ordinary user -------------------------------------------------------------------------

  const ordinary = (files = {}): string => Namespace.ordinary(work, files);

  describe('of an ordinary user', () => {
    before(function () {
      if (!isRoot) this.skip();
    });

    beforeEach(() => chownSync(dir, ALICE, ALICE));

    lives(async () => {
      ns = await Namespace.ofOthers(work, ordinary());
    }, asAlice);
  });

  describe('of an ordinary user is refused', () => {
    before(function () {
      if (!isRoot) this.skip();
    });

    beforeEach(() => chownSync(dir, ALICE, ALICE));

    const refused = async (setup: string, args: readonly string[] = [], by = asAlice): Promise<string> => {
      ns = await Namespace.ofOthers(work, setup);
      return ns.refused(dir, args, { by });
    };

    it('for other users, if fuse.conf does not allow that; else it is made', async () => {
      assert.match(await refused(ordinary(), ['allow-other']), /echo user_allow_other >>\/etc\/fuse.conf/);
      await ns.run(['sh', '-c', 'echo user_allow_other >/etc/fuse.conf']).closed;
      await ns.mounted(dir, ['allow-other'], { by: asAlice });
      assert.match(ns.at(dir)[0]!, /,allow_other/);
    });

    it('where /dev/fuse is closed to him', async () => {
      const sentence = await refused(ordinary({ device: '0600' }));
      assert.equal(
        sentence,
        '/dev/fuse is closed to alice; to open it, as root of the machine: chmod 0666 /dev/fuse',
      );
    });

    it('without an entry in passwd', async () => {
      assert.match(
        await refused(ordinary({ passwd: '' })),
        new RegExp(`^user ${ALICE} has no entry in /etc/passwd, .*; add one, or mount as root$`),
      );
    });

    it('without fusermount3', async () => {
      assert.match(
        await refused(ordinary(), [], [...asAlice, 'env', 'PATH=/nowhere']),
        /^fusermount3, .* is not there; install it: apt-get install fuse3; or /,
      );
    });

    it('by a fusermount3 that is not setuid', async () => {
      const setup = `${ordinary()}\ncp /usr/bin/fusermount3 ${work}/over/`;
      const by = [...asAlice, 'env', `PATH=${work}/over:/usr/bin:/bin`];
      assert.match(await refused(setup, [], by), /not setuid root.*chmod u\+s/);
    });

    it('under no_new_privs', async () => {
      const sentence = await refused(ordinary(), [], [...asAlice, '--no-new-privs']);
      assert.match(sentence, /no_new_privs.*start it outside, or/);
    });

    it('on a directory that is not his', async () => {
      chownSync(dir, 0, 0);
      assert.match(
        await refused(ordinary()),
        /net is not a directory that alice may write to, .*as root: chown alice \S+net$/,
      );
    });

    it('on a dead mount of another user', async () => {
      ns = await Namespace.ofOthers(work, ordinary());
      const first = await ns.mounted(dir, ['allow-other']);
      process.kill(Number(await first.ask('children')), 'SIGKILL');
      await first.kill();
      const sentence = await ns.refused(dir, [], { by: asAlice });
      assert.match(sentence, /net is a dead mount of root, .*as root: umount -l \S+net$/);
    });
  });

  // ---- what is in the way -----------------------------------------------------------------------

  describe('is refused', () => {
    it('on what does not exist', async () => {
      ns = await Namespace.ofRoot();
      const sentence = await ns.refused(`${dir}/no`);
      assert.equal(sentence, `${dir}/no does not exist; make it: mkdir -p ${dir}/no`);
    });

    it('on a file', async () => {
      ns = await Namespace.ofRoot();
      writeFileSync(`${dir}/file`, '');
      assert.match(await ns.refused(`${dir}/file`), /file is not a directory; name one, empty/);
    });

    it('on a directory with something in it', async () => {
      ns = await Namespace.ofRoot();
      for (const name of ['a', 'b', 'c']) writeFileSync(join(dir, name), '');
      assert.match(await ns.refused(dir), /net is not empty, .* \(a and 2 more\); name an empty directory$/);
    });

    it('on a mount of anything else', async () => {
      ns = await Namespace.ofRoot(`mount -t tmpfs something ${dir}`);
      assert.match(await ns.refused(dir), /^something \(tmpfs\) is mounted on \S+ already; name another/);
    });

    it('on a mount of another FUSE file system, alive, and in it and on it when it is silent', async () => {
      ns = await Namespace.ofRoot();
      const alive = await ns.mounted(dir, ['type=fuse.other']);
      assert.match(await ns.refused(dir), /^hand \(fuse.other\) is mounted on \S+ already; name another/);
      await alive.kill();
      await ns.run(['umount', '-l', dir]).closed;
      await ns.mounted(dir, ['type=fuse.other', 'silent']);
      const [on, within] = await Promise.all([ns.refused(dir), ns.refused(`${dir}/within`)]);
      assert.match(on, /^hand \(fuse.other\) is mounted on \S+ already that does not answer; name another/);
      assert.match(within, /within is in \S+net, a file system \(fuse.other\) that does not answer$/);
    });

    it('on a slashnet that does not answer', async () => {
      ns = await Namespace.ofRoot();
      await ns.mounted(dir, ['silent']);
      assert.match(
        await ns.refused(dir),
        /^a slashnet of root is mounted on \S+ already and does not answer; kill it/,
      );
    });

    it('on a dead mount of another FUSE file system, which stays', async () => {
      ns = await Namespace.ofRoot();
      await (await ns.mounted(dir, ['type=fuse.other'])).kill();
      assert.match(
        await ns.refused(dir),
        /net is a dead mount of fuse.other; unmount it \(umount -l \S+net\)/,
      );
      assert.equal(ns.at(dir).length, 1);
    });

    it('without /dev/fuse', async function () {
      if (!isRoot) this.skip();
      const devices = 'mknod /dev/null c 1 3; mknod /dev/urandom c 1 9; chmod 666 /dev/null';
      ns = await Namespace.make(['-m'], `mount -t tmpfs none /dev; ${devices}`);
      assert.equal(
        await ns.refused(dir),
        '/dev/fuse does not exist, so nothing can be mounted; load the module: modprobe fuse; ' +
          'in a container: start it with --device /dev/fuse',
      );
    });

    it('to root without CAP_SYS_ADMIN', async function () {
      if (!isRoot) this.skip();
      ns = await Namespace.ofRoot();
      const sentence = await ns.refused(dir, [], { by: ['setpriv', '--bounding-set=-sys_admin'] });
      assert.match(sentence, /^root may not mount here: CAP_SYS_ADMIN is missing; .*--cap-add SYS_ADMIN/);
    });

    it('to root of a user namespace without a mount namespace', async () => {
      ns = await Namespace.ofRoot();
      const sentence = await ns.refused(dir, [], { by: ['unshare', '-U', '-r'] });
      assert.match(sentence, /this process may not mount, .*make one: unshare -Urm, not -Ur/);
    });

    it('and leaves no watchdog', async () => {
      ns = await Namespace.ofRoot();
      await ns.refused(dir, [], { by: ['unshare', '-U', '-r'] });
      await until(() => watchdogsOf(dir).length === 0);
    });
  });

  // ---- a descriptor -----------------------------------------------------------------------------

  describe('that is handed over as /dev/fd/N', () => {
    it('is taken as it is, and left to those who made it', async () => {
      ns = await Namespace.ofRoot();
      const server = ns.mounter(dir, ['handed']);
      assert.match(await server.says('mounted'), /^\/dev\/fd\/\d+$/);
      assert.doesNotMatch(await server.ask('inherited'), /fuse/);
      await server.ask('unmount');
      assert.equal(ns.at(dir).length, 1);
    });

    it('comes from mount.fuse3, without privileges', async function () {
      if (!isRoot) this.skip();
      ns = await Namespace.ofOthers(work, ordinary());
      const program = join(work, 'program');
      writeFileSync(program, `#!/bin/sh\nexec ${mounterIn(work).command.join(' ')} "$2"\n`);
      chmodSync(program, 0o755);
      const options = 'setuid=alice,drop_privileges';
      const server = ns.run(['/usr/sbin/mount.fuse3', `${program}#source`, dir, '-o', options]);
      assert.match(await server.says('mounted'), /^\/dev\/fd\/\d+$/);
      assert.match(ns.at(dir)[0]!, new RegExp(`user_id=${ALICE}`));
      // What was started is a shell, whose end would not be the server's.
      server.tell('exit');
      await server.closed;
    });

    const handed = async (redirection: string, fd = 9): Promise<string> => {
      ns = await Namespace.ofRoot();
      const script = `exec "$@" ${redirection}`;
      return ns.refused(`/dev/fd/${fd}`, [], { by: ['sh', '-c', script, 'sh'] });
    };

    it('is refused if it is not open', async () => {
      assert.match(await handed('', 999), /^\/dev\/fd\/999 is not open; whoever starts slashnet/);
    });

    it('is refused if it is something else', async () => {
      assert.match(await handed('9</dev/null'), /^\/dev\/fd\/9 is not \/dev\/fuse; pass one/);
    });

    it('is refused if it is not mounted', async () => {
      assert.match(await handed('9<>/dev/fuse'), /^\/dev\/fd\/9 is \/dev\/fuse, but not mounted; mount it/);
    });
  });
});
