/** The tree as a mounted file system shows it to a program: paths, descriptors and system calls. */
import { constants } from 'node:fs';
import type { Stat, StatChange } from '../../src/client/stat.ts';
import type { Answer, Arguments, CallName, FdClient } from './fdclient.ts';
import { lastOf, readAll, type OpenFile, type OpenOptions, type Tree } from './tree.ts';

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_DIRECTORY, O_NONBLOCK } = constants;
const { S_IFMT, S_IFDIR } = constants;
const MODES = { r: O_RDONLY, w: O_WRONLY, rw: O_RDWR } as const;
/** fcntl(2) */
const F_GETFL = 3;
const F_SETFL = 4;

/** poll(2)'s bits. */
export const POLLIN = 0x1;
export const POLLOUT = 0x4;
export const POLLERR = 0x8;
export const POLLHUP = 0x10;
export const POLLRDHUP = 0x2000;

/** What read() asks for when it is not told. */
const READ = 64 * 1024;

const pathBytes = (...paths: string[]): Buffer => Buffer.from(paths.map(path => path || '.').join('\0'));

export class FuseTree implements Tree<FuseFile> {
  readonly client: FdClient;

  constructor(client: FdClient) {
    this.client = client;
  }

  /** One system call on paths. */
  call(
    name: CallName,
    paths: string | string[],
    args: Arguments = {},
    signal?: AbortSignal,
  ): Promise<Answer> {
    return this.client.call(name, { ...args, bytes: pathBytes(...[paths].flat()) }, signal);
  }

  async open(path: string, mode: 'r' | 'w' | 'rw' = 'r', options: OpenOptions = {}): Promise<FuseFile> {
    const truncate = options.truncate === true ? O_TRUNC : 0;
    const create = options.create === true ? O_CREAT : 0;
    return this.openWith(path, MODES[mode] | truncate | create, options.signal);
  }

  /** Opens with open(2)'s flags. */
  async openWith(path: string, flags: number, signal?: AbortSignal): Promise<FuseFile> {
    const { result } = await this.call('open', path, { a: flags }, signal);
    return new FuseFile(this.client, result, path);
  }

  async stat(path: string): Promise<Stat> {
    return toStat(path, (await this.call('stat', path)).bytes);
  }

  async readdir(path: string): Promise<{ name: string; qid: Stat['qid'] }[]> {
    const dir = await this.openWith(path, O_RDONLY | O_DIRECTORY);
    try {
      const entries: DirEntry[] = [];
      for (let part; (part = await dir.entries()).length > 0;) entries.push(...part);
      return entries.filter(({ name }) => name !== '.' && name !== '..');
    } finally {
      await dir.close();
    }
  }

  async ls(path: string): Promise<Stat[]> {
    const self = await this.stat(path);
    if (!self.isDirectory) return [self];
    return Promise.all((await this.readdir(path)).map(({ name }) => this.stat(`${path || '.'}/${name}`)));
  }

  async readFile(path: string): Promise<Buffer> {
    const file = await this.open(path, 'r');
    try {
      return await readAll(file);
    } finally {
      await file.close();
    }
  }

  async writeFile(
    path: string,
    data: Uint8Array | string,
    options: { readonly create?: boolean } = {},
  ): Promise<void> {
    const file = await this.open(path, 'w', { ...options, truncate: true });
    try {
      await file.write(data);
    } finally {
      await file.close();
    }
  }

  async create(path: string, { directory = false }: { readonly directory?: boolean } = {}): Promise<void> {
    if (directory) await this.call('mkdir', path);
    else await (await this.openWith(path, O_WRONLY | O_CREAT | O_EXCL)).close();
  }

  async remove(path: string): Promise<void> {
    const { isDirectory } = await this.stat(path);
    await this.call(isDirectory ? 'rmdir' : 'unlink', path);
  }

  async rename(path: string, newPath: string): Promise<void> {
    await this.call('rename', [path, newPath]);
  }

  async chmod(path: string, mode: number): Promise<void> {
    await this.call('chmod', path, { a: mode });
  }

  /** Each thing that changes is a system call of its own. */
  async setStat(path: string, { mode, uid, gid, length, mtime }: StatChange): Promise<void> {
    if (uid !== undefined || gid !== undefined) {
      await this.call('chown', path, { a: Number(uid ?? -1), b: Number(gid ?? -1) });
    }
    if (length !== undefined) await this.call('truncate', path, { a: length });
    if (mtime !== undefined) await this.call('utimes', path, { a: -1, b: mtime });
    if (mode !== undefined) await this.chmod(path, mode);
  }

  close(): void {
    this.client.close();
  }
}

export interface Reader {
  readonly pid: number;
  /** What ended it, 0 if nothing did; what read(2) failed with, 0 if it did not; and what it read. */
  readonly ended: Promise<{ signal: number; errno: number; read: Buffer }>;
}

