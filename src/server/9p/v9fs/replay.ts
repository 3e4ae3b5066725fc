/** The last bytes that were served of a stream: a shell reads much, takes a line and seeks back. */

/** More than any program reads at a time before it seeks back. */
export const KEPT = 64 * 1024;

/** What all streams of a session keep; a guest has few shells that read. */
const BUDGET = 4 * 1024 * 1024;

/** The memory of a session's replays: when it is used up, those give theirs that asked for it the longest ago. */
export class ReplayBudget {
  private total = 0;
  private readonly holders = new Set<Replay>();

  /** A replay has `to` bytes of memory where it had `from`. */
  resized(replay: Replay, from: number, to: number): void {
    this.total += to - from;
    this.holders.delete(replay);
    if (to > 0) this.holders.add(replay);
    for (const oldest of this.holders) {
      if (this.total <= BUDGET || oldest === replay) return;
      oldest.clear();
    }
  }
}

const NOTHING: Buffer = Buffer.alloc(0);

export class Replay {
  private readonly budget: ReplayBudget;
  private bytes = NOTHING;
  private used = 0;

  constructor(budget: ReplayBudget) {
    this.budget = budget;
  }

  /** How far back it goes. */
  get length(): number {
    return Math.min(this.used, KEPT);
  }

  add(served: Buffer): void {
    const tail = served.subarray(Math.max(served.length - KEPT, 0));
    if (this.used + tail.length > this.bytes.length) this.makeRoom(tail.length);
    this.used += tail.copy(this.bytes, this.used);
  }

  /** Moves what counts to the front of a buffer that will do for a while. */
  private makeRoom(more: number): void {
    const old = this.bytes.subarray(this.used - this.length, this.used);
    this.replace(Buffer.allocUnsafe(Math.min(2 * (old.length + more), 2 * KEPT)));
    this.used = old.copy(this.bytes);
  }

  private replace(bytes: Buffer): void {
    const before = this.bytes.length;
    this.bytes = bytes;
    this.budget.resized(this, before, bytes.length);
  }

  /** The bytes from so far back on. */
  from(back: number): Buffer {
    return this.bytes.subarray(this.used - back, this.used);
  }

  clear(): void {
    this.used = 0;
    this.replace(NOTHING);
  }
}
