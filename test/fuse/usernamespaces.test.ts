/**
 * A mount that was made in another user namespace and handed to this server as /dev/fd/N: its ids are that
 * namespace's, whose root may be anybody.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, type ServerOptions } from '../../src/server/server.ts';
import { mountedByOurUsers } from '../../src/host/mount.ts';
import { until } from '../server/rig.ts';
import { GLENDA, people, TEAM } from '../support/callers.ts';
import { DirectTree } from '../support/direct.ts';
import { FdClient } from '../support/fdclient.ts';
import { FuseTree } from '../support/fusefs.ts';
import { needFuse } from '../support/packages.ts';
import { ALICE as ALICES_UID, isRoot } from './namespace.ts';

const EACCES = { code: 'EACCES' };
const EPERM = { code: 'EPERM' };

describe('a mount that is handed over (needs root)', function () {
  this.timeout(30_000);
  let work: string;
  let server: Server;
  const clients: FdClient[] = [];

  before(function () {
    if (!isRoot) this.skip();
    this.timeout(120_000);
    needFuse();
  });

  beforeEach(() => {
    work = mkdtempSync(join(tmpdir(), 'slashnet-'));
    chmodSync(work, 0o755);
    mkdirSync(join(work, 'net'));
    mkdirSync(join(work, 'dev'));
  });

  afterEach(async () => {
    (server as Server | undefined)?.close();
    for (const client of clients.splice(0)) {
      client.close();
      await client.gone;
    }
    rmSync(work, { recursive: true, force: true });
  });

  /** What starts a program as root of a user namespace of Alice's, in which she may open /dev/fuse. */
  function alicesNamespace(): string[] {
    const setup = `
      mount -t tmpfs none ${work}/dev
      mknod ${work}/dev/fuse c 10 229; chmod 666 ${work}/dev/fuse
      mount --bind ${work}/dev/fuse /dev/fuse
      chown ${ALICES_UID} ${work}/net
      exec setpriv --reuid=${ALICES_UID} --regid=${ALICES_UID} --clear-groups unshare -U -r "$@"`;
    return ['unshare', '-m', '--propagation', 'private', 'sh', '-e', '-c', setup, 'sh'];
  }

  /** Somebody's mount, which the server serves as it was told to; and he who made it, in it. */
  async function handed(
    by: readonly string[],
    options: ServerOptions = {},
    trustHanded = false,
  ): Promise<{ tree: FuseTree; client: FdClient }> {
    const { client, device } = await FdClient.mount(join(work, 'net'), by);
    clients.push(client);
    server = new Server(options);
    await server.addMount(`/dev/fd/${device}`, { allowOther: true, trustHanded });
    return { tree: new FuseTree(client), client };
  }

  it('by a user namespace of somebody else does not make his root the root of this machine', async () => {
    const { tree } = await handed(alicesNamespace());
    assert.equal(server.owner.uid, 0);
    await assert.rejects(tree.open('tcp/clone', 'rw'), EACCES);
    await assert.rejects(tree.chmod('tcp/clone', 0o666), EPERM);
    await assert.rejects(tree.setStat('tcp/clone', { uid: 0 }), EPERM);
    await assert.rejects(tree.open('dial/tcp!127.0.0.1!1', 'rw'), EACCES);
    // What is open to all is to him.
    assert.match((await tree.readFile('tcp/stats')).toString(), /MaxConn/);
  });

  it('by a user namespace of somebody else is not trusted by --trust-mount either', async () => {
    const { tree } = await handed(alicesNamespace(), {}, true);
    await assert.rejects(tree.open('tcp/clone', 'rw'), EACCES);
  });

  it("gives who is nobody here a conversation that is no other nobody's", async () => {
    const { tree } = await handed(alicesNamespace());
    await new DirectTree(server, server.owner).chmod('tcp/clone', 0o666);
    const ctl = await tree.open('tcp/clone', 'rw');
    const number = (await ctl.read(32)).toString();
    await ctl.write('announce 127.0.0.1!0');
    await assert.rejects(tree.open(`tcp/${number}/data`, 'rw'), EACCES);
  });

  it('by a user of this machine knows him, and his root', async () => {
    const { tree } = await handed([]);
    await (await tree.open('tcp/clone', 'rw')).close();
  });

  it('knows groups only where it was told that it was mounted here: the numbers of processes may be others', async () => {
    const member = { uid: 74321, gid: 74321, groups: [TEAM] };
    for (const trusted of [false, true]) {
      const { tree, client } = await handed([], { owner: { ...GLENDA, uid: 0 }, users: people }, trusted);
      await tree.setStat('tcp/clone', { gid: TEAM });
      await tree.chmod('tcp/clone', 0o660);
      const joined = await client.join(member);
      clients.push(joined);
      const opened = new FuseTree(joined).open('tcp/clone', 'rw');
      if (trusted) await opened;
      else await assert.rejects(opened, EACCES);
      server.close();
      await until(() => server.sessions.size === 0);
    }
  });

  it('says to no server without CAP_SYS_ADMIN where it was made, and without trust everybody is nobody', async () => {
    const { client, device } = await FdClient.mount(join(work, 'net'));
    clients.push(client);
    assert.deepEqual(idsWithoutPrivilege(device), ['unknown', 'ours']);
    assert.equal(mountedByOurUsers(device), true);
    // Whoever is in it waits for an answer.
    server = new Server();
    await server.addMount(`/dev/fd/${device}`, { allowOther: true });
  });

  it('is none when it is another file, or not mounted: nothing is known of it', () => {
    for (const path of ['/dev/null', '/proc/self/status']) {
      const fd = openSync(path, 'r');
      assert.equal(mountedByOurUsers(fd), undefined, path);
      closeSync(fd);
    }
    assert.equal(mountedByOurUsers(999_999), undefined);
  });
});

const SOURCE = new URL('../../src/server/fuse/mount.ts', import.meta.url).href;

/** What a server without the privilege to mount makes of a descriptor, without and with --trust-mount. */
function idsWithoutPrivilege(device: number): string[] {
  const script = `
    import { mount } from '${SOURCE}';
    for (const trustHanded of [false, true])
      console.log((await mount('/dev/fd/3', { allowOther: true, trustHanded })).ids);`;
  const node = [process.execPath, '--import=tsx', '--input-type=module', '-e', script];
  const { stdout, stderr } = spawnSync('setpriv', ['--bounding-set=-sys_admin', ...node], {
    stdio: ['ignore', 'pipe', 'pipe', device],
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  return stdout.trim().split('\n');
}
