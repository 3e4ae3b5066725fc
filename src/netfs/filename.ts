/** Which names a file can have. */
import { FsError } from './error.ts';

/** The bytes of the longest name, as on Linux. */
export const MAX_NAME = 255;

/** What no protocol can say. Ebadname, Enametoolong. */
export function checkName(name: string): void {
  if (name === '' || name.includes('/') || name.includes('\0')) throw new FsError('Ebadname');
  if (Buffer.byteLength(name) > MAX_NAME) throw new FsError('Enametoolong');
}

/** Of a file that is to be made or renamed: what could be listed as something that it is not is no name either. */
export function checkNewName(name: string): void {
  checkName(name);
  if (name === '.' || name === '..') throw new FsError('Ebadname');
  if (UNSEEN.test(name)) throw new FsError('Ebadname', 'control characters, or bytes that are no UTF-8');
}

/** Control characters, what ends a line, what turns the direction of writing; and what bytes that are no UTF-8 decode to. */
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069\ufffd\p{Cs}]/u;
