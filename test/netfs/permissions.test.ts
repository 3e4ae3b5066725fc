/** Who may do what: owners, groups and bits, as on any Unix. ip(3). */
import assert from 'node:assert/strict';
import { connect, type Client, type File } from '../../src/client/index.ts';
import { NOBODY, unauthenticated, type Caller } from '../../src/policy/identity.ts';
import { ALICE, BOB, CAROL, GLENDA, people, TEAM } from '../support/callers.ts';
import {
  close,
  eventually,
  forEachDialect,
  forEachDoor,
  type Fixture,
  type NinepFixture,
} from '../support/fixture.ts';
import type { OpenFile, Tree } from '../support/tree.ts';

const DENIED = ['permission denied', 'EACCES'] as const;
/** chmod(2) and chown(2) of what is another's. */
const NOT_OWNER = ['permission denied', 'EPERM'] as const;
const CHANGEABLE = ['ctl', 'data'];
const CONVERSATIONS_OWN = ['ctl', 'data', 'err', 'listen'];
const READ_ONLY = ['local', 'remote', 'status'];

/** A server of Glenda's whose clone is open to all, and a client of each. */
function forEachDoorAndCaller(subject: string, define: (t: Fixture, by: Clients) => void): void {
  forEachDoor(subject, t => define(t, callers(t)), OPTIONS);
}

/** For what is about fids. */
function forEachDialectAndCaller(
  subject: string,
  define: (t: NinepFixture, by: Clients<Client>) => void,
): void {
  forEachDialect(subject, t => define(t, callers<File, Client>(t)), OPTIONS);
}

const OPTIONS = () => ({ owner: GLENDA, users: people });

function callers<F extends OpenFile, C extends Tree<F>>(t: Fixture<F, C>): Clients<C> {
  const by = {} as Clients<C>;
  beforeEach(async () => {
    await t.client.chmod('tcp/clone', 0o666);
    by.glenda = t.client;
    [by.alice, by.bob, by.carol] = [await t.as(ALICE), await t.as(BOB), await t.as(CAROL)];
  });
  return by;
}

interface Clients<C = Tree> {
  glenda: C;
  /** In the group `team`, as Bob is. */
  alice: C;
  bob: C;
  carol: C;
}

/** Owner and group, by name in 9P2000 and by number else. */
function owners(t: Fixture, owner: Caller | undefined, group?: number) {
  const plain = t.door === '9P2000';
  return {
    ...(owner && { uid: plain ? owner.name : owner.uid }),
    ...(group !== undefined && { gid: plain ? people.groupName(group) : group }),
  };
}

/** What stat tells: owner and group by number, and the mode. */
async function permissions(t: Fixture, path: string): Promise<[number, number, string]> {
  const { owner, group, uid, gid, mode } = await t.client.stat(path);
  const octal = mode.toString(8).padStart(4, '0');
  if (t.door !== '9P2000') return [uid!, gid!, octal];
  return [people.byName(owner!)!.uid, people.groupId(group!)!, octal];
}

/** Which of reading, writing and both a client may do with a file. */
async function allowed(t: Fixture, path: string, client: Tree): Promise<string[]> {
  const granted: string[] = [];
  for (const mode of ['r', 'w', 'rw'] as const) {
    await client.open(path, mode).then(
      file => {
        granted.push(mode);
        return file.close();
      },
      (error: Error) => t.refuses(Promise.reject(error), ...DENIED),
    );
  }
  return granted;
}

const ALL = ['r', 'w', 'rw'];

