/**
 * The way out of a session. Small replies are gathered and go out together at the end of the event
 * that made them, large ones from where they lie; what the kernel does not take at once waits in the
 * stream, and its room is counted.
 */
import type { Duplex } from 'node:stream';
import { onAbort, WaitQueue, type Signal } from '../../abort.ts';
import type { Codec } from './codec.ts';
import type { Message } from './messages.ts';

/** Gathered small replies; a reply of more than a quarter is not copied. */
const GATHER = 64 * 1024;
const LARGE = GATHER / 4;

/** Reads wait before they take bytes while so much is unwritten. */
const SOFT_LIMIT = 1024 * 1024;
/** No more requests are read while so much is unwritten: the client does not take its answers. */
export const HARD_LIMIT = 16 * 1024 * 1024;

/** write(2) and writev(2) on the stream's descriptor: bytes taken, -1 when none can be; throws. */
export interface DirectWriter {
  write(data: Buffer): number;
  writev(data: readonly Buffer[]): number;
}

interface Segment {
  readonly bytes: Buffer;
  /** What to do when the bytes are written, or will never be. */
  readonly done: (() => void) | undefined;
}

export class Outbox {
  private readonly stream: Duplex;
  private readonly direct: DirectWriter | undefined;
  private readonly onHardLimit: (reached: boolean) => void;
  private gather = Buffer.allocUnsafeSlow(GATHER);
  /** gather[from..to) is not yet a segment. */
  private from = 0;
  private to = 0;
  private segments: Segment[] = [];
  private inStream = 0;
  private waiting = 0;
  private scheduled = false;
  private full = false;
  private closed = false;
  /** Who waits for room, in the order of their coming. */
  private readonly waiters = new Set<() => void>();
  private readonly drainQueue = new WaitQueue<void>();

  constructor(stream: Duplex, direct: DirectWriter | undefined, onHardLimit: (reached: boolean) => void) {
    this.stream = stream;
    this.direct = direct;
    this.onHardLimit = onHardLimit;
  }

  /** Bytes that the kernel has not taken. */
  get unwritten(): number {
    return this.waiting + this.inStream;
  }

  hasRoom(): boolean {
    return this.unwritten < SOFT_LIMIT;
  }

  /** Whether a large reply may be made at once: there is room, and nobody came before for it. */
  mayBegin(): boolean {
    return this.hasRoom() && this.waiters.size === 0;
  }

  /** Waits until a large reply may be made. */
  room(signal: Signal): Promise<void> {
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        stop();
        resolve();
      };
      const stop = onAbort(signal, () => {
        this.waiters.delete(wake);
        reject(signal.reason as Error);
      });
      if (!signal.aborted) this.waiters.add(wake);
    });
  }

  /** Calls `run` when there is room. */
  whenRoom(run: () => void): void {
    this.waiters.add(run);
  }

  /** Waits until all is written. */
  async drained(signal: Signal): Promise<void> {
    this.flush();
    while (this.unwritten > 0 && !this.closed) await this.drainQueue.wait(signal);
  }

  send(message: Message, codec: Codec): void {
    const size = codec.size(message);
    if (size > LARGE) {
      const frame = Buffer.allocUnsafe(size);
      codec.encode(message, frame, 0);
      this.append(frame, undefined);
    } else {
      this.makeRoom(size);
      this.to = codec.encode(message, this.gather, this.to);
      this.added(size);
    }
  }

  /** A whole message that is encoded already; `done` is called when its bytes are not needed any more. */
  sendFrame(frame: Buffer, done: (() => void) | undefined): void {
    if (frame.length > LARGE) {
      this.append(frame, done);
      return;
    }
    this.makeRoom(frame.length);
    this.to += frame.copy(this.gather, this.to);
    this.added(frame.length);
    done?.();
  }

  /** Nothing more goes out. */
  close(): void {
    this.closed = true;
    for (const { done } of this.segments.splice(0)) done?.();
    this.waiters.clear();
    while (this.drainQueue.wake());
  }

  private makeRoom(size: number): void {
    if (this.to + size <= GATHER) return;
    this.seal();
    this.gather = Buffer.allocUnsafeSlow(GATHER);
    this.from = this.to = 0;
  }

  /** What was gathered so far becomes a segment. */
  private seal(): void {
    if (this.from === this.to) return;
    this.segments.push({ bytes: this.gather.subarray(this.from, this.to), done: undefined });
    this.from = this.to;
  }

  private append(frame: Buffer, done: (() => void) | undefined): void {
    this.seal();
    this.segments.push({ bytes: frame, done });
    this.added(frame.length);
  }

  private added(bytes: number): void {
    this.waiting += bytes;
    if (!this.full && this.unwritten > HARD_LIMIT) {
      this.full = true;
      this.onHardLimit(true);
    }
    if (this.scheduled || this.inStream > 0) return;
    this.scheduled = true;
    queueMicrotask(() => this.flush());
  }

  private flush(): void {
    this.scheduled = false;
    if (this.inStream > 0 || this.closed) return;
    this.seal();
    const segments = this.segments;
    if (segments.length === 0) return;
    this.segments = [];
    const taken = this.writeDirect(segments);
    if (taken === this.waiting) this.written(segments);
    else this.writeStream(segments, taken);
  }

  private writeDirect(segments: readonly Segment[]): number {
    if (this.direct === undefined) return 0;
    try {
      const n =
        segments.length === 1
          ? this.direct.write(segments[0]!.bytes)
          : this.direct.writev(segments.map(segment => segment.bytes));
      return Math.max(n, 0);
    } catch {
      // A broken connection: the stream meets the same error and tells the session.
      return 0;
    }
  }

  private written(segments: readonly Segment[]): void {
    this.waiting = 0;
    this.from = this.to = 0;
    for (const { done } of segments) done?.();
    this.madeRoom();
  }

  /** What the kernel did not take goes by way of the stream, which says when it is out. */
  private writeStream(segments: readonly Segment[], taken: number): void {
    this.inStream = this.waiting - taken;
    this.waiting = 0;
    // The gathered bytes are the stream's until then.
    this.gather = Buffer.allocUnsafeSlow(GATHER);
    this.from = this.to = 0;
    let skip = taken;
    const rest = segments.map(({ bytes }) => {
      const part = bytes.subarray(Math.min(skip, bytes.length));
      skip -= bytes.length - part.length;
      return part;
    });
    this.stream.cork();
    for (const part of rest.slice(0, -1)) this.stream.write(part);
    this.stream.write(rest.at(-1)!, () => {
      this.inStream = 0;
      for (const { done } of segments) done?.();
      this.flush();
      this.madeRoom();
    });
    this.stream.uncork();
  }

  /** One at a time: each may fill the room again, and by the next turn of the loop it shows. */
  private wakeNext(): void {
    if (!this.hasRoom()) return;
    const [first] = this.waiters;
    if (first === undefined) return;
    this.waiters.delete(first);
    first();
    if (this.waiters.size > 0) setImmediate(() => this.wakeNext());
  }

  private madeRoom(): void {
    if (this.full && this.hasRoom()) {
      this.full = false;
      this.onHardLimit(false);
    }
    this.wakeNext();
    if (this.unwritten === 0) while (this.drainQueue.wake());
  }
}
