/** A text that everybody who reads it shares, and that is made anew for each. */

/** A text of so many bytes that took so many milliseconds is not made again at once. */
const LARGE = 256 * 1024;
const SLOW_MS = 20;
/** Of the server's time, making a slow text takes one part in so many and one. */
const REST = 4;

/**
 * The same bytes for everybody as long as they do not change: many may have a long text open. One that
 * is large and takes long to make, such as a table of 20,000 routes, may be a little old: else who reads it again and
 * again would have the server to himself. `now` in milliseconds.
 */
export function sharedText(make: () => string, now: () => number = () => performance.now()): () => Buffer {
  let shared: WeakRef<Buffer> | undefined;
  let slow: { readonly outcome: () => Buffer; readonly until: number } | undefined;

  function made(): Buffer {
    const text = Buffer.from(make());
    const before = shared?.deref();
    if (before?.equals(text) === true) return before;
    shared = new WeakRef(text);
    return text;
  }

  return () => {
    const begun = now();
    if (slow !== undefined && begun < slow.until) return slow.outcome();
    slow = undefined;
    const outcome = settle(made);
    const took = now() - begun;
    if (took > SLOW_MS && isLarge(outcome)) slow = { outcome, until: begun + took + REST * took };
    return outcome();
  };
}

/** What fails after a long time was larger still. */
function isLarge(outcome: () => Buffer): boolean {
  try {
    return outcome().length >= LARGE;
  } catch {
    return true;
  }
}

/** What a call gives or throws, to be had again. */
function settle<T>(run: () => T): () => T {
  try {
    const value = run();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
