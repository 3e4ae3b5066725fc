/** What the behaviour tests ask of a client, whatever door it came in by. The 9P Client and File are these. */
import type { Entry } from '../../src/client/directory.ts';
import type { Stat, StatChange } from '../../src/client/stat.ts';

export interface OpenFile {
  /** Up to `count` bytes; empty at the end. Without an offset from where the last one ended. */
  read(count?: number, offset?: number, signal?: AbortSignal): Promise<Buffer>;
  write(data: Uint8Array | string, offset?: number, signal?: AbortSignal): Promise<number>;
  stat(): Promise<Stat>;
  /** Settles when the server has closed the file. */
  close(): Promise<void>;
}

export interface OpenOptions {
  readonly truncate?: boolean;
  /** O_CREAT */
  readonly create?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Paths are relative to the tree. */
export interface Tree<F extends OpenFile = OpenFile> {
  open(path: string, mode?: 'r' | 'w' | 'rw', options?: OpenOptions): Promise<F>;
  stat(path: string): Promise<Stat>;
  readdir(path: string): Promise<Pick<Entry, 'name' | 'qid'>[]>;
  ls(path: string): Promise<Stat[]>;
  readFile(path: string): Promise<Buffer>;
  /** As `>` does in a shell. */
  writeFile(path: string, data: Uint8Array | string, options?: { readonly create?: boolean }): Promise<void>;
  /** As O_CREAT with O_EXCL, and mkdir(2). */
  create(path: string, options?: { readonly directory?: boolean }): Promise<void>;
  /** A file or a directory. */
  remove(path: string): Promise<void>;
  rename(path: string, newPath: string): Promise<void>;
  chmod(path: string, mode: number): Promise<void>;
  setStat(path: string, change: StatChange): Promise<void>;
  /** The client goes away, as one that dies does. */
  close(): void;
}

/** The file's content from here on. */
export async function readAll(file: OpenFile): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (;;) {
    const part = await file.read();
    if (part.length === 0) return Buffer.concat(parts);
    parts.push(part);
  }
}

/** What a stat tells a name by. */
export const lastOf = (path: string): string => path.split('/').filter(Boolean).at(-1) ?? '/';
