/** Large buffers, used again: a fresh megabyte costs more in page faults than in copying. */

/** Smaller ones are left to the garbage collector. */
const WORTH_KEEPING = 32 * 1024;
const KEPT = 16;

const free: Buffer[] = [];

/** A buffer of at least `size` bytes, its content undefined. */
export function takeBuffer(size: number): Buffer {
  if (size < WORTH_KEEPING) return Buffer.allocUnsafe(size);
  const at = free.findIndex(buffer => buffer.length >= size);
  return at < 0 ? Buffer.allocUnsafeSlow(roundUp(size)) : free.splice(at, 1)[0]!;
}

/** The buffer is nobody's any more: no view of it is used again. */
export function giveBuffer(buffer: Buffer): void {
  if (buffer.length >= WORTH_KEEPING && free.length < KEPT) free.push(buffer);
}

/** To whole 32 KiB and a page: frames of one msize differ by a few bytes. */
function roundUp(size: number): number {
  return Math.ceil(size / WORTH_KEEPING) * WORTH_KEEPING + 4096;
}
