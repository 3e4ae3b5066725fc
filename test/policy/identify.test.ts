/** Who an attach is by, of what the transport knows and the client claims. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { FsError } from '../../src/netfs/error.ts';
import { identify, NOBODY, unauthenticated, type Caller, type Claim } from '../../src/policy/identity.ts';
import { ALICE, BOB, GLENDA, people } from '../support/callers.ts';

const BUILD: Caller = { name: 'build', uid: 90001, gid: 90001, groups: [90002] };
/** A name that the host has, too. */
const OTHER_BOB: Caller = { name: 'bob', uid: 90003, gid: 90003, groups: [] };
const TRUSTED = new Map([BUILD, OTHER_BOB].map(user => [user.name, user]));

const named = (uname: string): Claim => ({ uname, uid: undefined });
const numbered = (uid: number, uname = ''): Claim => ({ uname, uid });

describe('on a trusted transport a claim', () => {
  const peer = { caller: unauthenticated(), claims: 'trusted' } as const;
  const who = (claim: Claim): Caller => identify(peer, claim, people, TRUSTED);

  it('of a name of its users is that user, whom the host need not have', () => {
    assert.equal(who(named('build')), BUILD);
    assert.equal(who(named('bob')), OTHER_BOB);
  });

  it('of a number of theirs is that user, whatever the name', () => {
    assert.equal(who(numbered(BUILD.uid)), BUILD);
    assert.equal(who(numbered(BUILD.uid, 'alice')), BUILD);
    assert.equal(who(numbered(ALICE.uid, 'build')), ALICE);
  });

  it('of anybody else is as the user database has it', () => {
    assert.equal(who(named('alice')), ALICE);
    assert.equal(who(numbered(BOB.uid)), BOB);
    assert.equal(who(named('nobody-knows')).anonymous, true);
    assert.deepEqual(who(numbered(4711)), { name: '4711', uid: 4711, gid: NOBODY, groups: [] });
  });

  it('of nothing is nobody, although a user were called so', () => {
    assert.equal(identify(peer, named(''), people, new Map([['', BUILD]])), peer.caller);
  });

  it('of names that objects have is nobody', () => {
    for (const name of ['__proto__', 'constructor', 'toString'])
      assert.equal(who(named(name)).anonymous, true);
  });
});

describe('users of a trusted transport', () => {
  it('can be claimed on no other', () => {
    const { caller } = { caller: ALICE };
    const refused = (error: unknown): boolean => error instanceof FsError && error.name === 'Eperm';
    for (const claim of [named('build'), numbered(BUILD.uid)]) {
      assert.throws(() => identify({ caller, claims: 'self' }, claim, people, TRUSTED), refused);
      assert.equal(identify({ caller, claims: 'ignored' }, claim, people, TRUSTED), ALICE);
    }
  });

  it("are not what root of this machine means on a unix socket: that is the host's user", () => {
    const root = { caller: GLENDA, claims: 'anyone' } as const;
    assert.equal(identify(root, named('bob'), people, TRUSTED), BOB);
    assert.equal(identify(root, named('build'), people, TRUSTED).anonymous, true);
  });
});

describe('any claim', () => {
  it('of who may only be himself is himself or refused', () => {
    const claims = fc.record({
      uname: fc.oneof(fc.string(), fc.constantFrom('alice', 'bob', 'build', '70001', '0', 'root')),
      uid: fc.option(fc.oneof(fc.nat(), fc.constantFrom(0, ALICE.uid, BUILD.uid, NOBODY)), {
        nil: undefined,
      }),
    });
    fc.assert(
      fc.property(claims, claim => {
        try {
          assert.equal(identify({ caller: ALICE, claims: 'self' }, claim, people, TRUSTED), ALICE);
        } catch (error) {
          if (!(error instanceof FsError)) throw error;
        }
      }),
    );
  });
});
