/**
 * Who asks. A caller is known by numbers (as the kernel knows him); names are looked up where a
 * protocol shows or claims them.
 */
import { FsError } from '../netfs/error.ts';

export interface Caller {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups; undefined where nobody can tell them. */
  readonly groups: readonly number[] | undefined;
  /** The process that asks, where the kernel says so; for the log alone. */
  readonly pid?: number | undefined;
  /** Nobody vouches for him: he is the same as nobody else. */
  readonly anonymous?: true;
}

/** The uid and gid shown for whom nobody vouches: Linux's overflow id. */
export const NOBODY = 65534;

const NONE = 'none';

/**
 * A caller nobody vouches for. Each call makes a new one, and it equals only itself: what one
 * unauthenticated connection opens is not another's.
 */
export function unauthenticated(): Caller {
  return { name: NONE, uid: NOBODY, gid: NOBODY, groups: [], anonymous: true };
}

export function sameCaller(a: Caller, b: Caller): boolean {
  return a === b || (a.uid === b.uid && a.anonymous === undefined && b.anonymous === undefined);
}

/** Group bits are for those whose groups somebody vouches for. */
export function inGroup(caller: Caller, gid: number): boolean {
  if (caller.anonymous !== undefined) return false;
  // The overflow id among the groups stands for any that this user namespace does not have.
  return caller.gid === gid || (gid !== NOBODY && caller.groups?.includes(gid) === true);
}

/** The host's user database. */
export interface Users {
  byName(name: string): Caller | undefined;
  byId(uid: number): Caller | undefined;
  /** The names shown for ids; decimal where there is none. */
  userName(uid: number): string;
  groupName(gid: number): string;
  groupId(name: string): number | undefined;
}

/** What the transport knows of the other end of a connection. */
export interface Peer {
  /** Who it is by the kernel's word; `none` where nobody says. */
  readonly caller: Caller;
  /**
   * What an attach may claim: `self` only to be the caller; `anyone` is believed, as of the user database
   * (root on a unix socket); `trusted` too (a TCP network that the operator trusts), but the users of a
   * trusted transport come first; `ignored` makes every claim the caller's.
   */
  readonly claims: 'self' | 'anyone' | 'trusted' | 'ignored';
}

/** The name and number that an attach gives; undefined for the number of a client that has none. */
export interface Claim {
  readonly uname: string;
  readonly uid: number | undefined;
}

/** Who the clients of a trusted transport may be besides the users of the database, by the names they claim. */
export type TrustedUsers = ReadonlyMap<string, Caller>;

const NOBODY_ELSE: TrustedUsers = new Map();

/** Who an attach is by. A number counts more than a name; no claim at all is the peer itself. */
export function identify(peer: Peer, claim: Claim, users: Users, trusted = NOBODY_ELSE): Caller {
  if (peer.claims === 'ignored') return peer.caller;
  if (claim.uid === undefined && claim.uname === '') return peer.caller;
  if (peer.claims === 'trusted') return trustedUser(claim, trusted) ?? claimed(claim, users);
  if (peer.claims === 'anyone') return claimed(claim, users);
  if (claimsSelf(peer.caller, claim)) return peer.caller;
  throw new FsError('Eperm', `${peer.caller.name} (uid ${peer.caller.uid}) attached as ${show(claim)}`);
}

/** The user of that number, who need not be in the user database, as on any Unix. */
export function userOf(uid: number, users: Users): Caller {
  return users.byId(uid) ?? { name: String(uid), uid, gid: NOBODY, groups: [] };
}

/** The same for a file's new owner: the user database is not asked before it must be. */
export function newOwner(uid: number, users: Users): Caller {
  let known: Caller | undefined;
  const user = (): Caller => (known ??= userOf(uid, users));
  return {
    uid,
    get name() {
      return user().name;
    },
    get gid() {
      return user().gid;
    },
    get groups() {
      return user().groups;
    },
  };
}

function trustedUser({ uname, uid }: Claim, trusted: TrustedUsers): Caller | undefined {
  if (uid === undefined) return trusted.get(uname);
  return [...trusted.values()].find(user => user.uid === uid);
}

/** Whom nobody knows is given nothing. */
function claimed({ uname, uid }: Claim, users: Users): Caller {
  if (uid !== undefined) return userOf(uid, users);
  return users.byName(uname) ?? unauthenticated();
}

function claimsSelf(caller: Caller, { uname, uid }: Claim): boolean {
  if (uid !== undefined) return uid === caller.uid;
  return uname === caller.name || uname === String(caller.uid);
}

const show = ({ uname, uid }: Claim): string => (uid === undefined ? uname : `uid ${uid}`);
