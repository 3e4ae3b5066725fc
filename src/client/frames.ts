/** Cuts the bytes that come from the server into messages. */
import { HEADER } from '../server/9p/codec.ts';
import { ProtocolError } from './error.ts';

const SIZE = 4;

export class FrameSplitter {
  /** The longest message that may come: what was proposed, then what was agreed. */
  msize: number;
  /** The beginning of a size field that lies across two chunks. */
  #head = Buffer.alloc(0);
  /** A message of which a part is here, and how much of it. */
  #frame: Buffer | undefined;
  #filled = 0;

  constructor(msize: number) {
    this.msize = msize;
  }

  /**
   * The messages that `chunk` completes, in their order: views of it where a message lies in one
   * chunk, else copied together once. Throws ProtocolError for a size that cannot be; what follows
   * such a size has no meaning, so the splitter is of no use afterwards.
   */
  *push(chunk: Buffer): Generator<Buffer, void> {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#frame !== undefined) {
        rest = this.#fill(this.#frame, rest);
        if (this.#filled < this.#frame.length) return;
        const whole = this.#frame;
        this.#frame = undefined;
        yield whole;
        continue;
      }
      if (this.#head.length > 0) {
        rest = Buffer.concat([this.#head, rest]);
        this.#head = Buffer.alloc(0);
      }
      if (rest.length < SIZE) {
        this.#head = Buffer.from(rest);
        return;
      }
      const size = this.#checked(rest.readUInt32LE(0));
      if (rest.length < size) {
        this.#frame = Buffer.allocUnsafe(size);
        this.#filled = 0;
        continue;
      }
      const whole = rest.subarray(0, size);
      rest = rest.subarray(size);
      yield whole;
    }
  }

  #checked(size: number): number {
    if (size < HEADER) throw new ProtocolError(`the server sent a message of ${size} bytes`);
    if (size > this.msize) {
      throw new ProtocolError(`the server sent a message of ${size} bytes; the limit is ${this.msize}`);
    }
    return size;
  }

  #fill(frame: Buffer, from: Buffer): Buffer {
    const taken = from.copy(frame, this.#filled);
    this.#filled += taken;
    return from.subarray(taken);
  }
}
