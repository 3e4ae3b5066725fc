/** Unix's permission check: the owner's bits, or else the group's, or else everybody's. */
import { inGroup, sameCaller, type Caller } from './identity.ts';
import type { Memberships } from './membership.ts';
import { FsError } from '../netfs/error.ts';

export const R = 4;
export const W = 2;
export const X = 1;

/** A file's owner, group and nine bits. */
export interface Permissions {
  owner: Caller;
  gid: number;
  mode: number;
}

const SOMEBODY_MAY_PASS = 0o111;

/** Who asks for a change. */
export interface Changer {
  readonly caller: Caller;
  /** Req.privileged */
  readonly privileged?: boolean;
}

export interface PermissionChange {
  readonly mode?: number;
  readonly owner?: Caller;
  readonly gid?: number;
}

export interface AuthorityOptions {
  /** Knows which groups were taken from whom; without it the caller's word is all there is. */
  readonly memberships?: Memberships | undefined;
  /** Of a view. */
  readonly governed?: boolean;
}

/**
 * Who owns the files of a /net. The server's own has somebody who passes everywhere, like root on Unix: the
 * user that runs the server. A view is `governed`: nobody passes everywhere in it, and what it began with is
 * changed only by who governs it from outside, or whoever it holds would let himself out.
 */
export class Authority {
  owner: Caller;
  /** Nobody changes a view any more. */
  frozen = false;
  readonly memberships: Memberships | undefined;
  private readonly governed: boolean;
  /** What a view began with. */
  private readonly files: Permissions[] = [];

  constructor(owner: Caller, { memberships, governed = false }: AuthorityOptions = {}) {
    this.owner = owner;
    this.memberships = memberships;
    this.governed = governed;
  }

  isOwner(caller: Caller): boolean {
    return !this.governed && sameCaller(caller, this.owner);
  }

  /** Of a file that is there from the beginning. */
  file(mode: number): Permissions {
    const permissions = { owner: this.owner, gid: this.owner.gid, mode };
    if (this.governed) this.files.push(permissions);
    return permissions;
  }

  /** Gives a view, with all that it began with, to another. */
  giveTo(owner: Caller): void {
    this.owner = owner;
    for (const file of this.files) Object.assign(file, { owner, gid: owner.gid });
  }

  /**
   * Whether all of `need` (R, W, X or'ed) is granted to the caller. Only one class of bits counts, as in
   * Unix. `privileged`: he passes whatever the bits say; but what has no x bit at all nobody passes, the
   * server's owner neither: it is shut, not private.
   */
  allows(caller: Caller, file: Permissions, need: number, privileged = this.isOwner(caller)): boolean {
    if (privileged) return (need & X) === 0 || (file.mode & SOMEBODY_MAY_PASS) !== 0;
    return (this.bitsFor(caller, file) & need) === need;
  }

  /** Whether he may go to the destinations of a zone with these permissions. */
  passes(caller: Caller, zone: Permissions): boolean {
    return this.allows(caller, zone, X);
  }

  /** Whether he may change what a /net began with, beside what Unix's rules say. */
  checkGovernance({ privileged }: Changer): void {
    if (!this.governed) return;
    if (this.frozen) throw new FsError('Enotowner', 'the view is frozen');
    if (privileged === true) return;
    throw new FsError('Enotowner', 'only who made the view changes this, and from outside');
  }

  /** `changeOwn` of a file that a /net began with. */
  change(by: Changer, file: Permissions, to: PermissionChange): void {
    if (touches(to)) this.checkGovernance(by);
    this.changeOwn(by, file, to);
  }

  /**
   * Changes mode, owner and group by Unix's rules: the file's owner or the server's owner changes the
   * mode; only the server's owner gives a file away; a new group must be one of the caller's.
   * Checks everything before it changes anything.
   */
  changeOwn(
    { caller, privileged = this.isOwner(caller) }: Changer,
    file: Permissions,
    to: PermissionChange,
  ): void {
    if (touches(to) && !privileged && !sameCaller(caller, file.owner)) throw new FsError('Enotowner');
    if (to.owner !== undefined && !privileged && !sameCaller(to.owner, file.owner)) {
      throw new FsError('Enotowner', 'only the owner of the server gives a file away');
    }
    if (to.gid !== undefined && !privileged && to.gid !== file.gid && !this.isMember(caller, to.gid)) {
      throw new FsError('Enotowner', 'you are not a member of that group');
    }
    if (to.mode !== undefined) file.mode = to.mode;
    if (to.owner !== undefined && !sameCaller(to.owner, file.owner)) file.owner = to.owner;
    if (to.gid !== undefined) file.gid = to.gid;
  }

  private bitsFor(caller: Caller, file: Permissions): number {
    const { mode } = file;
    switch (this.classOf(caller, file)) {
      case 'u':
        return (mode >> 6) & 7;
      case 'g':
        return (mode >> 3) & 7;
      case 'go':
        return (mode >> 3) & mode & 7;
      case 'o':
        return mode & 7;
    }
  }

  /** Which bits count for him, as chmod(1) calls them. */
  classOf(caller: Caller, { owner, gid }: Permissions): 'u' | 'g' | 'o' | 'go' {
    if (sameCaller(caller, owner)) return 'u';
    if (this.isMember(caller, gid)) return 'g';
    // Whether he is in the group cannot be known: only what he would have either way.
    return caller.groups === undefined ? 'go' : 'o';
  }

  /** By his own word, or his process's, and not against the user database's. */
  private isMember(caller: Caller, gid: number): boolean {
    if (!inGroup(caller, gid)) return false;
    this.memberships?.seen(caller.uid);
    return this.memberships?.revoked(caller.uid, gid) !== true;
  }
}

const touches = ({ mode, owner, gid }: PermissionChange): boolean =>
  mode !== undefined || owner !== undefined || gid !== undefined;
