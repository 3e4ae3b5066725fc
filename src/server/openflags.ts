/** open(2)'s flags as Linux sends them, by 9P2000.L and by FUSE (asm-generic/fcntl.h). */
import { FsError } from '../netfs/error.ts';
import type { OpenMode } from '../netfs/node.ts';

const O_ACCMODE = 3;
export const O_EXCL = 0o200;
const O_TRUNC = 0o1000;
const O_APPEND = 0o2000;
export const O_NONBLOCK = 0o4000;
export const O_DIRECTORY = 0o200000;

export function linuxOpenMode(flags: number): OpenMode {
  const access = flags & O_ACCMODE; // O_RDONLY, O_WRONLY, O_RDWR
  if (access === 3) throw new FsError('Ebadarg');
  return {
    read: access !== 1,
    write: access !== 0,
    truncate: (flags & O_TRUNC) !== 0,
    append: (flags & O_APPEND) !== 0,
  };
}
