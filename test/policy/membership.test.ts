/** Groups that are given and taken while processes and attaches live. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { FsError } from '../../src/netfs/error.ts';
import { identify, type Caller } from '../../src/policy/identity.ts';
import { Memberships, upToDate } from '../../src/policy/membership.ts';
import { Authority, R, W, X } from '../../src/policy/permissions.ts';
import { ALICE, BOB, GLENDA, TEAM } from '../support/callers.ts';
import { UserDatabase } from '../support/realusers.ts';

const STAFF = 72001;

/** A process of a user's, with groups that stay as they are. */
const processOf = (who: Caller, ...groups: number[]): Caller => ({ ...who, groups });

describe('a membership', () => {
  let database: UserDatabase;
  let memberships: Memberships;
  let authority: Authority;
  const file = { owner: GLENDA, gid: TEAM, mode: 0o060 };
  const may = (caller: Caller): boolean => authority.allows(caller, file, R | W);

  beforeEach(() => {
    database = new UserDatabase();
    memberships = new Memberships(database);
    authority = new Authority(GLENDA, { memberships });
  });

  it('that is taken away counts no more from the refresh on, though a process carries it', () => {
    const process = processOf(ALICE, TEAM);
    assert(may(process));
    database.setGroups(ALICE);
    assert(may(process));
    assert(memberships.refresh());
    assert(!may(process));
    assert(may(processOf(BOB, TEAM)));
  });

  it('that is given back counts again', () => {
    assert(may(processOf(ALICE, TEAM)));
    database.setGroups(ALICE);
    memberships.refresh();
    database.setGroups(ALICE, TEAM);
    assert(memberships.refresh());
    assert(may(processOf(ALICE, TEAM)));
  });

  it('that was given later, and then taken, counts no more either', () => {
    database.setGroups(ALICE);
    assert(may(processOf(ALICE, TEAM)));
    database.setGroups(ALICE, TEAM);
    memberships.refresh();
    assert(may(processOf(ALICE, TEAM)));
    database.setGroups(ALICE);
    memberships.refresh();
    assert(!may(processOf(ALICE, TEAM)));
  });

  it('that the database never had is the word of the kernel, and stays', () => {
    const process = { ...ALICE, gid: STAFF, groups: [] };
    const staff = { ...file, gid: STAFF };
    assert(authority.allows(process, staff, R));
    database.setGroups(ALICE);
    memberships.refresh();
    assert(authority.allows(process, staff, R));
  });

  it('of a user who was removed is gone with him, the primary one too', () => {
    const own = { ...file, gid: ALICE.gid };
    assert(may(processOf(ALICE, TEAM)));
    database.remove(ALICE);
    assert(memberships.refresh());
    assert(!may(processOf(ALICE, TEAM)));
    assert(!authority.allows(processOf(ALICE, TEAM), own, R));
  });

  it('that was taken away gives no file to the group', () => {
    const mine = { owner: ALICE, gid: ALICE.gid, mode: 0o600 };
    authority.change({ caller: processOf(ALICE, TEAM) }, mine, { gid: TEAM });
    authority.change({ caller: processOf(ALICE, TEAM) }, mine, { gid: ALICE.gid });
    database.setGroups(ALICE);
    memberships.refresh();
    const change = (): void => authority.change({ caller: processOf(ALICE, TEAM) }, mine, { gid: TEAM });
    assert.throws(change, (error: unknown) => error instanceof FsError && error.name === 'Enotowner');
    assert.equal(mine.gid, ALICE.gid);
  });

  it('of groups that nobody can tell gives only what all others have, too', () => {
    const gone = { ...ALICE, groups: undefined };
    assert(!may(gone));
    assert(authority.allows(gone, { ...file, mode: 0o064 }, R));
    assert(!authority.allows(gone, { ...file, mode: 0o064 }, W));
    assert(!authority.allows(gone, { ...file, mode: 0o004 }, R));
  });

  it('is looked up once for each user, however often it counts, and not where it does not', () => {
    assert(!may(processOf(ALICE)));
    assert.equal(database.lookups, 0);
    for (let i = 0; i < 100; i++) assert(may(processOf(ALICE, TEAM)));
    for (let i = 0; i < 100; i++) assert(may({ name: 'x', uid: 5, gid: TEAM, groups: [] }));
    assert.equal(database.lookups, 2);
  });

  it('of users whom the database does not have is forgotten, and costs them nothing', () => {
    for (let uid = 1; uid <= 25_000; uid++) assert(may({ name: 'x', uid, gid: TEAM, groups: [] }));
    const before = database.lookups;
    assert(may(processOf(ALICE, TEAM)));
    memberships.refresh();
    // Alice, when she was seen and when all were read again.
    assert.equal(database.lookups, before + 2);
  });

  it('that nobody has seen, and none that changed, is no change', () => {
    assert(!memberships.refresh());
    assert(may(processOf(ALICE, TEAM)));
    assert(!memberships.refresh());
    database.setGroups(BOB);
    assert(!memberships.refresh());
  });

  it('counts as the last word of the database has it, after any changes', () => {
    const groups = fc.uniqueArray(fc.constantFrom(TEAM, STAFF, 5, 6));
    fc.assert(
      fc.property(fc.array(groups, { minLength: 1, maxLength: 8 }), groups, (words, carried) => {
        const [all, ever] = [new UserDatabase(), new Set<number>()];
        const his = new Memberships(all);
        words.forEach((word, i) => {
          all.setGroups(ALICE, ...word);
          if (i === 0) his.seen(ALICE.uid);
          else his.refresh();
          for (const gid of word) ever.add(gid);
          for (const gid of carried) {
            assert.equal(his.revoked(ALICE.uid, gid), ever.has(gid) && !word.includes(gid));
          }
        });
      }),
    );
  });
});

