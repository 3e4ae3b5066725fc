/** The last lines of a text that does not end, in a ring of bytes: it takes no more memory than it was given. */

const NEWLINE = 0x0a;
const FIRST_BYTES = 4096;

export class Lines {
  private readonly most: number;
  /** Byte `at` of the text is at `at % ring.length`. */
  private ring: Buffer;
  /** Places in the text, in bytes from its very beginning: of the oldest line that is kept, and behind the last. */
  start = 0;
  end = 0;
  /** Lines that are not kept any more. */
  gone = 0;

  /** `most`: bytes. */
  constructor(most: number) {
    this.most = most;
    this.ring = Buffer.allocUnsafeSlow(Math.min(most, FIRST_BYTES));
  }

  /** Adds a line that ends with a newline and has no other. One larger than all the room is gone at once. */
  add(line: string): void {
    const bytes = Buffer.from(line);
    if (bytes.length > this.ring.length - (this.end - this.start)) this.makeRoom(bytes.length);
    if (bytes.length > this.ring.length) {
      this.gone++;
      return;
    }
    this.put(bytes);
  }

  private put(bytes: Buffer): void {
    const at = this.end % this.ring.length;
    const n = bytes.copy(this.ring, at);
    bytes.copy(this.ring, 0, n);
    this.end += bytes.length;
  }

  private makeRoom(size: number): void {
    const wanted = this.end - this.start + size;
    if (this.ring.length < this.most) this.grow(Math.min(this.most, Math.max(2 * this.ring.length, wanted)));
    while (this.start < this.end && this.ring.length - (this.end - this.start) < size) {
      this.start = this.nextLine(this.start);
      this.gone++;
    }
  }

  private grow(size: number): void {
    const kept = Buffer.allocUnsafe(this.end - this.start);
    this.copy(this.start, kept);
    this.ring = Buffer.allocUnsafeSlow(size);
    this.end = this.start;
    this.put(kept);
  }

  /** Where the line after the one that is at this place begins. What is kept always ends with a newline. */
  nextLine(at: number): number {
    const from = at % this.ring.length;
    const found = this.ring.indexOf(NEWLINE, from);
    return found >= 0 ? at + found - from + 1 : at + this.ring.length - from + this.ring.indexOf(NEWLINE) + 1;
  }

  /** Fills a buffer with the bytes from a place on; they must be there. */
  copy(from: number, into: Buffer): void {
    const n = this.ring.copy(into, 0, from % this.ring.length);
    this.ring.copy(into, n);
  }
}

/** How many lines end in these bytes. */
export function countLines(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}

/** How many of these bytes are whole lines. */
export const wholeLines = (bytes: Buffer): number => bytes.lastIndexOf(NEWLINE) + 1;
