/** Who may do what in a mount that many users share: real processes, real groups. docs/net.md. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { constants } from 'node:fs';
import { callerOf, groupsOf } from '../../src/server/fuse/callers.ts';
import type { Header } from '../../src/server/fuse/kernel.ts';
import { Authority, R, W } from '../../src/policy/permissions.ts';
import { ALICE, BOB, CAROL, GLENDA, people, TEAM } from '../support/callers.ts';
import type { FuseFixture } from '../support/fixture.ts';
import type { FuseFile, FuseTree } from '../support/fusefs.ts';
import { shellAs, withRealUsers } from '../support/realusers.ts';

const { O_RDWR, O_RDONLY, O_DIRECTORY, R_OK, W_OK, X_OK } = constants;
const DENIED = ['permission denied', 'EACCES'] as const;
const NOT_OWNER = ['permission denied', 'EPERM'] as const;
const STAFF = 72001;
const NOBODYS = 0xffffffff;

/** chgrp TEAM clone; chmod 660 clone. */
async function openToTeam(t: FuseFixture): Promise<void> {
  await t.client.setStat('tcp/clone', { gid: TEAM });
  await t.client.chmod('tcp/clone', 0o660);
}

const openAt = (tree: FuseTree, dir: FuseFile, path: string): Promise<unknown> =>
  tree.client.call('openat', { a: dir.fd, b: O_RDWR, bytes: Buffer.from(path) });

withRealUsers('a group that clone is given to', t => {
  it('connects, and another user is refused', async () => {
    await openToTeam(t);
    const [alice, carol] = [await t.as(ALICE), await t.as(CAROL)];
    const call = await t.connect(alice);
    await call.data.write('hello');
    await t.refuses(t.clone(carol), ...DENIED);
    const { address } = await t.remote();
    await t.refuses(carol.open(`dial/tcp!${address}`, 'rw'), ...DENIED);
  });

  it('does so from a shell, by setpriv, whoever the uid is', async () => {
    await openToTeam(t);
    const remote = await t.remote();
    // The number has no newline behind it, so that read fails with it.
    const script = `exec 3<>tcp/clone; read -r n <&3; echo 'connect ${remote.address}' >&3; cat tcp/$n/status`;
    const member = await shellAs(t, { uid: 74321, gid: 74321, groups: [STAFF, TEAM] }, script);
    assert.match(member.stdout, /^Established /, member.stderr);
    const stranger = await shellAs(t, { uid: 74322, gid: 74322, groups: [STAFF] }, script);
    assert.match(stranger.stderr, /Permission denied/);
    assert.notEqual(stranger.code, 0);
  });

  it('counts when it is a primary group that the database does not have', async () => {
    await openToTeam(t);
    const carol = await t.as({ uid: CAROL.uid, gid: TEAM, groups: [] });
    await t.clone(carol);
    t.server.refreshGroups();
    await t.clone(carol);
  });

  for (const count of [40, 1000]) {
    it(`counts when it is the last of a user's ${count} groups`, async () => {
      const last = 80_000 + count;
      await t.client.setStat('tcp/clone', { gid: last });
      await t.client.chmod('tcp/clone', 0o660);
      const groups = Array.from({ length: count }, (_, i) => 80_001 + i);
      await t.clone(await t.as({ uid: 74321, gid: 74321, groups }));
      await t.refuses(
        t.clone(await t.as({ uid: 74321, gid: 74321, groups: groups.slice(0, -1) })),
        ...DENIED,
      );
    });
  }
});

