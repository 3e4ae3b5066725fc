/** What is made anew for everybody who asks, where that can take long. */

/** What took so many milliseconds is not made again at once, if it is large. */
const SLOW_MS = 20;
/** Of the server's time, making it takes one part in so many and one. */
const REST = 4;

/**
 * Makes it at each call; but what is large and took long, such as a table of 20,000 routes, may be a little
 * old: else who asks again and again would have the server to himself. What fails after a long time counts
 * as large. `now` in milliseconds.
 */
export function costly<T>(
  make: () => T,
  isLarge: (value: T) => boolean,
  now: () => number = () => performance.now(),
): () => T {
  let slow: { readonly outcome: Outcome<T>; readonly until: number } | undefined;
  return () => {
    const begun = now();
    if (slow !== undefined && begun < slow.until) return valueOf(slow.outcome);
    slow = undefined;
    const outcome = settle(make);
    const took = now() - begun;
    const large = 'error' in outcome || isLarge(outcome.value);
    if (took > SLOW_MS && large) slow = { outcome, until: begun + took + REST * took };
    return valueOf(outcome);
  };
}

type Outcome<T> = { readonly value: T } | { readonly error: unknown };

function settle<T>(run: () => T): Outcome<T> {
  try {
    return { value: run() };
  } catch (error) {
    return { error };
  }
}

function valueOf<T>(outcome: Outcome<T>): T {
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}