forEachDoorAndCaller('a conversation', (t, by) => {
  it('belongs to who opened clone, and nobody else may open its files', async () => {
    const { dir } = await t.clone(by.alice);
    for (const file of CONVERSATIONS_OWN) {
      assert.deepEqual(await permissions(t, `${dir}/${file}`), [ALICE.uid, ALICE.gid, '0600'], file);
    }
    assert.deepEqual(await permissions(t, dir), [ALICE.uid, ALICE.gid, '0555']);
    for (const file of CHANGEABLE) {
      assert.deepEqual(await allowed(t, `${dir}/${file}`, by.alice), ALL);
      assert.deepEqual(await allowed(t, `${dir}/${file}`, by.bob), []);
      assert.deepEqual(await allowed(t, `${dir}/${file}`, by.carol), []);
    }
    for (const file of ['err', 'listen']) {
      await t.refuses(by.bob.open(`${dir}/${file}`, 'r'), ...DENIED);
    }
  });

  it('shows all its local, remote and status, to read only', async () => {
    const { dir } = await t.clone(by.alice);
    for (const file of READ_ONLY) {
      assert.deepEqual(await permissions(t, `${dir}/${file}`), [ALICE.uid, ALICE.gid, '0444'], file);
      for (const client of Object.values(by) as Tree[]) {
        assert.deepEqual(await allowed(t, `${dir}/${file}`, client), ['r']);
      }
    }
  });

  it("is open to the server's owner, whatever its bits", async () => {
    const { dir } = await t.clone(by.alice);
    await by.alice.chmod(`${dir}/ctl`, 0);
    assert.deepEqual(await allowed(t, `${dir}/data`, by.glenda), ALL);
  });

  it("is the server's owner's again when it is closed, with the bits of the beginning", async () => {
    const { ctl, dir } = await t.clone(by.alice);
    await by.alice.chmod(`${dir}/ctl`, 0o666);
    await ctl.close();
    await eventually(async () => (await permissions(t, `${dir}/ctl`))[0] === GLENDA.uid);
    assert.deepEqual(await permissions(t, `${dir}/ctl`), [GLENDA.uid, GLENDA.gid, '0600']);
    await t.refuses(by.alice.open(`${dir}/ctl`, 'rw'), ...DENIED);
  });
});

forEachDoorAndCaller('truncation', (t, by) => {
  it('changes nothing, and is only for who may write', async () => {
    const { dir } = await t.clone(by.alice);
    for (const path of [`${dir}/ctl`, `${dir}/data`, 'tcp/stats']) {
      await t.refuses(by.bob.setStat(path, { length: 0 }), ...DENIED);
    }
    await by.alice.setStat(`${dir}/ctl`, { length: 0 });
    await by.alice.chmod(`${dir}/ctl`, 0o622);
    await by.bob.setStat(`${dir}/data`, { length: 0 });
    await by.alice.chmod(`${dir}/ctl`, 0o644);
    await t.refuses(by.bob.setStat(`${dir}/data`, { length: 0 }), ...DENIED);
  });
});

forEachDoorAndCaller('chmod', (t, by) => {
  for (const file of CHANGEABLE) {
    it(`of ${file} by its owner changes the whole conversation, and its read-only files not`, async () => {
      const { dir } = await t.clone(by.alice);
      await by.alice.chmod(`${dir}/${file}`, 0o640);
      for (const each of CONVERSATIONS_OWN) {
        assert.equal((await permissions(t, `${dir}/${each}`))[2], '0640', each);
      }
      for (const each of READ_ONLY) assert.equal((await permissions(t, `${dir}/${each}`))[2], '0444', each);
      assert.equal((await permissions(t, dir))[2], '0555');
    });
  }

  it('sets no execute bits on a conversation', async () => {
    const { dir } = await t.clone(by.alice);
    await by.alice.chmod(`${dir}/ctl`, 0o777);
    assert.equal((await permissions(t, `${dir}/ctl`))[2], '0666');
  });

  it("is given to the server's owner too", async () => {
    const { dir } = await t.clone(by.alice);
    await by.glenda.chmod(`${dir}/ctl`, 0o606);
    assert.deepEqual(await permissions(t, `${dir}/ctl`), [ALICE.uid, ALICE.gid, '0606']);
  });

  it('is denied to everybody else, even if he may write', async () => {
    const { dir } = await t.clone(by.alice);
    await by.alice.setStat(`${dir}/ctl`, { mode: 0o666, ...owners(t, undefined, TEAM) });
    for (const client of [by.bob, by.carol]) {
      for (const file of CHANGEABLE) await t.refuses(client.chmod(`${dir}/${file}`, 0o600), ...NOT_OWNER);
    }
    assert.equal((await permissions(t, `${dir}/ctl`))[2], '0666');
  });

  it('is denied on all other files of a conversation', async () => {
    const { dir } = await t.clone(by.alice);
    for (const file of ['', 'err', 'listen', ...READ_ONLY]) {
      await t.refuses(by.alice.chmod(`${dir}/${file}`, 0o555), ...NOT_OWNER);
      await t.refuses(by.glenda.chmod(`${dir}/${file}`, 0o555), ...NOT_OWNER);
    }
    for (const path of ['', 'tcp/stats']) await t.refuses(by.glenda.chmod(path, 0o444), ...NOT_OWNER);
  });

  it('shares a conversation with others, for as much as the bits say', async () => {
    const { dir } = await t.clone(by.alice);
    for (const [bits, granted] of [
      [0o604, ['r']],
      [0o602, ['w']],
      [0o606, ALL],
      [0o660, []],
      [0o600, []],
    ] as const) {
      await by.alice.chmod(`${dir}/data`, bits);
      assert.deepEqual(await allowed(t, `${dir}/data`, by.carol), granted, bits.toString(8));
      assert.deepEqual(await allowed(t, `${dir}/ctl`, by.carol), granted, bits.toString(8));
    }
  });

  it('takes the bits from the owner as well', async () => {
    const { dir } = await t.clone(by.alice);
    await by.alice.chmod(`${dir}/ctl`, 0o466);
    assert.deepEqual(await allowed(t, `${dir}/data`, by.alice), ['r']);
    assert.deepEqual(await allowed(t, `${dir}/data`, by.carol), ALL);
    await by.alice.chmod(`${dir}/ctl`, 0o600);
    assert.deepEqual(await allowed(t, `${dir}/data`, by.alice), ALL);
  });
});

