/** So much of something for each user, so that the rest is there for the others. */
import type { Caller } from './identity.ts';

export class Quota {
  private readonly most: number;
  private readonly used = new Map<number, number>();

  constructor(most: number) {
    this.most = most;
  }

  /** Takes so much of a user's share; false, and nothing is taken, where that is more than is left of it. */
  take({ uid }: Caller, amount: number): boolean {
    const used = (this.used.get(uid) ?? 0) + amount;
    if (used > this.most) return false;
    if (used > 0) this.used.set(uid, used);
    return true;
  }

  give({ uid }: Caller, amount: number): void {
    const used = (this.used.get(uid) ?? 0) - amount;
    if (used > 0) this.used.set(uid, used);
    else this.used.delete(uid);
  }
}
