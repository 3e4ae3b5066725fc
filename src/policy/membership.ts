/**
 * Who is in which group, over time. A process carries the groups that it was given when its user logged
 * in, for as long as it lives; a membership that is taken away in the user database counts here from
 * the next refresh on, whatever a process carries. One that was never in the database (setpriv, a
 * service's own groups) is the kernel's word, and stays.
 */
import { NOBODY, type Caller, type Users } from './identity.ts';

/** Of one user: the groups by the database's last word, and all that it has ever given him. */
interface Membership {
  now: ReadonlySet<number>;
  readonly had: Set<number>;
}

/**
 * The most users that are remembered; all are looked up again at a refresh, which the server waits for.
 * Who comes after them is as on any Unix: his processes keep the groups that they carry.
 */
const MOST_USERS = 10_000;

export class Memberships {
  private readonly users: Users;
  private readonly known = new Map<number, Membership>();
  /** Users whom the database does not have; to forget one costs no more than a look-up. */
  private readonly strangers = new Set<number>();
  private readings = 1;

  constructor(users: Users) {
    this.users = users;
  }

  /** Another number after each refresh. */
  get epoch(): number {
    return this.readings;
  }

  /** Whether the database has taken this group from him. */
  revoked(uid: number, gid: number): boolean {
    const his = this.known.get(uid);
    return his !== undefined && his.had.has(gid) && !his.now.has(gid);
  }

  /** Remembers which groups the database gives a user, whose membership counts somewhere from now on. */
  seen(uid: number): void {
    if (this.known.has(uid) || this.strangers.has(uid) || this.known.size >= MOST_USERS) return;
    const user = this.users.byId(uid);
    if (user === undefined) this.addStranger(uid);
    else this.known.set(uid, { now: groupsOf(user), had: groupsOf(user) });
  }

  /** Reads the database again for everybody seen; whether it says anything new of them. */
  refresh(): boolean {
    this.readings++;
    this.strangers.clear();
    let changed = false;
    for (const [uid, his] of this.known) {
      const before = his.now;
      his.now = groupsOf(this.users.byId(uid));
      for (const gid of his.now) his.had.add(gid);
      changed ||= !sameGroups(before, his.now);
    }
    return changed;
  }

  private addStranger(uid: number): void {
    if (this.strangers.size >= MOST_USERS) this.strangers.clear();
    this.strangers.add(uid);
  }
}

/** The primary group among them; none of a user who is not there, or not any more. */
function groupsOf(user: Caller | undefined): Set<number> {
  return new Set(user === undefined ? [] : [user.gid, ...(user.groups ?? [])]);
}

const sameGroups = (a: ReadonlySet<number>, b: ReadonlySet<number>): boolean =>
  a.size === b.size && [...a].every(gid => b.has(gid));

/**
 * The user database for callers that live long and have no process: those it gives have their groups as
 * of the last refresh. They are looked up once after each.
 */
export function upToDate(users: Users, memberships: Memberships): Users {
  const listed = (look: () => Caller | undefined): Caller | undefined => {
    const found = look();
    return found && new ListedCaller(found, look, memberships);
  };
  return {
    byName: name => listed(() => users.byName(name)),
    byId: uid => listed(() => users.byId(uid)),
    userName: uid => users.userName(uid),
    groupName: gid => users.groupName(gid),
    groupId: name => users.groupId(name),
  };
}

class ListedCaller implements Caller {
  readonly name: string;
  readonly uid: number;
  private readonly look: () => Caller | undefined;
  private readonly memberships: Memberships;
  private found: Caller | undefined;
  private epoch: number;

  constructor(found: Caller, look: () => Caller | undefined, memberships: Memberships) {
    this.name = found.name;
    this.uid = found.uid;
    this.found = found;
    this.look = look;
    this.memberships = memberships;
    this.epoch = memberships.epoch;
  }

  get gid(): number {
    return this.current()?.gid ?? NOBODY;
  }

  get groups(): readonly number[] | undefined {
    const user = this.current();
    return user === undefined ? [] : user.groups;
  }

  /** Undefined when he is not in the database any more, or his name is another user's. */
  private current(): Caller | undefined {
    // So that a refresh knows whether anything has changed for him, be it a group that he gets.
    this.memberships.seen(this.uid);
    if (this.epoch !== this.memberships.epoch) {
      const user = this.look();
      this.found = user?.uid === this.uid ? user : undefined;
      this.epoch = this.memberships.epoch;
    }
    return this.found;
  }
}
