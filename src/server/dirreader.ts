/** Reading a directory: whole entries only, from a list that is taken when reading begins. */
import { FsError } from '../netfs/error.ts';
import type { DirNode, Node, Req } from '../netfs/node.ts';

/** Writes an entry at `at` and returns its end, or undefined when it does not fit before `end`. */
export type PutEntry = (entry: DirEntry, into: Buffer, at: number, end: number) => number | undefined;

export interface DirEntry {
  readonly name: string;
  readonly node: Node;
  /** The position behind this entry: where a .L client goes on. */
  readonly next: number;
}

export class DirReader {
  private readonly dir: DirNode;
  private entries: DirEntry[] = [];
  private taken = false;
  /** In bytes, as read(5) of a directory counts them. */
  private offset = 0;
  private index = 0;

  constructor(dir: DirNode) {
    this.dir = dir;
  }

  /** read(5): the offset is 0, or that of the last read and what it answered. */
  readAt(offset: number, into: Buffer, req: Req, put: PutEntry): number {
    if (offset === 0) this.rewind(this.dir.children(req));
    else if (offset !== this.offset)
      throw new FsError('Ebadoffset', 'a directory is read from where the last read ended');
    const n = this.fill(into, put);
    this.offset += n;
    return n;
  }

  /** Treaddir: the offset is 0 or the `next` of an entry; `.` and `..` come first. */
  readFrom(position: number, into: Buffer, req: Req, put: PutEntry): number {
    if (position === 0 || !this.taken) this.rewind(this.withDots(req));
    this.index = Math.min(position, this.entries.length);
    return this.fill(into, put);
  }

  private *withDots(req: Req): Iterable<Node> {
    yield this.dir;
    yield this.dir.parent;
    yield* this.dir.children(req);
  }

  private rewind(nodes: Iterable<Node>): void {
    const dots = [this.dir, this.dir.parent];
    this.entries = [];
    for (const node of nodes) {
      const at = this.entries.length;
      const dot = at < 2 && node === dots[at] ? '.'.repeat(at + 1) : undefined;
      this.entries.push({ name: dot ?? node.stat().name, node, next: at + 1 });
    }
    this.taken = true;
    this.offset = 0;
    this.index = 0;
  }

  private fill(into: Buffer, put: PutEntry): number {
    let at = 0;
    for (; this.index < this.entries.length; this.index++) {
      const end = put(this.entries[this.index]!, into, at, into.length);
      if (end === undefined) break;
      at = end;
    }
    if (at === 0 && this.index < this.entries.length) throw new FsError('Eshort');
    return at;
  }
}
