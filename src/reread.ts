/** A file of the host's, such as /etc/hosts, read again when it has changed. */
import { closeSync, constants, fstatSync, openSync, readSync, statSync, type Stats } from 'node:fs';

/** More than such a file has: lists of names to be blocked have some megabytes. What follows is not read. */
const MOST_BYTES = 16 * 1024 * 1024;

export class Reread<T> {
  private readonly path: string;
  private readonly parse: (text: string) => T;
  private stamp: string | undefined;
  private parsed: T | undefined;

  /** What is no file is empty; what cannot be read now, such as for want of descriptors, stays as it was. */
  constructor(path: string, parse: (text: string) => T) {
    this.path = path;
    this.parse = parse;
  }

  get(): T {
    const stamp = stampOf(this.path);
    if (stamp === this.stamp) return this.parsed as T;
    const text = stamp === NO_FILE ? '' : textOf(this.path);
    if (text !== undefined) this.stamp = stamp;
    if (text !== undefined || this.parsed === undefined) this.parsed = this.parse(text ?? '');
    return this.parsed;
  }
}

const NO_FILE = '';

function stampOf(path: string): string {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat === undefined || !stat.isFile()
      ? NO_FILE
      : `${stat.mtimeMs} ${stat.size} ${stat.ino} ${stat.dev}`;
  } catch {
    return NO_FILE;
  }
}

function textOf(path: string): string | undefined {
  try {
    return read(path);
  } catch {
    return undefined;
  }
}

function read(path: string): string {
  // Nothing here may wait: a FIFO that has come to be there would, for somebody to write to it.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const stat = fstatSync(fd);
    return stat.isFile() ? wholeLines(content(fd, stat)) : '';
  } finally {
    closeSync(fd);
  }
}

/** To its end, wherever that is by then. */
function content(fd: number, { size }: Stats): Buffer {
  let bytes = Buffer.allocUnsafe(Math.min(size, MOST_BYTES) + 1);
  for (let length = 0; ;) {
    const n = readSync(fd, bytes, length, bytes.length - length, null);
    length += n;
    if (n === 0 || length > MOST_BYTES) return bytes.subarray(0, length);
    if (length === bytes.length) bytes = Buffer.concat([bytes], 2 * length);
  }
}

function wholeLines(bytes: Buffer): string {
  const end = bytes.length > MOST_BYTES ? bytes.lastIndexOf('\n', MOST_BYTES - 1) + 1 : bytes.length;
  return bytes.toString('utf8', 0, end);
}
