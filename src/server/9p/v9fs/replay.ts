/** The last bytes that were served of a stream: a shell reads much, takes a line and seeks back. */

/** More than any program reads at a time before it seeks back. */
export const KEPT = 64 * 1024;

export class Replay {
  private bytes: Buffer = Buffer.alloc(0);
  private used = 0;

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
    this.bytes = Buffer.allocUnsafe(Math.min(2 * (old.length + more), 3 * KEPT));
    this.used = old.copy(this.bytes);
  }

  /** The bytes from so far back on. */
  from(back: number): Buffer {
    return this.bytes.subarray(this.used - back, this.used);
  }

  clear(): void {
    this.used = 0;
  }
}
