/**
 * How Linux's 9p file system reads and writes, as far as a server can tell: net/9p/client.c
 * (p9_client_read), fs/9p/vfs_addr.c and fs/netfs of Linux 6.12. Not a client: a model of one, which speaks
 * to a Handle.
 */
import assert from 'node:assert/strict';
import { Abort } from '../../src/abort.ts';
import { FsError } from '../../src/netfs/error.ts';
import type { Awaitable, Handle, Node, Reply, Req } from '../../src/netfs/node.ts';
import type { Inode } from '../../src/server/9p/v9fs/index.ts';
import { unauthenticated } from '../../src/policy/identity.ts';

const caller = unauthenticated();

class Room implements Reply {
  readonly count: number;
  bytes = Buffer.alloc(0);

  constructor(count: number) {
    this.count = count;
  }

  room(size: number): Buffer {
    // Other memory each time, as Reply allows.
    this.bytes = Buffer.alloc(Math.min(size, this.count), '?');
    return this.bytes;
  }

  drop(): void {}
  mayAnswer(): boolean {
    return true;
  }
}

/** The guest's kernel panics after some fifty; what the server tells twice is suspect already. */
const PATIENCE = 40;

/** A file that is open in the client. */
export class V9fsFile {
  position = 0;
  /** The client's i_size, and what the server believes of it. */
  size = 0;
  private readonly handle: Handle;
  private readonly rsize: number;

  constructor(handle: Handle, rsize: number) {
    this.handle = handle;
    this.rsize = rsize;
  }

  /** read(2): a Tread, another for the rest when it was short, all of it again below i_size. */
  async read(size: number): Promise<Buffer> {
    let got = Buffer.alloc(0);
    for (let asked = 0; ; asked++) {
      const more = await this.clientRead(this.position + got.length, size - got.length);
      got = Buffer.concat([got, more]);
      if (got.length === size || this.position + got.length >= this.size) break;
      assert(asked < PATIENCE, 'the client asks again and again');
    }
    this.position += got.length;
    return got;
  }

  /** p9_client_read */
  private async clientRead(offset: number, size: number): Promise<Buffer> {
    let got = Buffer.alloc(0);
    while (got.length < size) {
      const bytes = await this.tread(offset + got.length, Math.min(size - got.length, this.rsize));
      if (bytes.length === 0) break;
      got = Buffer.concat([got, bytes]);
    }
    return got;
  }

  async tread(offset: number, count: number): Promise<Buffer> {
    const reply = new Room(count);
    const n = await this.handle.read(offset, reply, { caller, signal: new Abort() });
    assert(n <= count, 'more than was asked for ends the mount');
    return reply.bytes.subarray(0, n);
  }

  async write(bytes: Buffer | string): Promise<void> {
    this.position += await this.pwrite(this.position, bytes);
  }

  async pwrite(offset: number, bytes: Buffer | string): Promise<number> {
    const data = Buffer.from(bytes as string);
    const n = await this.handle.write(offset, data, { caller, signal: new Abort() });
    this.size = Math.max(this.size, offset + n);
    return n;
  }
}

export const newInode = (): Inode => ({ link: undefined, size: 0 });

/**
 * A stream whose bytes come in pieces: before each read one more has come, and a read that may wait waits
 * for as many as it takes. A piece of 0 bytes is: nothing yet.
 */
export class Pieces implements Handle {
  readonly node = undefined as unknown as Node;
  readonly stream = true;
  /** Reads that had to wait for a piece. */
  waits = 0;
  written = Buffer.alloc(0);
  private readonly pieces: number[];
  private readonly all: Buffer;
  /** How it ends, told once; who reads on is told that it is over. */
  private end: FsError | 'end' | undefined;
  private taken = 0;
  private come = 0;

  constructor(pieces: readonly number[], end: FsError | 'end' = 'end') {
    this.pieces = [...pieces];
    this.all = content(pieces.reduce((sum, n) => sum + n, 0));
    this.end = end;
  }

  get content(): Buffer {
    return this.all;
  }

  get left(): number {
    return this.all.length - this.taken;
  }

  read(_offset: number, reply: Reply, req: Req): Awaitable<number> {
    if (req.nonblocking !== true) this.waits++;
    this.come += this.pieces.shift() ?? 0;
    while (this.come === this.taken && this.left > 0) {
      if (req.nonblocking === true) throw new FsError('Eagain');
      this.come += this.pieces.shift()!;
    }
    if (this.left === 0) return this.ends();
    const bytes = this.all.subarray(this.taken, Math.min(this.come, this.taken + reply.count));
    this.taken += bytes.copy(reply.room(bytes.length));
    // Later, so that reads that wait are tried, too.
    return req.nonblocking === true ? bytes.length : Promise.resolve(bytes.length);
  }

  private ends(): number {
    const { end } = this;
    this.end = undefined;
    if (end === 'end') return 0;
    throw end ?? new FsError('Ehungup');
  }

  write(_offset: number, data: Buffer): number {
    this.written = Buffer.concat([this.written, data]);
    return data.length;
  }

  close(): void {}
}

/** Bytes of which each place can be told from its neighbours. */
export function content(size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, (_, i) => (i * 31 + (i >> 8) * 7) & 0xff));
}
