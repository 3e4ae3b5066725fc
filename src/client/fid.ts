/** A fid: the server's handle for a file, walked to or opened. Here the dialects differ; above they do not. */
import { IOHDRSZ, MAXWELEM } from '../server/9p/messages.ts';
import type { Connection } from './connection.ts';
import { knownError } from './error.ts';
import type { NumberPool } from './pool.ts';
import {
  fromAttributes,
  fromWireStat,
  GETATTR_BASIC,
  toAttributes,
  toWireStat,
  type Qid,
  type Stat,
  type StatChange,
} from './stat.ts';

/** `r` to read, `w` to write, `rw` both. */
export type OpenMode = 'r' | 'w' | 'rw';

/** Topen's and Tlopen's modes have the same numbers, but for truncation. */
const MODES = { r: 0, w: 1, rw: 2 } as const;
const OTRUNC = 0x10;
const O_TRUNC = 0o1000;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const DMDIR = 0x80000000;
/** The server says which of these bits a new file has. */
const FILE_BITS = 0o666;
const DIRECTORY_BITS = 0o777;
/** Who makes a file says no group by its number here. */
const NO_GID = 0xffffffff;

export class Fid {
  readonly connection: Connection;
  readonly number: number;
  /** The file's name, as it was walked to; `/` for the root. */
  readonly name: string;
  readonly #fids: NumberPool;
  #qid: Qid;
  #iounit = 0;
  #clunked: Promise<void> | undefined;

  /** Attaching and walk() make fids. */
  constructor(connection: Connection, fids: NumberPool, number: number, name: string, qid: Qid) {
    this.connection = connection;
    this.number = number;
    this.name = name;
    this.#fids = fids;
    this.#qid = qid;
  }

  /** The file's identity. Opening `clone` or `listen` changes it: the fid is then another file's. */
  get qid(): Qid {
    return this.#qid;
  }

  /** The most bytes of one read or write. */
  get iounit(): number {
    const room = this.connection.msize - IOHDRSZ;
    return this.#iounit === 0 ? room : Math.min(this.#iounit, room);
  }

  /** A new fid for the file that these names lead to; no name, the same file. */
  async walk(names: readonly string[], signal?: AbortSignal): Promise<Fid> {
    const number = this.#fids.take();
    let at: Fid | undefined;
    try {
      let rest = names;
      do {
        at = await this.#step(at ?? this, number, rest.slice(0, MAXWELEM), signal);
        rest = rest.slice(MAXWELEM);
      } while (rest.length > 0);
      return at;
    } catch (error) {
      if (at === undefined) this.#fids.free(number);
      else await at.clunk();
      throw error;
    }
  }

  /** One Twalk from `from` to the new fid `number`, which may be `from` itself. */
  async #step(from: Fid, number: number, names: readonly string[], signal?: AbortSignal): Promise<Fid> {
    names.forEach(checkLength);
    const request = { fid: from.number, newfid: number, names };
    const { qids } = await this.connection.rpc('Twalk', request, signal);
    if (qids.length > names.length) throw this.connection.broken('Rwalk has more qids than Twalk has names');
    if (qids.length === 0 && names.length > 0) throw knownError('Enonexist');
    if (qids.length < names.length) return this.#explain(from, names.slice(0, qids.length + 1), signal);
    return new Fid(this.connection, this.#fids, number, names.at(-1) ?? from.name, qids.at(-1) ?? from.#qid);
  }

