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

/** Who passes everywhere, like root on Unix: the user that runs the server. */
export class Authority {
  readonly owner: Caller;
  private readonly memberships: Memberships | undefined;

  /** `memberships` knows which groups were taken from whom; without it the caller's word is all there is. */
  constructor(owner: Caller, memberships?: Memberships) {
    this.owner = owner;
    this.memberships = memberships;
  }

  isOwner(caller: Caller): boolean {
    return sameCaller(caller, this.owner);
  }

  /**
   * Whether all of `need` (R, W, X or'ed) is granted to the caller. Only one class of bits counts, as in
   * Unix. What has no x bit at all nobody passes, the server's owner neither: it is shut, not private.
   */
  allows(caller: Caller, file: Permissions, need: number): boolean {
    if (this.isOwner(caller)) return (need & X) === 0 || (file.mode & SOMEBODY_MAY_PASS) !== 0;
    return (this.bitsFor(caller, file) & need) === need;
  }

  /**
   * Changes mode, owner and group by Unix's rules: the file's owner or the server's owner changes the
   * mode; only the server's owner gives a file away; a new group must be one of the caller's.
   * Checks everything before it changes anything.
   */
  change(caller: Caller, file: Permissions, to: { mode?: number; owner?: Caller; gid?: number }): void {
    const privileged = this.isOwner(caller);
    const touches = to.mode !== undefined || to.owner !== undefined || to.gid !== undefined;
    if (touches && !privileged && !sameCaller(caller, file.owner)) throw new FsError('Enotowner');
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
    if (sameCaller(caller, file.owner)) return (file.mode >> 6) & 7;
    if (this.isMember(caller, file.gid)) return (file.mode >> 3) & 7;
    // Whether he is in the group cannot be known: only what he would have either way.
    if (caller.groups === undefined) return (file.mode >> 3) & file.mode & 7;
    return file.mode & 7;
  }

  /** By his own word, or his process's, and not against the user database's. */
  private isMember(caller: Caller, gid: number): boolean {
    if (!inGroup(caller, gid)) return false;
    this.memberships?.seen(caller.uid);
    return this.memberships?.revoked(caller.uid, gid) !== true;
  }
}