forEachDoorAndCaller('chgrp', (t, by) => {
  it('and the group bits let a supplementary group in', async () => {
    const { dir } = await t.clone(by.alice);
    await by.alice.setStat(`${dir}/ctl`, { mode: 0o640, ...owners(t, undefined, TEAM) });
    assert.deepEqual(await permissions(t, `${dir}/data`), [ALICE.uid, TEAM, '0640']);
    assert.deepEqual(await allowed(t, `${dir}/data`, by.bob), ['r']);
    assert.deepEqual(await allowed(t, `${dir}/data`, by.carol), []);
    await by.alice.chmod(`${dir}/ctl`, 0o660);
    assert.deepEqual(await allowed(t, `${dir}/data`, by.bob), ALL);
  });

  it('lets a primary group in', async () => {
    const { dir } = await t.clone(by.alice);
    await by.glenda.setStat(`${dir}/ctl`, { mode: 0o660, ...owners(t, undefined, BOB.gid) });
    assert.deepEqual(await allowed(t, `${dir}/data`, by.bob), ALL);
    assert.deepEqual(await allowed(t, `${dir}/data`, by.carol), []);
  });

  it('makes the group bits count for members, even where the others have more', async () => {
    const { dir } = await t.clone(by.alice);
    await by.alice.setStat(`${dir}/ctl`, { mode: 0o606, ...owners(t, undefined, TEAM) });
    assert.deepEqual(await allowed(t, `${dir}/data`, by.bob), []);
    assert.deepEqual(await allowed(t, `${dir}/data`, by.carol), ALL);
  });

  it('is given to the owner for the groups that he is in', async () => {
    const { dir } = await t.clone(by.alice);
    for (const group of [TEAM, ALICE.gid, ALICE.gid]) {
      await by.alice.setStat(`${dir}/data`, owners(t, undefined, group));
      assert.equal((await permissions(t, `${dir}/ctl`))[1], group);
    }
    await t.refuses(by.alice.setStat(`${dir}/data`, owners(t, undefined, CAROL.gid)), ...NOT_OWNER);
    assert.equal((await permissions(t, `${dir}/ctl`))[1], ALICE.gid);
  });

  it('is denied to others', async () => {
    const { dir } = await t.clone(by.alice);
    await t.refuses(by.bob.setStat(`${dir}/ctl`, owners(t, undefined, TEAM)), ...NOT_OWNER);
  });
});