withRealUsers('a directory that is closed to others', t => {
  it('closes everything below it, and dialling by an address', async () => {
    await t.client.chmod('tcp/clone', 0o666);
    const alice = await t.as(ALICE);
    const { dir } = await t.clone(alice);
    const { address } = await t.remote();
    await t.client.chmod('tcp', 0o750);
    for (const path of ['tcp/clone', 'tcp/stats', `${dir}/ctl`, `${dir}/data`, `${dir}/status`]) {
      await t.refuses(alice.stat(path), ...DENIED);
      await t.refuses(alice.open(path, 'r'), ...DENIED);
    }
    await t.refuses(alice.readdir('tcp'), ...DENIED);
    for (const network of ['tcp', 'net']) {
      await t.refuses(alice.open(`dial/${network}!${address}`, 'rw'), ...DENIED);
    }
    await t.clone();
  });

  it('is open to its group', async () => {
    await t.client.chmod('tcp/clone', 0o666);
    await t.client.setStat('tcp', { gid: TEAM });
    await t.client.chmod('tcp', 0o750);
    await t.clone(await t.as(ALICE));
    await t.refuses(t.clone(await t.as(CAROL)), ...DENIED);
  });

  it('is closed by a handle of it too, and to who works in it', async () => {
    await t.client.chmod('tcp/clone', 0o666);
    const [alice, bob] = [await t.as(ALICE), await t.as(BOB)];
    const handle = await alice.openWith('tcp', O_RDONLY | O_DIRECTORY);
    await bob.call('chdir', 'tcp');
    await openAt(alice, handle, 'clone');
    await bob.open('clone', 'rw');
    await t.client.chmod('tcp', 0o750);
    await t.refuses(openAt(alice, handle, 'clone'), ...DENIED);
    await t.refuses(openAt(alice, handle, '0/ctl'), ...DENIED);
    await t.refuses(bob.open('clone', 'rw'), ...DENIED);
    await t.refuses(bob.stat('stats'), ...DENIED);
    await t.refuses(bob.open('0/ctl', 'rw'), ...DENIED);
  });
});

withRealUsers('a file', t => {
  it("is given away by the server's owner alone", async () => {
    await t.client.chmod('tcp/clone', 0o666);
    const alice = await t.as(ALICE);
    const { dir } = await t.clone(alice);
    await t.refuses(alice.setStat(`${dir}/ctl`, { uid: BOB.uid }), ...NOT_OWNER);
    await t.refuses((await t.as(BOB)).setStat(`${dir}/ctl`, { uid: BOB.uid }), ...NOT_OWNER);
    await t.client.setStat(`${dir}/ctl`, { uid: BOB.uid });
    await (await t.as(BOB)).open(`${dir}/ctl`, 'rw');
  });

  it("goes to one of its owner's own groups, and to no other", async () => {
    await t.client.chmod('tcp/clone', 0o666);
    const alice = await t.as(ALICE);
    const { dir } = await t.clone(alice);
    await alice.setStat(`${dir}/ctl`, { gid: TEAM });
    assert.equal((await alice.stat(`${dir}/ctl`)).gid, TEAM);
    for (const gid of [CAROL.gid, STAFF, 0]) {
      await t.refuses(alice.setStat(`${dir}/ctl`, { gid }), ...NOT_OWNER);
    }
    assert.equal((await alice.stat(`${dir}/ctl`)).gid, TEAM);
  });

  it('has its bits changed by its owner, and by nobody else but who owns the server', async () => {
    await t.client.chmod('tcp/clone', 0o666);
    const [alice, bob] = [await t.as(ALICE), await t.as(BOB)];
    const { dir } = await t.clone(alice);
    await alice.setStat(`${dir}/ctl`, { gid: TEAM });
    await t.refuses(bob.chmod(`${dir}/ctl`, 0o660), ...NOT_OWNER);
    await t.refuses(bob.open(`${dir}/ctl`, 'rw'), ...DENIED);
    await alice.chmod(`${dir}/ctl`, 0o660);
    await bob.open(`${dir}/ctl`, 'rw');
    await t.client.chmod(`${dir}/ctl`, 0o600);
    await t.refuses(bob.open(`${dir}/ctl`, 'rw'), ...DENIED);
  });

  it("belongs to nobody who is only root here, where the server is another's", async () => {
    const root = await t.as({ uid: 0, gid: 0, groups: [0] });
    await t.refuses(t.clone(root), ...DENIED);
    await t.refuses(root.chmod('tcp/clone', 0o666), ...NOT_OWNER);
    await t.refuses(root.setStat('tcp/clone', { uid: 0 }), ...NOT_OWNER);
  });
});

withRealUsers("the server's owner", t => {
  it('passes where others are shut out, and does not where no x bit is set at all', async () => {
    await t.client.chmod('tcp', 0o001);
    await t.clone();
    await t.client.chmod('tcp', 0o666);
    await t.refuses(t.clone(), ...DENIED);
    await t.refuses(t.client.stat('tcp/stats'), ...DENIED);
    await t.refuses(t.client.open('dial/tcp!127.0.0.1!1', 'rw'), ...DENIED);
    await t.client.call('access', 'tcp', { a: R_OK | W_OK });
    await t.refuses(t.client.call('access', 'tcp', { a: X_OK }), ...DENIED);
    assert((await t.client.readdir('tcp')).length > 0);
    await t.client.chmod('tcp', 0o555);
    await t.clone();
  });
});

