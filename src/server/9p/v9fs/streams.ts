/**
 * The streams: data.
 *
 * After a short Rread v9fs asks for the rest within the same read(2), so that a reader would not see
 * what has come until all that he has room for has come. That second Tread, the continuation, is known
 * by its offset and count, and is answered with 0 when nothing is there. And since v9fs takes a stream for a file, programs seek in it: what was
 * served last is served again when the offset goes back.
 *
 * All of it belongs to one open fid: what one has read is never served to another.
 */
import { Abort } from '../../../abort.ts';
import { FsError } from '../../../netfs/error.ts';
import { then } from '../../../netfs/mount.ts';
import type { Awaitable, Handle, Node, Reply, Req } from '../../../netfs/node.ts';
import { KeepingReply } from './padding.ts';
import { Replay, type ReplayBudget } from './replay.ts';

/** What the next Tread looks like if it goes on with the same read(2). */
interface Continuation {
  readonly offset: number;
  /** Exactly so many; undefined: any number, as of a read(2) larger than a message. */
  readonly count: number | undefined;
}

/** How the stream ended when it was looked at for a continuation; the next read is told. */
type Ending = { readonly error: unknown } | 'end';

export class StreamReader implements Handle {
  readonly node: Node;
  readonly stream = true;
  private readonly inner: Handle;
  /** The most that one Tread of the client asks for. */
  private readonly rsize: number;
  /** The client's offset of the first byte that was not served yet. */
  private place = 0;
  private readonly replay: Replay;
  private due: Continuation | undefined;
  private ending: Ending | undefined;
  /** Reads that wait. */
  private waiting = 0;

  constructor(inner: Handle, rsize: number, budget: ReplayBudget) {
    this.replay = new Replay(budget);
    this.node = inner.node;
    this.inner = inner;
    this.rsize = rsize;
  }

  // ---- reading ----------------------------------------------------------------------------------

  read(offset: number, reply: Reply, req: Req): Awaitable<number> {
    const continues = this.continues(offset, reply.count);
    this.due = undefined;
    const kept = new KeepingReply(reply, this.most(reply.count));
    if (this.holds(offset)) return this.served(offset, reply.count, this.again(offset, kept));
    return then(continues ? this.look(kept, req) : this.wait(kept, req), n => {
      this.keep(offset, kept.bytes(n));
      return this.served(offset, reply.count, n);
    });
  }

  private continues(offset: number, count: number): boolean {
    if (this.due?.offset !== offset) return false;
    return this.due.count === undefined ? count <= this.rsize : this.due.count === count;
  }

  /**
   * A read(2) of more than a message is not to be told from the next read(2) once it is served in full:
   * so it never is, and a continuation always follows.
   */
  private most(count: number): number {
    return count >= this.rsize && this.rsize > 1 ? this.rsize - 1 : count;
  }

  /** Notes what the client will ask if it goes on. */
  private served(offset: number, count: number, n: number): number {
    if (n > 0 && n < count) {
      const rest = count < this.rsize ? count - n : undefined;
      this.due = { offset: offset + n, count: rest };
    }
    return n;
  }

  // ---- what was served before ---------------------------------------------------------------------

  private holds(offset: number): boolean {
    return offset < this.place && offset >= this.place - this.replay.length;
  }

  private again(offset: number, reply: Reply): number {
    const bytes = this.replay.from(this.place - offset);
    return bytes.copy(reply.room(bytes.length));
  }

  private keep(offset: number, bytes: Buffer): void {
    if (offset !== this.place) this.replay.clear();
    this.place = offset + bytes.length;
    this.replay.add(bytes);
  }

  // ---- what comes from the stream -----------------------------------------------------------------

  private wait(reply: Reply, req: Req): Awaitable<number> {
    const { ending } = this;
    this.ending = undefined;
    if (ending === 'end') return 0;
    if (ending !== undefined) throw ending.error;
    const n = this.inner.read(0, reply, req);
    if (!(n instanceof Promise)) return n;
    this.waiting++;
    return n.finally(() => this.waiting--);
  }

  /** What is there now. The next datagram is the next read(2)'s. */
  private look(reply: Reply, req: Req): number {
    if (this.ending !== undefined || this.inner.datagrams === true) return 0;
    const signal = new Abort();
    try {
      const n = this.inner.read(0, reply, { caller: req.caller, signal, nonblocking: true });
      if (n instanceof Promise) {
        // It waits all the same; aborted, it has taken nothing.
        n.catch(() => {});
        signal.abort(new FsError('Eintr'));
        return 0;
      }
      if (n === 0) this.ending = 'end';
      return n;
    } catch (error) {
      if (!(error instanceof FsError && error.name === 'Eagain')) this.ending = { error };
      return 0;
    }
  }

  // ---- writing ------------------------------------------------------------------------------------

  write(offset: number, data: Buffer, req: Req): Awaitable<number> {
    return then(this.inner.write(offset, data, req), n => {
      this.moved(offset, n);
      return n;
    });
  }

  /**
   * A write(2) moves the place at which its file is read, and what was not read of the stream moves with
   * it. One that comes in the middle of a read(2) is a pwrite(2), or appends, and moves nothing.
   */
  private moved(offset: number, n: number): void {
    if (this.waiting > 0 || this.due !== undefined) return;
    if (offset === this.place || this.holds(offset)) this.place += n;
    else {
      this.replay.clear();
      this.place = offset + n;
    }
  }

  close(): void {
    this.replay.clear();
    this.inner.close();
  }
}