  /** A walk that stops half-way does not say why; walking the last name alone does. */
  async #explain(from: Fid, names: readonly string[], signal?: AbortSignal): Promise<never> {
    const parent = await from.walk(names.slice(0, -1), signal);
    try {
      const found = await parent.walk(names.slice(-1), signal);
      await found.clunk();
    } finally {
      await parent.clunk();
    }
    throw knownError('Enonexist');
  }

  async open(mode: OpenMode, { truncate = false, signal }: OpenOptions = {}): Promise<void> {
    const { qid, iounit } = await (this.connection.dialect === '9P2000.L'
      ? this.connection.rpc(
          'Tlopen',
          { fid: this.number, flags: MODES[mode] | (truncate ? O_TRUNC : 0) },
          signal,
        )
      : this.connection.rpc(
          'Topen',
          { fid: this.number, mode: MODES[mode] | (truncate ? OTRUNC : 0) },
          signal,
        ));
    this.#qid = qid;
    this.#iounit = iounit;
  }

  /** Of a directory: makes a file of a name that is free, and is then that file's, opened. */
  async create(name: string, mode: OpenMode, signal?: AbortSignal): Promise<void> {
    checkLength(name);
    const { qid, iounit } = await (this.connection.dialect === '9P2000.L'
      ? this.connection.rpc(
          'Tlcreate',
          {
            fid: this.number,
            name,
            flags: MODES[mode] | O_CREAT | O_EXCL,
            mode: FILE_BITS,
            gid: NO_GID,
          },
          signal,
        )
      : this.connection.rpc(
          'Tcreate',
          { fid: this.number, name, perm: FILE_BITS, mode: MODES[mode], extension: '' },
          signal,
        ));
    this.#qid = qid;
    this.#iounit = iounit;
  }

  /** Of a directory: makes a directory in it. In 9P2000 and .u the fid is then that one's. */
  async mkdir(name: string, signal?: AbortSignal): Promise<void> {
    checkLength(name);
    if (this.connection.dialect === '9P2000.L') {
      const request = { dfid: this.number, name, mode: DIRECTORY_BITS, gid: NO_GID };
      await this.connection.rpc('Tmkdir', request, signal);
    } else {
      const perm = (DMDIR | DIRECTORY_BITS) >>> 0;
      const request = { fid: this.number, name, perm, mode: MODES.r, extension: '' };
      this.#qid = (await this.connection.rpc('Tcreate', request, signal)).qid;
    }
  }

  /** Takes the file away. The fid is gone, whatever the server answers (remove(5)). */
  remove(): Promise<void> {
    return this.#end('Tremove');
  }

  /** Gives the file of this fid, which was walked to from `from`, another name; a file that has it is replaced. */
  async rename(name: string, from: Fid, to: Fid, signal?: AbortSignal): Promise<void> {
    checkLength(name);
    if (this.connection.dialect === '9P2000.L') {
      await this.connection.rpc('Trename', { fid: this.number, dfid: to.number, name }, signal);
    } else if (from.qid.path === to.qid.path) {
      const request = { fid: this.number, stat: { ...toWireStat(this.#qid, {}), name } };
      await this.connection.rpc('Twstat', request, signal);
    } else throw knownError('Enotsup');
  }

  /** One Tread: up to `count` bytes (at most iounit). Empty at the end of the file. The buffer is the caller's. */
  async read(offset: number, count: number, signal?: AbortSignal): Promise<Buffer> {
    const asked = Math.min(count, this.iounit);
    const { data } = await this.connection.rpc('Tread', { fid: this.number, offset, count: asked }, signal);
    if (data.length > asked) {
      throw this.connection.broken(`Rread holds ${data.length} bytes; Tread asked for ${asked}`);
    }
    return data;
  }

  /** One Twrite of at most iounit bytes, sent from where they lie; returns how many the server took. */
  async write(offset: number, data: Buffer, signal?: AbortSignal): Promise<number> {
    const { count } = await this.connection.rpc('Twrite', { fid: this.number, offset, data }, signal);
    if (count > data.length) {
      throw this.connection.broken(`Rwrite counts ${count} bytes; Twrite had ${data.length}`);
    }
    return count;
  }

  async stat(signal?: AbortSignal): Promise<Stat> {
    if (this.connection.dialect === '9P2000.L') {
      const request = { fid: this.number, requestMask: GETATTR_BASIC };
      return fromAttributes(this.name, await this.connection.rpc('Tgetattr', request, signal));
    }
    return fromWireStat((await this.connection.rpc('Tstat', { fid: this.number }, signal)).stat);
  }

  async setStat(change: StatChange, signal?: AbortSignal): Promise<void> {
    if (this.connection.dialect === '9P2000.L') {
      await this.connection.rpc('Tsetattr', toAttributes(this.number, change), signal);
    } else {
      const request = { fid: this.number, stat: toWireStat(this.#qid, change) };
      await this.connection.rpc('Twstat', request, signal);
    }
  }

  /**
   * Gives the fid back; the first call counts. It cannot fail: whatever the server answers, the fid is
   * gone (clunk(5)), and with the connection all fids are. The number is free once the server said so.
   */
  clunk(): Promise<void> {
    return this.finish().catch(() => {});
  }

  /** The same, and fails with what the server answers: that what was written cannot come into force. */
  finish(): Promise<void> {
    return this.#end('Tclunk');
  }

  #end(by: 'Tclunk' | 'Tremove'): Promise<void> {
    this.#clunked ??= this.connection
      .rpc(by, { fid: this.number })
      .then(() => {})
      .finally(() => this.#fids.free(this.number));
    return this.#clunked;
  }
}

/** A longer one cannot be sent. */
function checkLength(name: string): void {
  if (Buffer.byteLength(name) > 0xffff) throw knownError('Enametoolong');
}

export interface OpenOptions {
  /** Empty the file. Streams and control files ignore it. */
  readonly truncate?: boolean;
  /** Make the file where there is none. */
  readonly create?: boolean;
  readonly signal?: AbortSignal | undefined;
}
