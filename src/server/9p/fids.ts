/** Fids: what a client's numbers stand for. */
import { FsError } from '../../netfs/error.ts';
import type { Mount } from '../../netfs/mount.ts';
import type { Handle, Node } from '../../netfs/node.ts';
import type { Caller } from '../../policy/identity.ts';
import type { DirReader } from '../dirreader.ts';
import type { Inode } from './v9fs/index.ts';

/** One fid. It stays with its attach: the caller and what that caller can reach. */
export class Fid {
  readonly number: number;
  readonly caller: Caller;
  readonly mount: Mount;
  node: Node;
  handle: Handle | undefined;
  /** An open is on its way. */
  opening = false;
  /** Clunked, or its session is gone. */
  closed = false;
  /** It may hold locks. */
  hasLocked = false;
  /** Requests in flight that name it. */
  busy = 0;
  /** The list of a file's extended attributes, Txattrwalk; not the file. */
  isAttributes = false;
  dir: DirReader | undefined;
  /** What a v9fs client believes of the file. */
  inode: Inode | undefined;

  constructor(number: number, caller: Caller, mount: Mount, node: Node) {
    this.number = number;
    this.caller = caller;
    this.mount = mount;
    this.node = node;
  }

  /** For what only an unopened fid may do. */
  mustBeUnopened(): void {
    if (this.handle !== undefined || this.opening) throw new FsError('Ebaduse');
  }

  opened(): Handle {
    if (this.handle === undefined) throw new FsError('Ebaduse');
    return this.handle;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.handle?.close();
  }
}

export class FidTable {
  private readonly fids = new Map<number, Fid>();
  private readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  get size(): number {
    return this.fids.size;
  }

  get(number: number): Fid {
    const fid = this.fids.get(number);
    if (fid === undefined) throw new FsError('Ebadfid', String(number));
    return fid;
  }

  /** Throws where `add` would. */
  checkFree(number: number): void {
    if (this.fids.has(number)) throw new FsError('Edupfid', String(number));
    if (this.fids.size >= this.limit) throw new FsError('Enofids', `${this.limit} at most`);
  }

  add(fid: Fid): void {
    this.checkFree(fid.number);
    this.fids.set(fid.number, fid);
  }

  /** The number is free again; the fid itself is the caller's to close. */
  remove(number: number): Fid {
    const fid = this.get(number);
    this.fids.delete(number);
    return fid;
  }

  /** Takes all away; each is the caller's to close. */
  clear(): Fid[] {
    const fids = [...this.fids.values()];
    this.fids.clear();
    return fids;
  }
}