export interface DirEntry {
  readonly name: string;
  readonly qid: Stat['qid'];
  /** Where lseek(2) goes for the entries behind this one. */
  readonly next: number;
}

/** A descriptor. */
export class FuseFile implements OpenFile {
  readonly client: FdClient;
  readonly fd: number;
  private readonly path: string;

  constructor(client: FdClient, fd: number, path: string) {
    this.client = client;
    this.fd = fd;
    this.path = path;
  }

  /** read(2), or pread(2) where an offset is given. */
  async read(count = READ, offset = -1, signal?: AbortSignal): Promise<Buffer> {
    return (await this.client.call('read', { a: this.fd, b: count, c: offset }, signal)).bytes;
  }

  /** write(2) or pwrite(2), and again for what was not taken. */
  async write(data: Uint8Array | string, offset = -1, signal?: AbortSignal): Promise<number> {
    const bytes = Buffer.from(data);
    let taken = 0;
    do {
      try {
        taken += await this.writeOnce(bytes.subarray(taken), offset < 0 ? offset : offset + taken, signal);
      } catch (error) {
        if (taken > 0 && signal?.aborted === true) return taken;
        throw error;
      }
    } while (taken < bytes.length);
    return taken;
  }

  /** One write(2), and what it returns. */
  async writeOnce(data: Uint8Array | string, offset = -1, signal?: AbortSignal): Promise<number> {
    const bytes = Buffer.from(data);
    return (await this.client.call('write', { a: this.fd, b: offset, bytes }, signal)).result;
  }

  async stat(): Promise<Stat> {
    return toStat(this.path, (await this.client.call('fstat', { a: this.fd })).bytes);
  }

  /** The kernel tells of a close only afterwards, but before what is asked next. */
  async close(): Promise<void> {
    await this.client.call('close', { a: this.fd }).catch(() => {});
    await this.client.barrier().catch(() => {});
  }

  async dup(): Promise<FuseFile> {
    return new FuseFile(this.client, (await this.client.call('dup', { a: this.fd })).result, this.path);
  }

  async seek(offset: number): Promise<number> {
    return (await this.client.call('lseek', { a: this.fd, b: offset })).result;
  }

  /** O_NONBLOCK, by fcntl(2). */
  async setNonblocking(on: boolean): Promise<void> {
    const { result } = await this.client.call('fcntl', { a: this.fd, b: F_GETFL });
    const c = on ? result | O_NONBLOCK : result & ~O_NONBLOCK;
    await this.client.call('fcntl', { a: this.fd, b: F_SETFL, c });
  }

  /** Which of these events are there; waits for one, so many milliseconds at most, for ever by default. */
  async poll(events: number, timeout = -1, by: 'poll' | 'select' | 'epoll' = 'poll'): Promise<number> {
    return (await this.client.call(by, { a: this.fd, b: events, c: timeout })).result;
  }

  /** A new process that has inherited the descriptor and reads from it once, no more than 64 KB. */
  async readInChild(count: number): Promise<Reader> {
    const { result: pid, bytes } = await this.client.call('fork', { a: this.fd, b: count });
    const pipe = bytes.readInt32LE(0);
    const ended = this.client.call('wait', { a: pid, b: pipe, c: count }).then(({ result, bytes: read }) => ({
      // wait(2)
      signal: result & 0x7f,
      errno: result >> 8,
      read,
    }));
    return { pid, ended };
  }

  /** The next entries of a directory that fit; none at its end. */
  async entries(size = READ): Promise<DirEntry[]> {
    const { bytes } = await this.client.call('getdents', { a: this.fd, b: size });
    const found: DirEntry[] = [];
    // ino[8] next[8] size[2] type[1] name, getdents(2)
    for (let at = 0; at < bytes.length; at += bytes.readUInt16LE(at + 16)) {
      const name = bytes.toString('utf8', at + 19, bytes.indexOf(0, at + 19));
      const type = bytes[at + 18] === DT_DIR ? QTDIR : 0;
      const qid = { type, vers: 0, path: Number(bytes.readBigUInt64LE(at)) };
      found.push({ name, qid, next: Number(bytes.readBigInt64LE(at + 8)) });
    }
    return found;
  }
}

const DT_DIR = 4;
const QTDIR = 0x80;

/** ino mode nlink uid gid size atime mtime blksize, 8 bytes each. The inode is the qid. */
function toStat(path: string, bytes: Buffer): Stat {
  const field = (n: number): number => Number(bytes.readBigInt64LE(8 * n));
  const isDirectory = (field(1) & S_IFMT) === S_IFDIR;
  return {
    name: lastOf(path),
    qid: { type: isDirectory ? QTDIR : 0, vers: 0, path: field(0) },
    mode: field(1) & 0o7777,
    isDirectory,
    uid: field(3),
    gid: field(4),
    owner: undefined,
    group: undefined,
    length: field(5),
    atime: field(6),
    mtime: field(7),
  };
}
