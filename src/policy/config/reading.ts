/** Reads a policy file, or one that it includes, whole; nothing here ever waits. */
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';

/** The most bytes of a policy file, of an included one, and of a zone's lines. */
export const MOST_BYTES = 16 * 1024 * 1024;

/** The most errors that are told of a file: more help nobody, when the wrong one was included. */
export const MOST_ERRORS = 1000;

/** The whole content; throws, and the message says why it cannot be had. */
export function readWhole(path: string): Buffer {
  // Even opening means something to a device, and a FIFO would wait for somebody to write to it.
  if (!statSync(path).isFile()) throw new Error(NO_FILE);
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    // Another may have come in its place.
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Error(NO_FILE);
    if (stat.size > MOST_BYTES) throw new Error(TOO_LONG);
    return content(fd, stat.size);
  } finally {
    closeSync(fd);
  }
}

const NO_FILE = 'this is not a plain file';
const TOO_LONG = 'the file has more than 16 MiB';

/** To its end, wherever that is by now. */
function content(fd: number, size: number): Buffer {
  let bytes = Buffer.allocUnsafe(size + 1);
  for (let length = 0; ;) {
    const n = readSync(fd, bytes, length, bytes.length - length, null);
    length += n;
    if (length > MOST_BYTES) throw new Error(TOO_LONG);
    if (n === 0) return bytes.subarray(0, length);
    if (length === bytes.length) bytes = Buffer.concat([bytes], 2 * length);
  }
}

/** Why a file could not be read, for people. */
export function whyUnreadable(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code === undefined ? undefined : REASONS[code]) ?? message;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'the server may not read this file',
  EISDIR: NO_FILE,
  ELOOP: 'this is a link to itself',
  ENAMETOOLONG: 'the name is too long',
};
