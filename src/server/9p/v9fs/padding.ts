/**
 * The texts: ctl, status, stats and the like. Writing to a file raises the client's idea of its size,
 * though what is read is another text; so a reply that would end below that size is padded with newlines
 * up to it.
 */
import { FsError } from '../../../netfs/error.ts';
import { then } from '../../../netfs/mount.ts';
import type { Awaitable, Handle, Node, Reply, Req } from '../../../netfs/node.ts';
import type { Inode } from './inode.ts';

/**
 * Should a client ask the same again and again all the same - two users by two walks of one name have one
 * inode there, and two here - an error ends it. After some fifty the guest's kernel would panic.
 */
const MOST_REPEATED = 16;

export class TextReader implements Handle {
  readonly node: Node;
  readonly stream = false;
  readonly flush: Handle['flush'];
  readonly truncate: Handle['truncate'];
  private readonly inner: Handle;
  private readonly inode: Inode;
  /** Where the client asks on after a short reply, in the same read(2). */
  private due: Range | undefined;
  private asked: Range | undefined;
  private zeros = 0;

  constructor(inner: Handle, inode: Inode) {
    this.node = inner.node;
    this.inner = inner;
    this.inode = inode;
    this.flush = inner.flush?.bind(inner);
    this.truncate = inner.truncate?.bind(inner);
  }

  read(offset: number, reply: Reply, req: Req): Awaitable<number> {
    const range = { offset, count: reply.count };
    // A text that was short has been told to its end, wherever the next one may be thought to begin.
    const told = same(this.due, range);
    return then(told ? 0 : this.padded(offset, reply, req), n => {
      this.checkLoop(range, n);
      this.due = n > 0 && n < reply.count ? { offset: offset + n, count: reply.count - n } : undefined;
      return n;
    });
  }

  private padded(offset: number, reply: Reply, req: Req): Awaitable<number> {
    const kept = new KeepingReply(reply);
    return then(this.inner.read(offset, kept, req), n => {
      const end = Math.min(this.inode.size - offset, reply.count);
      if (n >= end) return n;
      // More room may be other room.
      const text = Buffer.from(kept.bytes(n));
      const room = reply.room(end);
      text.copy(room);
      room.fill('\n', n, end);
      return end;
    });
  }

  private checkLoop(range: Range, n: number): void {
    this.zeros = n === 0 && same(this.asked, range) ? this.zeros + 1 : 0;
    this.asked = range;
    if (this.zeros < MOST_REPEATED) return;
    this.zeros = 0;
    throw new FsError('Ebadoffset', 'the client asks for the end of the file again and again');
  }

  write(offset: number, data: Buffer, req: Req): Awaitable<number> {
    return then(this.inner.write(offset, data, req), n => {
      this.inode.size = Math.max(this.inode.size, offset + n);
      return n;
    });
  }

  close(): void {
    this.inner.close();
  }
}

interface Range {
  readonly offset: number;
  readonly count: number;
}

const same = (a: Range | undefined, b: Range): boolean =>
  a !== undefined && a.offset === b.offset && a.count === b.count;

/** A reply whose bytes can be looked at when they are there; `count` may be less than the reply's own. */
export class KeepingReply implements Reply {
  readonly count: number;
  private readonly reply: Reply;
  private given: Buffer | undefined;

  constructor(reply: Reply, count = reply.count) {
    this.reply = reply;
    this.count = count;
  }

  room(size: number): Buffer {
    this.given = this.reply.room(Math.min(size, this.count));
    return this.given;
  }

  drop(): void {
    this.given = undefined;
    this.reply.drop();
  }

  mayAnswer(again: () => void): boolean {
    return this.reply.mayAnswer(again);
  }

  /** The first n, valid until the reply goes out. */
  bytes(n: number): Buffer {
    return this.given?.subarray(0, n) ?? Buffer.alloc(0);
  }
}