forEachDoorAndCaller('chown', (t, by) => {
  it("is given to the server's owner, and the new owner is in, the old one out", async () => {
    const { dir } = await t.clone(by.alice);
    const data = await by.alice.open(`${dir}/data`, 'rw');
    await by.glenda.setStat(`${dir}/ctl`, owners(t, BOB));
    assert.deepEqual(await permissions(t, `${dir}/data`), [BOB.uid, ALICE.gid, '0600']);
    assert.deepEqual(await allowed(t, `${dir}/data`, by.bob), ALL);
    assert.deepEqual(await allowed(t, `${dir}/data`, by.carol), []);
    await t.refuses(by.alice.open(`${dir}/ctl`, 'rw'), ...DENIED);
    // As on Unix, what is open stays open.
    await t.refuses(data.read(), 'not connected', 'ENOTCONN');
    await by.bob.chmod(`${dir}/ctl`, 0o666);
    await t.refuses(by.alice.chmod(`${dir}/ctl`, 0o600), ...NOT_OWNER);
  });

  it('to somebody else is denied to the owner; to himself it changes nothing', async () => {
    const { dir } = await t.clone(by.alice);
    await t.refuses(by.alice.setStat(`${dir}/ctl`, owners(t, BOB)), ...NOT_OWNER);
    await by.alice.setStat(`${dir}/ctl`, owners(t, ALICE));
    assert.deepEqual(await permissions(t, `${dir}/ctl`), [ALICE.uid, ALICE.gid, '0600']);
  });

  it("to oneself does not take what is another's", async () => {
    const { dir } = await t.clone(by.alice);
    await by.alice.chmod(`${dir}/ctl`, 0o666);
    await t.refuses(by.bob.setStat(`${dir}/ctl`, owners(t, BOB)), ...NOT_OWNER);
  });

  it('is all or nothing with what is asked beside it', async () => {
    const { dir } = await t.clone(by.alice);
    await t.refuses(by.alice.setStat(`${dir}/ctl`, { mode: 0o666, ...owners(t, BOB) }), ...NOT_OWNER);
    await t.refuses(
      by.alice.setStat(`${dir}/ctl`, { mode: 0o666, ...owners(t, undefined, CAROL.gid) }),
      ...NOT_OWNER,
    );
    assert.deepEqual(await permissions(t, `${dir}/ctl`), [ALICE.uid, ALICE.gid, '0600']);
    await by.glenda.setStat(`${dir}/ctl`, { mode: 0o640, ...owners(t, BOB, TEAM) });
    assert.deepEqual(await permissions(t, `${dir}/ctl`), [BOB.uid, TEAM, '0640']);
  });

  if (t.door === '9P2000') {
    it('to a name that nobody has is refused', async () => {
      const { dir } = await t.clone(by.alice);
      await t.refuses(by.glenda.setStat(`${dir}/ctl`, { uid: 'mallory' }), 'unknown user', 'EACCES');
      await t.refuses(by.glenda.setStat(`${dir}/ctl`, { gid: 'mallory' }), 'unknown user', 'EACCES');
    });
  }
});

forEachDoorAndCaller('clone', (t, by) => {
  it('lets a group make conversations with two commands: chgrp and chmod', async () => {
    await by.glenda.chmod('tcp/clone', 0o600);
    for (const client of [by.alice, by.bob, by.carol]) await t.refuses(t.clone(client), ...DENIED);
    await by.glenda.setStat('tcp/clone', owners(t, undefined, TEAM));
    await by.glenda.chmod('tcp/clone', 0o660);
    assert.deepEqual(await permissions(t, 'tcp/clone'), [GLENDA.uid, TEAM, '0660']);
    await t.clone(by.alice);
    await t.clone(by.bob);
    await t.refuses(t.clone(by.carol), ...DENIED);
  });

  it("is changed by the server's owner alone", async () => {
    for (const client of [by.alice, by.bob]) {
      await t.refuses(client.chmod('tcp/clone', 0o666), ...NOT_OWNER);
      await t.refuses(client.setStat('tcp/clone', owners(t, undefined, TEAM)), ...NOT_OWNER);
      await t.refuses(client.setStat('tcp/clone', owners(t, ALICE)), ...NOT_OWNER);
    }
    assert.deepEqual(await permissions(t, 'tcp/clone'), [GLENDA.uid, GLENDA.gid, '0666']);
  });

  it('may be given away, and then its owner changes it', async () => {
    await by.glenda.setStat('tcp/clone', { mode: 0o600, ...owners(t, ALICE) });
    await t.clone(by.alice);
    await t.refuses(t.clone(by.bob), ...DENIED);
    await by.alice.chmod('tcp/clone', 0o606);
    await t.clone(by.bob);
  });

  it('that is closed to a caller leaves him the conversations that he has', async () => {
    const { ctl, dir } = await t.clone(by.alice);
    await by.glenda.chmod('tcp/clone', 0o600);
    await close(await by.alice.open(`${dir}/data`, 'rw'));
    await ctl.write('announce 127.0.0.1!0');
    await t.refuses(t.clone(by.alice), ...DENIED);
  });
});

