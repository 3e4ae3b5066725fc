/** A request in flight, and the reply of a read. */
import { Abort, type Signal } from '../../abort.ts';
import type { Reply, Req } from '../../netfs/node.ts';
import { unauthenticated, type Caller } from '../../policy/identity.ts';
import { RREAD_DATA } from './codec.ts';
import type { Fid } from './fids.ts';
import type { Outbox } from './outbox.ts';
import { giveBuffer, takeBuffer } from '../pool.ts';

const NOBODY_YET = unauthenticated();

export class Request extends Abort implements Req {
  readonly tag: number;
  /** Set by the handler that finds the fid. */
  caller: Caller = NOBODY_YET;
  fid: Fid | undefined;
  /** Tags of the Tflushes to answer when this is over. */
  flushes: number[] | undefined;
  /** The session was reset under it: there is nobody to answer. */
  orphaned = false;
  /** Gives bytes to the network; at the end of the server it may still finish. */
  isWrite = false;

  constructor(tag: number) {
    super();
    this.tag = tag;
  }

  /** A request is its own signal. */
  get signal(): Signal {
    return this;
  }

  /** The error of an abort, as opposed to one that the operation met by itself. */
  wasAbortedBy(error: unknown): boolean {
    return this.aborted && error === this.reason;
  }
}

/** Where a Tread's bytes are put: at their place in the frame of the Rread that will be sent. */
export class ReadReply implements Reply {
  readonly count: number;
  private readonly outbox: Outbox;
  private buffer: Buffer | undefined;

  constructor(count: number, outbox: Outbox) {
    this.count = count;
    this.outbox = outbox;
  }

  mayAnswer(again: () => void): boolean {
    if (this.outbox.hasRoom()) return true;
    this.outbox.whenRoom(again);
    return false;
  }

  room(size: number): Buffer {
    const bytes = RREAD_DATA + Math.min(size, this.count);
    if (this.buffer === undefined || this.buffer.length < bytes) {
      this.drop();
      this.buffer = takeBuffer(bytes);
    }
    return this.buffer.subarray(RREAD_DATA, bytes);
  }

  drop(): void {
    if (this.buffer !== undefined) giveBuffer(this.buffer);
    this.buffer = undefined;
  }

  /** The frame that holds n bytes of data, and what to call when it is sent. */
  frame(n: number): { frame: Buffer; done: () => void } {
    const buffer = this.buffer ?? Buffer.allocUnsafe(RREAD_DATA);
    this.buffer = undefined;
    return { frame: buffer.subarray(0, RREAD_DATA + n), done: () => giveBuffer(buffer) };
  }
}
