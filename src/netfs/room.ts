/**
 * How many conversations of a protocol there may be, in all views together. One user, with all the views
 * that he made, leaves a part to the others; the server's owner need not.
 */
import type { Caller } from '../policy/identity.ts';
import type { Authority } from '../policy/permissions.ts';
import { Quota } from '../policy/quota.ts';

export class Room {
  private readonly limit: number;
  private readonly authority: Authority;
  private readonly shares: Quota;
  private taken = 0;

  constructor(limit: number, authority: Authority) {
    this.limit = limit;
    this.authority = authority;
    this.shares = new Quota(limit - Math.floor(limit / 4));
  }

  /** Whether `take` would. */
  has(user: Caller): boolean {
    if (!this.take(user)) return false;
    this.give(user);
    return true;
  }

  take(user: Caller): boolean {
    if (this.taken >= this.limit) return false;
    if (!this.authority.isOwner(user) && !this.shares.take(user, 1)) return false;
    this.taken++;
    return true;
  }

  give(user: Caller): void {
    if (!this.authority.isOwner(user)) this.shares.give(user, 1);
    this.taken--;
  }
}
