/** Open files: what the kernel's fh stands for. */
import { FsError } from '../../netfs/error.ts';
import type { Handle } from '../../netfs/node.ts';
import type { Caller } from '../../policy/identity.ts';
import type { DirReader } from '../dirreader.ts';
import type { Entry } from './nodeids.ts';

export class OpenFile {
  readonly fh: number;
  readonly entry: Entry;
  readonly handle: Handle;
  readonly caller: Caller;
  dir: DirReader | undefined;
  /** How far a file of messages has been read; the kernel keeps no position for these. */
  position = 0;
  /** Whom to wake when it becomes ready, by the kernel's handle. */
  readonly polls = new Set<number>();
  /** Wakes them. */
  readonly changed: () => void;

  constructor(fh: number, entry: Entry, handle: Handle, caller: Caller, wake: (file: OpenFile) => void) {
    this.fh = fh;
    this.entry = entry;
    this.handle = handle;
    this.caller = caller;
    this.changed = () => wake(this);
  }
}

export class OpenFiles {
  private readonly files = new Map<number, OpenFile>();
  private readonly wake: (file: OpenFile) => void;
  private last = 0;

  /** `wake` tells the kernel that a file which somebody polls may have become ready. */
  constructor(wake: (file: OpenFile) => void) {
    this.wake = wake;
  }

  get size(): number {
    return this.files.size;
  }

  add(entry: Entry, handle: Handle, caller: Caller): OpenFile {
    const file = new OpenFile(++this.last, entry, handle, caller, this.wake);
    this.files.set(file.fh, file);
    entry.openers.add(file);
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
    file.entry.openers.delete(file);
    file.polls.clear();
    file.handle.close();
  }

  releaseAll(): void {
    for (const fh of [...this.files.keys()]) this.release(fh);
  }
}
