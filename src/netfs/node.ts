/**
 * The one interface between the doors (9P, FUSE) and the tree: a Node is a file that can be walked
 * to, a Handle is a file opened. The doors know nothing else; the tree knows no tag, fid or nodeid.
 */
import type { Signal, Watch } from '../abort.ts';
import type { ErrorName } from './error.ts';
import type { Caller } from '../policy/identity.ts';
import type { Permissions } from '../policy/permissions.ts';
import type { Realm } from './realm.ts';

export type Awaitable<T> = T | Promise<T>;

/** qid.type bits, stat(5). */
export const QTDIR = 0x80;
export const QTFILE = 0x00;

/** A file's identity: `path` is unique among all files of a server and never changes its meaning. */
export interface Qid {
  readonly type: number;
  readonly vers: number;
  readonly path: number;
}

export interface Stat {
  readonly name: string;
  readonly qid: Qid;
  readonly permissions: Permissions;
  /** Content in bytes; 0 for files whose content is made when read. */
  readonly length: number;
  /** Bytes waiting in a stream: 9P2000's stat shows them as the length, Linux's st_size does not. */
  readonly queued?: number;
  /** Seconds since the epoch. */
  readonly atime: number;
  readonly mtime: number;
}

/** What a wstat or setattr asks for; a field that is absent is not touched. */
export interface StatChange {
  name?: string;
  mode?: number;
  owner?: Caller;
  gid?: number;
  length?: number;
  atime?: number;
  mtime?: number;
}

/** How a file is opened; at least one of read and write is set. */
export interface OpenMode {
  readonly read: boolean;
  readonly write: boolean;
  readonly truncate: boolean;
  /** What is written goes to the end, wherever that is by then: O_APPEND of open(2). */
  readonly append?: boolean;
}

/**
 * One request from one caller. `signal` fires on Tflush, on a clunk of the fid, on hang-up; its reason
 * is the FsError to fail with.
 */
export interface Req {
  readonly caller: Caller;
  readonly signal: Signal;
  /** Here he passes like root on Unix. The mount says so, anew for each file that it is asked for. */
  privileged?: boolean;
  /** Eagain instead of waiting for bytes, for room or for a call: O_NONBLOCK of open(2). */
  readonly nonblocking?: boolean;
}

/** Where a read puts its answer. Memory is taken only when there are bytes to put into it. */
export interface Reply {
  /** The most bytes that may be answered. */
  readonly count: number;
  /**
   * Room for `size` bytes, or for `count` if that is less, inside the reply that will be sent; to be
   * filled in the same synchronous step. A later call replaces what an earlier one gave.
   */
  room(size: number): Buffer;
  /** Nothing was there after all: the room is given back while the read waits. */
  drop(): void;
  /**
   * Whether it may be answered now. False while the client does not take its answers: then the bytes
   * stay where they are, and `again` is called when it is worth asking again. For reads that waited;
   * one that begins may be answered.
   */
  mayAnswer(again: () => void): boolean;
}

/** As poll(2) has it: an operation that would fail at once is ready, too. */
export interface Readiness {
  readonly readable: boolean;
  readonly writable: boolean;
  /** The other end sends no more. */
  readonly ended?: boolean;
  /** Neither end does. */
  readonly hungup?: boolean;
  /** It broke. */
  readonly failed?: boolean;
}

export interface Node {
  readonly qid: Qid;
  /**
   * Opening it makes something new, or a write to it may wait for the network: each opening stands
   * apart, and a door whose clients share what they know of a file keeps these from one another.
   */
  readonly separate?: boolean;
  /** The file's owner, group and bits as they are now. */
  readonly permissions: Permissions;
  /** The directory that holds it; the root's parent is the root. */
  readonly parent: DirNode;
  stat(): Stat;
  /** Called after the permission bits were checked; `open` checks what bits cannot say. */
  open(mode: OpenMode, req: Req): Awaitable<Handle>;
  /** Absent: permission denied. Applies the whole change or throws and applies none of it. */
  wstat?(change: StatChange, req: Req): Awaitable<void>;
}

export interface DirNode extends Node {
  /** Of the top of a /net: what rules in it. */
  readonly realm?: Realm;
  /** The file of that name, or undefined. `.` and `..` are the door's. */
  walk(name: string, req: Req): Awaitable<Node | undefined>;
  /** Its files from a position on, in the order of their positions. */
  children(req: Req, from: number): Iterable<Child>;
  /** Where nothing is created: what open(2) with O_CREAT of a name that is not there fails with, Eperm by default. */
  readonly creating?: ErrorName;
  /** Names come and go here, and may stand for other files: a door keeps none. */
  readonly changing?: boolean;
  /**
   * Makes a file or a directory of a name that is one, and free; Eexist if it is taken. Which bits it has
   * is the directory's to say. Called after w and x on the directory were checked. Absent: Eperm.
   */
  create?(name: string, kind: 'file' | 'directory', req: Req): Awaitable<Node>;
  /** Takes a file away. Who has it open keeps what he has. Checked as `create` is. Absent: Eperm. */
  remove?(name: string, req: Req): Awaitable<void>;
  /**
   * Gives a file of this directory another name, here or in `to`; a file that has it is replaced in one
   * step, or, where it must not be, Eexist. Both directories were checked as for `create`. Absent: Eperm.
   */
  rename?(name: string, to: DirNode, newName: string, replace: boolean, req: Req): Awaitable<void>;
}

/** A file where its directory lists it: a whole number from 0 that stays the same while others come. */
export interface Child {
  readonly node: Node;
  readonly position: number;
}

/**
 * A file opened: what a 9P fid and a FUSE fh point at. Opening clone or listen yields the ctl of a new
 * conversation, so `node` may differ from the node that was opened.
 */
export interface Handle {
  readonly node: Node;
  /** The offset means nothing. */
  readonly stream: boolean;
  /**
   * Each write is a message, and what is read stands apart from it: a descriptor that has one position
   * for both need not keep it.
   */
  readonly messages?: boolean;
  /** Of a stream: a read is a datagram, and what did not fit is lost. Two reads are never one. */
  readonly datagrams?: boolean;
  /**
   * Puts up to reply.count bytes into the reply and returns how many; 0 is end of file. Several may be
   * outstanding and are served in their order. Bytes leave a queue only in the synchronous step that
   * settles the answer, so a read aborted by its signal has taken nothing.
   */
  read(offset: number, reply: Reply, req: Req): Awaitable<number>;
  /**
   * Returns how many bytes were taken, less than data.length only if the signal fired half-way.
   * `data` is lent for the synchronous part of the call: who waits keeps a copy of what is left.
   */
  write(offset: number, data: Buffer, req: Req): Awaitable<number>;
  /**
   * What could be done now without waiting. `watch`, if given, is told once when that may have
   * become more. Absent: everything, always.
   */
  poll?(watch: Watch | undefined): Readiness;
  /**
   * close(2) of a descriptor, of which there may be more, or a clunk: what was written comes into force,
   * or the error is close's. Absent: there is nothing to say.
   */
  readonly flush?: ((req: Req) => Awaitable<void>) | undefined;
  /** ftruncate(2), for a file opened for writing. Absent: the node's wstat has it. */
  readonly truncate?: ((length: number, req: Req) => Awaitable<void>) | undefined;
  /** Last clunk or RELEASE. Cannot fail; what still waits on this handle is failed by its own signal. */
  close(): void;
}

export function isDir(node: Node): node is DirNode {
  return (node.qid.type & QTDIR) !== 0;
}
