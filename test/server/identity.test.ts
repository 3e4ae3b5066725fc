/** Who a 9P client is, over the time that he stays. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type Client, type ConnectOptions } from '../../src/client/index.ts';
import type { Caller, Peer } from '../../src/policy/identity.ts';
import { tcpDoor } from '../../src/server/transport/tcp.ts';
import { unixDoor } from '../../src/server/transport/unix.ts';
import { ALICE, CAROL, GLENDA, people, TEAM } from '../support/callers.ts';
import { forEachDialect, type NinepFixture } from '../support/fixture.ts';
import { UserDatabase } from '../support/realusers.ts';

const DENIED = ['permission denied', 'EACCES'] as const;
const BUILD: Caller = { name: 'build', uid: 90001, gid: 90001, groups: [TEAM] };

let database: UserDatabase;
let changes: number;
let trusted: Map<string, Caller>;

function forEachDialectWithUsers(subject: string, define: (t: NinepFixture) => void): void {
  forEachDialect(subject, define, () => {
    changes = 0;
    trusted = new Map();
    return {
      owner: GLENDA,
      users: (database = new UserDatabase()),
      trustedUsers: () => trusted,
      onGroupsChanged: () => void changes++,
    };
  });
}

/** chgrp TEAM clone; chmod 660 clone. */
async function openToTeam(t: NinepFixture): Promise<void> {
  await t.client.setStat('tcp/clone', { gid: t.dialect === '9P2000' ? 'team' : TEAM });
  await t.client.chmod('tcp/clone', 0o660);
}

async function attached(t: NinepFixture, peer: Peer, uname: string): Promise<Client> {
  const client = await connect(await t.socketAs(peer), { dialect: t.dialect, uname });
  t.after(() => client.close());
  return client;
}

forEachDialectWithUsers('who attached for a user', t => {
  const root: Peer = { caller: { name: 'root', uid: 0, gid: 0, groups: [0] }, claims: 'anyone' };

  it('has the groups of the user database, new ones and no old ones, when it was read again', async () => {
    await openToTeam(t);
    const carol = await attached(t, root, 'carol');
    await t.refuses(t.clone(carol), ...DENIED);
    database.setGroups(CAROL, TEAM);
    t.server.refreshGroups();
    await t.clone(carol);
    database.setGroups(CAROL);
    await t.clone(carol);
    t.server.refreshGroups();
    await t.refuses(t.clone(carol), ...DENIED);
    assert.equal(changes, 2);
  });

  it('has none when the user is removed', async () => {
    await openToTeam(t);
    const alice = await attached(t, root, 'alice');
    await t.clone(alice);
    database.remove(ALICE);
    t.server.refreshGroups();
    await t.refuses(t.clone(alice), ...DENIED);
  });
});

forEachDialectWithUsers('a process on a unix socket', t => {
  it('keeps the groups that it has, but for those that are taken from its user', async () => {
    await openToTeam(t);
    const self = (caller: Caller): Peer => ({ caller, claims: 'self' });
    const alice = await attached(t, self(ALICE), 'alice');
    // By setpriv or newgrp: the database does not have her in it.
    const carol = await attached(t, self({ ...CAROL, groups: [TEAM] }), 'carol');
    await t.clone(alice);
    await t.clone(carol);
    database.setGroups(ALICE);
    t.server.refreshGroups();
    await t.refuses(t.clone(alice), ...DENIED);
    await t.clone(carol);
  });

  it('gets no group that its user is given later, as any process', async () => {
    await openToTeam(t);
    const carol = await attached(t, { caller: CAROL, claims: 'self' }, 'carol');
    database.setGroups(CAROL, TEAM);
    t.server.refreshGroups();
    await t.refuses(t.clone(carol), ...DENIED);
  });
});

forEachDialectWithUsers('a client of a TCP network that is trusted', t => {
  async function by(uname: string, options: ConnectOptions = {}): Promise<Client> {
    const door = await t.server.addDoor(onClient => tcpDoor('127.0.0.1', 0, { trust: true }, onClient));
    const client = await connect(door.name, { dialect: t.dialect, uname, ...options });
    t.after(() => client.close());
    return client;
  }

  it('may be one of its users, whom the host does not have', async () => {
    await openToTeam(t);
    await t.refuses(t.clone(await by('build')), ...DENIED);
    trusted.set('build', BUILD);
    const build = await by('build');
    const { dir } = await t.clone(build);
    if (t.dialect !== '9P2000') assert.equal((await build.stat(`${dir}/ctl`)).uid, BUILD.uid);
  });

  it('is of the host what it claims else', async () => {
    await openToTeam(t);
    trusted.set('build', BUILD);
    await t.clone(await by('bob'));
    await t.refuses(t.clone(await by('carol')), ...DENIED);
    await t.refuses(t.clone(await by('mallory')), ...DENIED);
  });
});

describe('the peer of a unix socket', () => {
  it('is known with its process, its user and its groups', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    const path = join(dir, 'sock');
    try {
      let door: Awaited<ReturnType<typeof unixDoor>> | undefined;
      const peer = await new Promise<Peer>((resolve, reject) => {
        const options = { mode: 0o600, squash: false, users: people };
        unixDoor(path, options, (stream, found) => {
          stream.destroy();
          resolve(found);
        }).then(opened => {
          door = opened;
          connectSocket(path).on('error', reject);
        }, reject);
      });
      door!.close();
      const { pid, uid, gid } = peer.caller;
      assert.deepEqual([pid, uid, gid], [process.pid, process.getuid!(), process.getgid!()]);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
