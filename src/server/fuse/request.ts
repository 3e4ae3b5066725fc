/** A request in flight, and the reply of a read. */
import { Abort, type Signal } from '../../abort.ts';
import type { Reply, Req } from '../../netfs/node.ts';
import type { Caller, Users } from '../../policy/identity.ts';
import { giveBuffer, takeBuffer } from '../pool.ts';
import { callerOf, type Ids } from './callers.ts';
import { putHeader } from './codec.ts';
import { OUT_HEADER, type Header } from './kernel.ts';

export class Request extends Abort implements Req {
  readonly header: Header;
  /** Gives bytes to the network; at the end of the server it may still finish. */
  isWrite = false;
  nonblocking = false;
  private readonly users: Users;
  private readonly ids: Ids;
  private who: Caller | undefined;

  constructor(header: Header, users: Users, ids: Ids) {
    super();
    this.header = header;
    this.users = users;
    this.ids = ids;
  }

  /** A request is its own signal. */
  get signal(): Signal {
    return this;
  }

  get caller(): Caller {
    return (this.who ??= callerOf(this.header, this.users, this.ids));
  }

  /**
   * What is read from and written to an open file is by who opened it, as on Unix: a set-uid program
   * that is handed somebody's descriptor and prints what he likes does not lend him its rights.
   */
  actFor(opener: Caller): void {
    this.who = opener;
  }
}

/** Where a READ's bytes are put: behind the header of the reply that will be written. */
export class ReadReply implements Reply {
  readonly count: number;
  private buffer: Buffer | undefined;

  constructor(count: number) {
    this.count = count;
  }

  /** The kernel takes every answer at once. */
  mayAnswer(): boolean {
    return true;
  }

  room(size: number): Buffer {
    const bytes = OUT_HEADER + Math.min(size, this.count);
    if (this.buffer === undefined || this.buffer.length < bytes) {
      this.drop();
      this.buffer = takeBuffer(bytes);
    }
    return this.buffer.subarray(OUT_HEADER, bytes);
  }

  drop(): void {
    if (this.buffer !== undefined) giveBuffer(this.buffer);
    this.buffer = undefined;
  }

  /** Hands the whole reply with n bytes of data to `write`. */
  send(n: number, unique: number, write: (frame: Buffer, length: number) => void): void {
    const frame = this.buffer ?? Buffer.allocUnsafe(OUT_HEADER);
    putHeader(frame, OUT_HEADER + n, 0, unique);
    write(frame, OUT_HEADER + n);
    this.drop();
  }
}
