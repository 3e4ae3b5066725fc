/**
 * Reading a directory: whole entries only. Nothing is kept between two reads but where the last one
 * ended, since anybody may open directories and leave them open.
 */
import { FsError } from '../netfs/error.ts';
import type { Child, DirNode, Node, Req } from '../netfs/node.ts';

/** Writes an entry at `at` and returns its end, or undefined when it does not fit before `end`. */
export type PutEntry = (entry: DirEntry, into: Buffer, at: number, end: number) => number | undefined;

export interface DirEntry {
  readonly name: string;
  readonly node: Node;
  /** The position behind this entry: where a .L client and the kernel go on. */
  readonly next: number;
}

/** `.` and `..` */
const DOTS = 2;

export class DirReader {
  private readonly dir: DirNode;
  /** Of the last read by bytes: where it ended, in bytes as read(5) counts them, and behind which child. */
  private offset = 0;
  private position = 0;

  constructor(dir: DirNode) {
    this.dir = dir;
  }

  /** read(5): the offset is 0, or that of the last read and what it answered. */
  readAt(offset: number, into: Buffer, req: Req, put: PutEntry): number {
    if (offset !== 0 && offset !== this.offset)
      throw new FsError('Ebadoffset', 'a directory is read from where the last read ended');
    const from = offset === 0 ? 0 : this.position;
    const { n, next } = fill(named(this.dir.children(req, from)), into, put);
    this.offset = offset + n;
    this.position = next ?? from;
    return n;
  }

  /** The offset is 0 or the `next` of an entry; `.` and `..` come first. */
  readFrom(position: number, into: Buffer, req: Req, put: PutEntry): number {
    return fill(this.withDots(position, req), into, put).n;
  }

  private *withDots(position: number, req: Req): Iterable<DirEntry> {
    if (position < 1) yield { name: '.', node: this.dir, next: 1 };
    if (position < DOTS) yield { name: '..', node: this.dir.parent, next: DOTS };
    for (const entry of named(this.dir.children(req, Math.max(position - DOTS, 0)))) {
      yield { ...entry, next: entry.next + DOTS };
    }
  }
}

function* named(children: Iterable<Child>): Iterable<DirEntry> {
  for (const { node, position } of children) yield { name: node.stat().name, node, next: position + 1 };
}

/** As many entries as fit: their bytes, and the position behind the last. */
function fill(
  entries: Iterable<DirEntry>,
  into: Buffer,
  put: PutEntry,
): { n: number; next: number | undefined } {
  let n = 0;
  let next: number | undefined;
  for (const entry of entries) {
    const end = put(entry, into, n, into.length);
    if (end === undefined) {
      if (n === 0) throw new FsError('Eshort');
      break;
    }
    n = end;
    next = entry.next;
  }
  return { n, next };
}