withRealUsers('a process', t => {
  it('that gives its groups up keeps what it has open, and opens no more', async () => {
    await openToTeam(t);
    // Only root gives groups up; he owns nothing here.
    const process = await t.as({ uid: 0, gid: 0, groups: [TEAM] });
    const conv = await t.clone(process);
    const clone = await process.open('tcp/clone', 'rw');
    await process.client.call('setgroups', {});
    await conv.ctl.write('announce 127.0.0.1!0');
    await clone.write('announce 127.0.0.1!0');
    await t.refuses(t.clone(process), ...DENIED);
  });
});

withRealUsers('a group that is taken away', (t, database) => {
  it('counts no more from then on, although its process runs and carries it', async () => {
    await openToTeam(t);
    const [alice, bob] = [await t.as(ALICE), await t.as(BOB)];
    await t.clone(alice);
    database().setGroups(ALICE);
    t.server.refreshGroups();
    await t.refuses(t.clone(alice), ...DENIED);
    await t.refuses(t.clone(await t.as(ALICE)), ...DENIED);
    await t.clone(bob);
    database().setGroups(ALICE, TEAM);
    t.server.refreshGroups();
    await t.clone(alice);
  });

  it('opens no directory either, by no handle that was opened before', async () => {
    await t.client.chmod('tcp/clone', 0o666);
    await t.client.setStat('tcp', { gid: TEAM });
    await t.client.chmod('tcp', 0o750);
    const alice = await t.as(ALICE);
    const handle = await alice.openWith('tcp', O_RDONLY | O_DIRECTORY);
    await openAt(alice, handle, 'clone');
    database().setGroups(ALICE);
    t.server.refreshGroups();
    await t.refuses(openAt(alice, handle, 'clone'), ...DENIED);
  });

  it('is not a group of his to give files to', async () => {
    await t.client.chmod('tcp/clone', 0o666);
    const alice = await t.as(ALICE);
    const { dir } = await t.clone(alice);
    await alice.setStat(`${dir}/ctl`, { gid: TEAM });
    await alice.setStat(`${dir}/ctl`, { gid: ALICE.gid });
    database().setGroups(ALICE);
    t.server.refreshGroups();
    await t.refuses(alice.setStat(`${dir}/ctl`, { gid: TEAM }), ...NOT_OWNER);
  });
});

describe('a caller by FUSE', () => {
  const file = { owner: GLENDA, gid: TEAM, mode: 0o064 };
  const authority = new Authority(GLENDA);
  const header = (ids: Partial<Header>): Header => ({
    ...{ unique: 1, nodeid: 1, uid: ALICE.uid, gid: ALICE.gid, pid: 0 },
    ...ids,
  });

  it('whose process is gone before its groups are asked for gets what others have, too', () => {
    const { pid } = spawnSync('true');
    const caller = callerOf(header({ pid }), people, 'ours');
    assert.equal(caller.groups, undefined);
    assert(authority.allows(caller, file, R));
    assert(!authority.allows(caller, file, W));
  });

  it('whose number went to a process of somebody else has not its groups', () => {
    const [uid, gid] = [process.getuid!(), process.getgid!()];
    assert.notEqual(groupsOf(process.pid, uid, gid), undefined);
    assert.equal(groupsOf(process.pid, uid + 1, gid), undefined);
    assert.equal(groupsOf(process.pid, uid, gid + 1), undefined);
  });

  it('of another pid namespace has no groups, whosever number that is here', () => {
    const [uid, gid] = [process.getuid!(), process.getgid!()];
    const here = header({ uid, gid, pid: process.pid });
    assert.notEqual(callerOf(here, people, 'ours').groups, undefined);
    assert.equal(callerOf(here, people, 'users').groups, undefined);
    assert.equal(callerOf(here, people, 'users').pid, undefined);
    assert.equal(callerOf({ ...here, pid: 0 }, people, 'ours').groups, undefined);
  });

  it('whom the user namespace of the mount does not have is nobody', () => {
    for (const ids of [{ uid: NOBODYS }, { gid: NOBODYS }]) {
      assert.equal(callerOf(header(ids), people, 'ours').anonymous, true);
    }
  });

  it('of another user namespace is nobody, root and the owner by number included', () => {
    for (const uid of [0, GLENDA.uid, ALICE.uid]) {
      const caller = callerOf(header({ uid, gid: TEAM }), people, 'unknown');
      assert.equal(caller.anonymous, true);
      assert(!authority.isOwner(caller));
      assert(!authority.allows(caller, file, W));
    }
  });
});