describe('a caller from the user database', () => {
  const peer = { caller: GLENDA, claims: 'anyone' } as const;

  for (const claim of [
    { uname: 'alice', uid: undefined },
    { uname: '', uid: ALICE.uid },
  ]) {
    const how = claim.uid === undefined ? 'by name' : 'by number';

    it(`${how} has new groups and loses old ones at a refresh, not before`, () => {
      const database = new UserDatabase();
      const memberships = new Memberships(database);
      const alice = identify(peer, claim, upToDate(database, memberships));
      assert.deepEqual([alice.gid, alice.groups], [ALICE.gid, ALICE.groups]);
      database.setGroups(ALICE, STAFF);
      assert.deepEqual(alice.groups, ALICE.groups);
      assert(memberships.refresh());
      assert.deepEqual(alice.groups, [ALICE.gid, STAFF]);
      database.remove(ALICE);
      assert(memberships.refresh());
      assert.deepEqual(alice.groups, []);
      assert.notEqual(alice.gid, ALICE.gid);
    });
  }

  it('is looked up at most once after each refresh', () => {
    const database = new UserDatabase();
    const memberships = new Memberships(database);
    const alice = upToDate(database, memberships).byId(ALICE.uid)!;
    assert(alice.groups);
    memberships.refresh();
    assert(alice.groups);
    const before = database.lookups;
    for (let i = 0; i < 100; i++) assert(alice.groups);
    assert.equal(database.lookups, before);
  });

  it('whose name went to another user has no groups of either', () => {
    const database = new UserDatabase();
    const memberships = new Memberships(database);
    const alice = upToDate(database, memberships).byName('alice')!;
    database.remove(ALICE);
    database.setGroups({ ...BOB, name: 'alice' }, TEAM);
    memberships.refresh();
    assert.equal(alice.uid, ALICE.uid);
    assert.deepEqual(alice.groups, []);
  });
});

describe("the server's owner", () => {
  const authority = new Authority(GLENDA);
  const file = (mode: number) => ({ owner: ALICE, gid: ALICE.gid, mode });

  it('reads and writes what no bit lets anybody', () => {
    assert(authority.allows(GLENDA, file(0), R | W));
  });

  it('passes where some x bit is set, and never where there is none', () => {
    for (const mode of [0o100, 0o010, 0o001]) assert(authority.allows(GLENDA, file(mode), X));
    for (const mode of [0, 0o666]) assert(!authority.allows(GLENDA, file(mode), X));
  });
});
