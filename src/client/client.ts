/** A client attached to a tree: its files by path. */
import type { Body, Dialect } from '../server/9p/messages.ts';
import type { Connection, Reply, RequestName } from './connection.ts';
import { entries, type Entry } from './directory.ts';
import { NinepError } from './error.ts';
import type { Fid, OpenMode, OpenOptions } from './fid.ts';
import { File } from './file.ts';
import { mapSome } from './some.ts';
import type { Stat, StatChange } from './stat.ts';

/** Files of one directory that are asked about at the same time. */
const STATS_AT_ONCE = 32;

export interface CallOptions {
  /** Cancels the call; it fails with the signal's reason, unless the server was done before. */
  readonly signal?: AbortSignal | undefined;
}

export interface CreateOptions extends CallOptions {
  readonly directory?: boolean;
}

/**
 * Paths are relative to the attached tree; blank elements and `.` are skipped. Every method fails with
 * NinepError when the server refuses, TransportError when it is gone, ProtocolError when it is
 * broken, or the signal's reason. Fids that a method needed are given back whatever happens.
 */
export class Client {
  readonly connection: Connection;
  /** The attached directory. */
  readonly root: Fid;

  constructor(connection: Connection, root: Fid) {
    this.connection = connection;
    this.root = root;
  }

  /** The dialect that was agreed upon. */
  get dialect(): Dialect {
    return this.connection.dialect;
  }

  /** The longest message in bytes. */
  get msize(): number {
    return this.connection.msize;
  }

  /** Settles with the reason when the connection has ended. */
  get closed(): Promise<Error> {
    return this.connection.closed;
  }

  /** One request and its answer, for what the other methods do not cover. The fids used are the caller's care. */
  rpc<N extends RequestName>(type: N, body: Body<N>, signal?: AbortSignal): Promise<Reply<N>> {
    return this.connection.rpc(type, body, signal);
  }

  /** A new fid for a path; clunk() it when done. */
  walk(path: string, { signal }: CallOptions = {}): Promise<Fid> {
    return this.root.walk(elements(path), signal);
  }

  /** Opens a file; close() it when done. */
  async open(path: string, mode: OpenMode = 'r', options: OpenOptions = {}): Promise<File> {
    if (options.create !== true) return this.#open(path, mode, options);
    try {
      return await this.#open(path, mode, options);
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
    try {
      return await this.#create(path, mode, options.signal);
    } catch (error) {
      // Somebody was faster.
      if (hasCode(error, 'EEXIST')) return this.#open(path, mode, options);
      throw error;
    }
  }

  async #open(path: string, mode: OpenMode, options: OpenOptions): Promise<File> {
    const fid = await this.walk(path, options);
    try {
      await fid.open(mode, options);
      return new File(fid);
    } catch (error) {
      await fid.clunk();
      throw error;
    }
  }

