/** A text that is made when it is read. */
import { costly } from './costly.ts';

/** Bytes; some 3,600 routes. */
const LARGE = 256 * 1024;

/** The same bytes for everybody as long as they do not change: many may have a long text open. */
export function sharedText(make: () => string): () => Buffer {
  let last: WeakRef<Buffer> | undefined;
  const made = (): Buffer => {
    const text = Buffer.from(make());
    const before = last?.deref();
    if (before?.equals(text) === true) return before;
    last = new WeakRef(text);
    return text;
  };
  return costly(made, text => text.length >= LARGE);
}
