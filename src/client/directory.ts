/** The entries of a directory, from Rread's stats (9P2000, .u) or from Rreaddir (.L). */
import { QTDIR } from '../netfs/node.ts';
import type { Codec } from '../server/9p/codec.ts';
import type { Fid } from './fid.ts';
import { knownError } from './error.ts';
import { fromWireStat, type Qid, type Stat } from './stat.ts';

export interface Entry {
  readonly name: string;
  readonly qid: Qid;
  /** Where the dialect sends it along; undefined in 9P2000.L. */
  readonly stat: Stat | undefined;
}

/** Reads an opened directory from its beginning, without `.` and `..`, in the server's order. */
export async function entries(dir: Fid, signal?: AbortSignal): Promise<Entry[]> {
  // Of another file, 9P2000 would give the bytes.
  if ((dir.qid.type & QTDIR) === 0) throw knownError('Enotdir');
  const found = await (dir.connection.dialect === '9P2000.L' ? readdir(dir, signal) : readStats(dir, signal));
  return found.filter(({ name }) => name !== '.' && name !== '..');
}

/** More than any directory has: a server that goes on and on is broken. */
const MOST_ENTRIES = 2 ** 20;

function add(found: Entry[], more: readonly Entry[], dir: Fid): void {
  if (found.length + more.length > MOST_ENTRIES)
    throw dir.connection.broken(`the server sent a directory of more than ${MOST_ENTRIES} files`);
  for (const entry of more) found.push(entry);
}

async function readStats(dir: Fid, signal?: AbortSignal): Promise<Entry[]> {
  const found: Entry[] = [];
  for (let offset = 0; ;) {
    const data = await dir.read(offset, dir.iounit, signal);
    if (data.length === 0) return found;
    add(
      found,
      parse(dir, () => parseStats(dir.connection.codec, data)),
      dir,
    );
    offset += data.length;
  }
}

async function readdir(dir: Fid, signal?: AbortSignal): Promise<Entry[]> {
  const found: Entry[] = [];
  for (let offset = 0; ;) {
    const request = { fid: dir.number, offset, count: dir.iounit };
    const { data } = await dir.connection.rpc('Treaddir', request, signal);
    if (data.length === 0) return found;
    const parsed = parse(dir, () => parseEntries(data));
    add(found, parsed.entries, dir);
    offset = parsed.next;
  }
}

/** A list that is cut off makes the reading functions throw whatever they throw. */
function parse<T>(dir: Fid, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw dir.connection.broken(`the server sent a malformed directory: ${(error as Error).message}`);
  }
}

function parseStats(codec: Codec, data: Buffer): Entry[] {
  const found: Entry[] = [];
  for (let at = 0; at < data.length;) {
    const { stat, end } = codec.decodeStat(data, at);
    found.push({ name: stat.name, qid: stat.qid, stat: fromWireStat(stat) });
    at = end;
  }
  return found;
}

/** qid[13] offset[8] type[1] name[s], again and again; the last offset is where to go on. */
function parseEntries(data: Buffer): { entries: Entry[]; next: number } {
  const found: Entry[] = [];
  let next = 0;
  for (let at = 0; at < data.length;) {
    const qid = { type: data.readUInt8(at), vers: data.readUInt32LE(at + 1), path: readU64(data, at + 5) };
    next = readU64(data, at + 13);
    const start = at + 24;
    at = start + data.readUInt16LE(at + 22);
    if (at > data.length) throw new RangeError('a name is cut off');
    found.push({ name: data.toString('utf8', start, at), qid, stat: undefined });
  }
  return { entries: found, next };
}

const readU64 = (from: Buffer, at: number): number =>
  from.readUInt32LE(at) + from.readUInt32LE(at + 4) * 2 ** 32;