  async #create(path: string, mode: OpenMode, signal: AbortSignal | undefined): Promise<File> {
    const { dir, name } = split(path);
    const fid = await this.root.walk(dir, signal);
    try {
      await fid.create(name, mode, signal);
      return new File(fid);
    } catch (error) {
      await fid.clunk();
      throw error;
    }
  }

  /** Makes a file, or a directory, of a name that is free. The server says who may use it. */
  async create(path: string, { directory = false, signal }: CreateOptions = {}): Promise<void> {
    if (!directory) return (await this.#create(path, 'r', signal)).finish();
    const { dir, name } = split(path);
    const fid = await this.root.walk(dir, signal);
    try {
      await fid.mkdir(name, signal);
    } finally {
      await fid.clunk();
    }
  }

  /** Takes away a file, or a directory in which nothing is. */
  async remove(path: string, options: CallOptions = {}): Promise<void> {
    await (await this.walk(path, options)).remove();
  }

  /**
   * Gives a file another path; a file that has it is replaced in one step. 9P2000 and .u only know
   * another name in the same directory.
   */
  async rename(path: string, newPath: string, { signal }: CallOptions = {}): Promise<void> {
    const [old, wanted] = [split(path), split(newPath)];
    const fids: Fid[] = [];
    try {
      for (const names of [old.dir, wanted.dir]) fids.push(await this.root.walk(names, signal));
      const [from, to] = fids as [Fid, Fid];
      const file = await from.walk([old.name], signal);
      fids.push(file);
      await file.rename(wanted.name, from, to, signal);
    } finally {
      await Promise.all(fids.map(fid => fid.clunk()));
    }
  }

  stat(path: string, { signal }: CallOptions = {}): Promise<Stat> {
    return this.#withFid(path, signal, fid => fid.stat(signal));
  }

  /** The names and qids in a directory, in the server's order. */
  async readdir(path: string, options: CallOptions = {}): Promise<Entry[]> {
    const dir = await this.open(path, 'r', options);
    try {
      return await entries(dir.fid, options.signal);
    } finally {
      await dir.close();
    }
  }

  /** What a directory holds, in the server's order; of another file, its own stat. Files that vanish meanwhile are left out. */
  async ls(path: string, { signal }: CallOptions = {}): Promise<Stat[]> {
    const self = await this.stat(path, { signal });
    if (!self.isDirectory) return [self];
    const found = await this.readdir(path, { signal });
    const stats = await mapSome(
      found,
      STATS_AT_ONCE,
      ({ name, stat }) => stat ?? this.#statIfThere(`${path}/${name}`, signal),
    );
    return stats.filter(stat => stat !== undefined);
  }

  async #statIfThere(path: string, signal: AbortSignal | undefined): Promise<Stat | undefined> {
    try {
      return await this.stat(path, { signal });
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** The whole content. On a stream it ends when the stream does. */
  async readFile(path: string, options: CallOptions = {}): Promise<Buffer> {
    const file = await this.open(path, 'r', options);
    try {
      return await file.readAll(options.signal);
    } finally {
      await file.close();
    }
  }

  /** Replaces the content, as `>` does in a shell. Up to iounit bytes are one write, as control files need. */
  async writeFile(path: string, data: Uint8Array | string, options: OpenOptions = {}): Promise<void> {
    const file = await this.open(path, 'w', { ...options, truncate: true });
    try {
      await file.write(data, 0, options.signal);
      await file.finish();
    } finally {
      await file.close();
    }
  }

  /** Sets the nine permission bits, or computes them from what the file is. */
  chmod(path: string, mode: number | ((old: Stat) => number), { signal }: CallOptions = {}): Promise<void> {
    return this.#withFid(path, signal, async fid => {
      const bits = typeof mode === 'number' ? mode : mode(await fid.stat(signal));
      await fid.setStat({ mode: bits }, signal);
    });
  }

  /** Changes owner or group: numbers, or names (not in 9P2000.L). */
  chown(path: string, owner: Pick<StatChange, 'uid' | 'gid'>, options: CallOptions = {}): Promise<void> {
    return this.setStat(path, owner, options);
  }

  /** Changes several things at once: all of them or, if the server refuses, none. */
  setStat(path: string, change: StatChange, { signal }: CallOptions = {}): Promise<void> {
    return this.#withFid(path, signal, fid => fid.setStat(change, signal));
  }

  /** Ends the connection; the server takes back all fids. Calls that wait fail with TransportError. */
  close(): void {
    this.connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #withFid<T>(
    path: string,
    signal: AbortSignal | undefined,
    use: (fid: Fid) => Promise<T>,
  ): Promise<T> {
    const fid = await this.walk(path, { signal });
    try {
      return await use(fid);
    } finally {
      await fid.clunk();
    }
  }
}

const elements = (path: string): string[] => path.split('/').filter(name => name !== '' && name !== '.');

/** The names that lead to a file's directory, and its own. */
function split(path: string): { dir: string[]; name: string } {
  const names = elements(path);
  return { dir: names.slice(0, -1), name: names.at(-1) ?? '' };
}

const hasCode = (error: unknown, code: string): boolean => error instanceof NinepError && error.code === code;