forEachDoorAndCaller('the directory tcp', (t, by) => {
  it("without x keeps everybody but the server's owner out, whom it had let in before too", async () => {
    const { dir } = await t.clone(by.alice);
    const paths = ['tcp/clone', 'tcp/stats', dir, `${dir}/ctl`];
    for (const path of paths) await by.alice.stat(path);
    await by.glenda.chmod('tcp', 0o744);
    for (const path of paths) {
      await t.refuses(by.alice.stat(path), ...DENIED);
      await t.refuses(by.alice.open(path), ...DENIED);
      await t.refuses(by.alice.chmod(path, 0o666), ...DENIED);
    }
    await close((await t.clone(by.glenda)).ctl);
    await by.glenda.chmod('tcp', 0o755);
    await t.touch(`${dir}/ctl`, 'rw', by.alice);
  });

  it('without r cannot be listed, but its files can be reached', async () => {
    await by.glenda.chmod('tcp', 0o711);
    await t.refuses(by.alice.readdir('tcp'), ...DENIED);
    await t.clone(by.alice);
  });

  it("is changed by the server's owner alone", async () => {
    await t.refuses(by.alice.chmod('tcp', 0o777), ...NOT_OWNER);
    assert.equal((await permissions(t, 'tcp'))[2], '0555');
  });
});

forEachDialectAndCaller('a fid that was walked before', (t, by) => {
  it("below a directory that lost its x opens for nobody but the server's owner", async () => {
    const { dir } = await t.clone(by.alice);
    const [ctl, clone] = [await by.alice.walk(`${dir}/ctl`), await by.alice.walk('tcp/clone')];
    await by.glenda.chmod('tcp', 0o744);
    await t.refuses(by.alice.walk('tcp/clone'), ...DENIED);
    await t.refuses(ctl.open('rw'), ...DENIED);
    await t.refuses(clone.open('rw'), ...DENIED);
    await t.refuses(ctl.setStat({ mode: 0o666 }), ...DENIED);
    await close((await t.clone(by.glenda)).ctl);
    await by.glenda.chmod('tcp', 0o755);
    await ctl.open('rw');
  });

  it('the bits were taken away is checked when it is opened', async () => {
    const { dir } = await t.clone(by.alice);
    await by.alice.chmod(`${dir}/ctl`, 0o666);
    const fids = await Promise.all(CONVERSATIONS_OWN.map(file => by.carol.walk(`${dir}/${file}`)));
    await by.alice.chmod(`${dir}/ctl`, 0o600);
    for (const fid of fids) await t.refuses(fid.open('r'), ...DENIED);
  });

  it('the bits were given opens', async () => {
    const { dir } = await t.clone(by.alice);
    const fid = await by.carol.walk(`${dir}/data`);
    await by.alice.chmod(`${dir}/ctl`, 0o606);
    await fid.open('rw');
  });

  it('its number went to somebody else opens for nobody but him', async () => {
    const first = await t.clone(by.alice);
    await by.alice.chmod(`${first.dir}/ctl`, 0o666);
    const clients = [by.alice, by.bob];
    const fids = await Promise.all(
      clients.flatMap(client => CONVERSATIONS_OWN.map(file => client.walk(`${first.dir}/${file}`))),
    );
    const his = await by.carol.walk(`${first.dir}/ctl`);
    await first.ctl.close();
    assert.equal((await t.clone(by.carol)).dir, first.dir);
    for (const fid of fids) {
      await t.refuses(fid.open('r'), ...DENIED);
      await t.refuses(fid.setStat({ mode: 0o666 }), ...NOT_OWNER);
    }
    await his.open('rw');
  });
});

forEachDoorAndCaller('a file that was opened before', (t, by) => {
  it('stays with its conversation: it gives no way to the next one of the number', async () => {
    const call = await t.connect(by.alice);
    const err = await by.alice.open(`${call.dir}/err`, 'r');
    await close(call.ctl, call.data, err);
    call.socket.end();
    await eventually(async () => (await t.state(call)) === 'Closed');
    const old = await by.glenda.open(`${call.dir}/err`, 'r');
    const next = await t.clone(by.carol);
    assert.equal(next.dir, call.dir);
    await t.refuses(next.ctl.write('secret'), 'unknown control request', 'EINVAL');
    assert.equal((await old.read(100, 0)).length, 0);
  });

  it('keeps what it was opened for when the bits are taken away', async () => {
    const { dir } = await t.clone(by.alice);
    await by.alice.chmod(`${dir}/ctl`, 0o606);
    const ctl = await by.carol.open(`${dir}/ctl`, 'rw');
    await by.alice.chmod(`${dir}/ctl`, 0o600);
    await t.refuses(by.carol.open(`${dir}/ctl`, 'rw'), ...DENIED);
    assert.equal(await t.number(ctl), '0');
    await ctl.write('announce 127.0.0.1!0');
  });
});

