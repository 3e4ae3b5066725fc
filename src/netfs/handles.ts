/** The handles of files whose content is text made by the server. */
import type { Watch } from '../abort.ts';
import { FsError } from './error.ts';
import type { Awaitable, Handle, Node, Readiness, Reply, Req } from './node.ts';

/** Puts `text` from `offset` on into a reply. */
export function readText(text: Buffer, offset: number, reply: Reply): number {
  const n = Math.min(reply.count, text.length - offset);
  if (n <= 0) return 0;
  return text.copy(reply.room(n), 0, offset, offset + n);
}

/**
 * What a ctl reads as: its number, without a newline, since clients append it to a path. Who writes a message
 * and then reads on from there finds the number, too.
 */
export class CtlNumber {
  private readonly number: number;
  /** Where the last message ended. */
  private written = Infinity;

  constructor(number: number) {
    this.number = number;
  }

  read(offset: number, reply: Reply): number {
    const from = offset >= this.written ? offset - this.written : offset;
    return readText(Buffer.from(String(this.number)), from, reply);
  }

  /** A message has ended there. */
  wrote(end: number): void {
    this.written = end;
  }
}

const toBuffer = (text: string | Buffer): Buffer => (typeof text === 'string' ? Buffer.from(text) : text);

/** What poll says of a file on which nothing waits. */
export const READY: Readiness = { readable: true, writable: true };

/** A read-only text, made anew whenever it is read from its start. */
export class TextHandle implements Handle {
  readonly node: Node;
  readonly stream = false;
  private readonly make: () => string | Buffer;
  private text: Buffer | undefined;

  constructor(node: Node, make: () => string | Buffer) {
    this.node = node;
    this.make = make;
  }

  read(offset: number, reply: Reply): number {
    if (offset === 0 || this.text === undefined) this.text = toBuffer(this.make());
    return readText(this.text, offset, reply);
  }

  write(): never {
    throw new FsError('Eperm');
  }

  close(): void {}
}

/** A handle that was opened for one direction only, or whose directory is read by the door. */
export class GuardedHandle implements Handle {
  readonly stream: boolean;
  readonly messages: boolean;
  readonly flush: Handle['flush'];
  readonly truncate: Handle['truncate'];
  private readonly inner: Handle;
  private readonly mayRead: boolean;
  private readonly mayWrite: boolean;

  constructor(inner: Handle, mayRead: boolean, mayWrite: boolean) {
    this.stream = inner.stream;
    this.messages = inner.messages === true;
    this.inner = inner;
    this.mayRead = mayRead;
    this.mayWrite = mayWrite;
    // open(2) truncates what it then only reads, too.
    this.flush = inner.flush?.bind(inner);
    if (mayWrite) this.truncate = inner.truncate?.bind(inner);
  }

  /** A listen that was opened without waiting becomes a call's ctl. */
  get node(): Node {
    return this.inner.node;
  }

  read(offset: number, reply: Reply, req: Req): Awaitable<number> {
    if (!this.mayRead) throw new FsError('Ebadfd');
    return this.inner.read(offset, reply, req);
  }

  write(offset: number, data: Buffer, req: Req): Awaitable<number> {
    if (!this.mayWrite) throw new FsError('Ebadfd');
    return this.inner.write(offset, data, req);
  }

  poll(watch: Watch | undefined): Readiness {
    return this.inner.poll?.(watch) ?? READY;
  }

  close(): void {
    this.inner.close();
  }
}
