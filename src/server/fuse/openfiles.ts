/** Open files: what the kernel's fh stands for. */
import { Abort, type Signal, type Watch } from '../../abort.ts';
import { FsError } from '../../netfs/error.ts';
import type { Handle } from '../../netfs/node.ts';
import type { Caller } from '../../policy/identity.ts';
import type { DirReader } from '../dirreader.ts';
import type { Entry } from './nodeids.ts';

export class OpenFile implements Watch {
  readonly fh: number;
  readonly entry: Entry;
  readonly handle: Handle;
  readonly caller: Caller;
  dir: DirReader | undefined;
  /** How far a file of messages has been read; the kernel keeps no position for these. */
  position = 0;
  /** Whom to wake when it becomes ready, by the kernel's handle. */
  private polls: Set<number> | undefined;
  private end: Abort | undefined;
  private readonly wake: (kh: number) => void;

  constructor(fh: number, entry: Entry, handle: Handle, caller: Caller, wake: (kh: number) => void) {
    this.fh = fh;
    this.entry = entry;
    this.handle = handle;
    this.caller = caller;
    this.wake = wake;
  }

  /** Fires at its release. */
  get closed(): Signal {
    return (this.end ??= new Abort());
  }

  /** Remembers to wake the one whom the kernel knows by this number. */
  polledBy(kh: number): void {
    (this.polls ??= new Set()).add(kh);
  }

  /** Wakes those who poll it. */
  changed(): void {
    const polls = this.polls;
    this.polls = undefined;
    for (const kh of polls ?? []) this.wake(kh);
  }

  close(): void {
    this.polls = undefined;
    this.end?.abort(new FsError('Ehungup'));
    this.handle.close();
  }
}

/** Of one user: each takes about a kilobyte here. */
const MOST = 65536;

export class OpenFiles {
  private readonly files = new Map<number, OpenFile>();
  private readonly wake: (kh: number) => void;
  private readonly counts = new Map<number, number>();
  private last = 0;

  /** `wake` tells the kernel that somebody who polls should look again. */
  constructor(wake: (kh: number) => void) {
    this.wake = wake;
  }

  get size(): number {
    return this.files.size;
  }

  /** Throws Enofids where `add` would be one too many for this user. */
  checkRoom({ uid }: Caller): void {
    if ((this.counts.get(uid) ?? 0) >= MOST)
      throw new FsError('Enofids', `user ${uid} has ${MOST} files open`);
  }

  private count({ uid }: Caller, by: 1 | -1): void {
    const count = (this.counts.get(uid) ?? 0) + by;
    if (count > 0) this.counts.set(uid, count);
    else this.counts.delete(uid);
  }

  add(entry: Entry, handle: Handle, caller: Caller): OpenFile {
    const file = new OpenFile(++this.last, entry, handle, caller, this.wake);
    this.files.set(file.fh, file);
    entry.countOpen(caller, 1);
    this.count(caller, 1);
    return file;
  }

  get(fh: number): OpenFile {
    const file = this.files.get(fh);
    if (file === undefined) throw new FsError('Ebadfid', `fh ${fh}`);
    return file;
  }

  release(fh: number): void {
    const file = this.get(fh);
    this.files.delete(fh);
    file.entry.countOpen(file.caller, -1);
    this.count(file.caller, -1);
    file.close();
  }

  /** Has everybody who polls look again. */
  wakeAll(): void {
    for (const file of this.files.values()) file.changed();
  }

  releaseAll(): void {
    for (const fh of [...this.files.keys()]) this.release(fh);
  }
}