forEachDoorAndCaller('truncating and setting times', (t, by) => {
  it('changes nothing on control files, and is no error', async () => {
    const { dir } = await t.clone(by.alice);
    for (const path of [`${dir}/ctl`, `${dir}/data`]) {
      const before = await by.alice.stat(path);
      await by.alice.setStat(path, { length: 0 });
      await by.alice.setStat(path, { mtime: 1 });
      await by.alice.setStat(path, { length: 0, mtime: 1 });
      assert.deepEqual(await by.alice.stat(path), before);
    }
    await by.glenda.setStat('tcp/clone', { length: 0 });
    await by.glenda.setStat('tcp/clone', { mtime: 1 });
  });

  it('beside a chmod does not keep the chmod from working', async () => {
    const { dir } = await t.clone(by.alice);
    await by.alice.setStat(`${dir}/ctl`, { length: 0, mtime: 1, mode: 0o644 });
    assert.equal((await permissions(t, `${dir}/ctl`))[2], '0644');
  });

  it('is what a shell does before it writes: the message arrives', async () => {
    const conv = await t.clone(by.alice);
    await by.alice.writeFile(`${conv.dir}/ctl`, 'announce 127.0.0.1!0\n');
    assert.equal(await t.state(conv), 'Listen');
  });
});

forEachDialectAndCaller('somebody of whom nobody knows who he is', (t, by) => {
  const anonymous = async (): Promise<Client> => {
    const client = await connect(await t.socketAs({ caller: unauthenticated(), claims: 'ignored' }), {
      dialect: t.dialect,
    });
    t.after(() => client.close());
    return client;
  };

  it('is `none`', async () => {
    const { dir } = await t.clone(await anonymous());
    const { owner, uid } = await t.client.stat(`${dir}/ctl`);
    if (t.dialect === '9P2000.L') assert.equal(uid, NOBODY);
    else assert.equal(owner, 'none');
  });

  it('shares his conversations with nobody, not with another `none`', async () => {
    const [first, second] = [await anonymous(), await anonymous()];
    const { dir } = await t.clone(first);
    assert.deepEqual(await allowed(t, `${dir}/data`, first), ALL);
    assert.deepEqual(await allowed(t, `${dir}/data`, second), []);
    await t.refuses(second.chmod(`${dir}/ctl`, 0o666), ...NOT_OWNER);
    await first.chmod(`${dir}/ctl`, 0o606);
    assert.deepEqual(await allowed(t, `${dir}/data`, second), ALL);
  });

  it('is in no group', async () => {
    const [first, second] = [await anonymous(), await anonymous()];
    const { dir } = await t.clone(first);
    await first.chmod(`${dir}/ctl`, 0o660);
    assert.deepEqual(await allowed(t, `${dir}/data`, second), []);
    const other = await t.clone(by.alice);
    await by.glenda.setStat(
      `${other.dir}/ctl`,
      t.dialect === '9P2000' ? { gid: String(NOBODY) } : { gid: NOBODY },
    );
    await by.alice.chmod(`${other.dir}/ctl`, 0o660);
    assert.deepEqual(await allowed(t, `${other.dir}/data`, first), []);
  });

  it('is not the user who happens to have the number of nobody', async () => {
    const nobody = await t.as({ name: 'nobody', uid: NOBODY, gid: NOBODY, groups: [NOBODY] });
    const none = await anonymous();
    const [his, mine] = [await t.clone(nobody), await t.clone(none)];
    assert.deepEqual(await allowed(t, `${his.dir}/data`, none), []);
    assert.deepEqual(await allowed(t, `${mine.dir}/data`, nobody), []);
  });

  it('makes no conversation where clone is not open to all', async () => {
    await by.glenda.chmod('tcp/clone', 0o660);
    await t.refuses(t.clone(await anonymous()), ...DENIED);
  });
});
