/** Directory entries as getdents wants them: struct fuse_dirent and fuse_direntplus. */
import type { PutEntry } from '../dirreader.ts';
import { attributes, direntType, entryOf, inode } from './attributes.ts';
import { encode, sizeOf, writeU64 } from './codec.ts';
import { REPLIES } from './kernel.ts';
import type { Nodeids } from './nodeids.ts';

/** ino[8] off[8] namelen[4] type[4], the name, up to the next multiple of 8. */
const DIRENT = 24;
const align8 = (n: number): number => (n + 7) & ~7;

export const putDirent: PutEntry = ({ name, node, next }, into, at, end) => {
  const length = Buffer.byteLength(name);
  const after = at + align8(DIRENT + length);
  if (after > end) return undefined;
  writeU64(into, at, inode(node.qid.path));
  writeU64(into, at + 8, next);
  into.writeUInt32LE(length, at + 16);
  into.writeUInt32LE(direntType(node), at + 20);
  into.write(name, at + DIRENT);
  into.fill(0, at + DIRENT + length, after);
  return after;
};

const ENTRY = sizeOf(REPLIES.entry);

/**
 * Each entry with what a LOOKUP would have said. Node id 0 says that it must be looked up: so do those
 * that get an id for each, and `.` and `..`, which are not the kernel's to count.
 */
export function putDirentPlus(nodeids: Nodeids): PutEntry {
  return (entry, into, at, end) => {
    const after = putDirent(entry, into, at + ENTRY, end);
    if (after === undefined) return undefined;
    const { name, node } = entry;
    const lookItUp = node.separate === true || name === '.' || name === '..';
    encode('entry', lookItUp ? attributes(node.stat()) : entryOf(node, nodeids), into, at);
    return after;
  };
}
