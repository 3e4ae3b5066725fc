/**
 * Cuts a byte stream into messages: size[4] and what follows. A message that lies in one chunk is
 * handed on as a view of it; one that is split is put together once, in a buffer of its own.
 */
import { HEADER } from './codec.ts';
import { giveBuffer, takeBuffer } from '../pool.ts';

/** The stream cannot be cut any further; the connection must end. */
export class FramingError extends Error {}

/** What happens with a message. The frame is lent for the call. */
export type Receiver = (frame: Buffer) => void;

/** Reads what is there into the buffer: bytes, or 0 or less when there is none. */
export type ReadNow = (into: Buffer) => number;

/** Below this a direct read is not worth its system call. */
const WORTH_READING = 4096;

const always = (): boolean => true;

export class Framer {
  /** The largest message that is accepted; set by Tversion. */
  maxSize: number;
  private readonly receive: Receiver;
  private readonly readNow: ReadNow | undefined;
  /** A size field that came in parts. */
  private readonly sizeField = Buffer.alloc(4);
  private sizeBytes = 0;
  /** A message being put together, or undefined. */
  private assembling: Buffer | undefined;
  private size = 0;
  private have = 0;

  /** `readNow` reads on from the same stream, for messages that are larger than its chunks. */
  constructor(maxSize: number, receive: Receiver, readNow?: ReadNow) {
    this.maxSize = maxSize;
    this.receive = receive;
    this.readNow = readNow;
  }

  /**
   * Takes the next bytes of the stream, lent for the call. Asks `mayGoOn` between messages; returns how many
   * bytes it took, and what follows these is to be pushed again. Throws FramingError.
   */
  push(chunk: Buffer, mayGoOn: () => boolean = always): number {
    let at = 0;
    while (at < chunk.length) {
      if (at > 0 && !mayGoOn()) return at;
      if (this.assembling !== undefined) at += this.fill(chunk, at);
      else if (this.sizeBytes > 0 || chunk.length - at < 4) at += this.gatherSize(chunk, at);
      else at += this.cut(chunk, at);
    }
    this.readAhead();
    return at;
  }

  /** A message that begins at `at`: delivered whole, or the beginning of one that is put together. */
  private cut(chunk: Buffer, at: number): number {
    const size = this.checked(chunk.readUInt32LE(at));
    const there = chunk.length - at;
    if (there >= size) {
      this.receive(chunk.subarray(at, at + size));
      return size;
    }
    this.begin(size);
    return this.fill(chunk, at);
  }

  private gatherSize(chunk: Buffer, at: number): number {
    const n = chunk.copy(this.sizeField, this.sizeBytes, at, at + 4 - this.sizeBytes);
    this.sizeBytes += n;
    if (this.sizeBytes === 4) {
      this.sizeBytes = 0;
      this.begin(this.checked(this.sizeField.readUInt32LE(0)));
      this.fill(this.sizeField, 0);
    }
    return n;
  }

  private checked(size: number): number {
    if (size < HEADER) throw new FramingError(`a message of ${size} bytes; the least is ${HEADER}`);
    if (size > this.maxSize) throw new FramingError(`a message of ${size} bytes; msize is ${this.maxSize}`);
    return size;
  }

  private begin(size: number): void {
    this.assembling = takeBuffer(size);
    this.size = size;
    this.have = 0;
  }

  private fill(chunk: Buffer, at: number): number {
    const n = chunk.copy(this.assembling!, this.have, at, Math.min(chunk.length, at + this.size - this.have));
    this.filled(n);
    return n;
  }

  private filled(n: number): void {
    this.have += n;
    if (this.have < this.size) return;
    const buffer = this.assembling!;
    this.assembling = undefined;
    this.receive(buffer.subarray(0, this.size));
    giveBuffer(buffer);
  }

  /** The rest of a large message, straight into its place. */
  private readAhead(): void {
    while (this.readNow && this.assembling !== undefined && this.size - this.have >= WORTH_READING) {
      const n = this.readNow(this.assembling.subarray(this.have, this.size));
      if (n <= 0) return;
      this.filled(n);
    }
  }
}
