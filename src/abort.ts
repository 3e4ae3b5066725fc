/** Waiting that heeds an AbortSignal. The signal's reason is the error to fail with. */

/** Calls `run` when the signal fires, at once if it has; returns how to stop listening. */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  if (signal.aborted) {
    run();
    return () => {};
  }
  signal.addEventListener('abort', run, { once: true });
  return () => signal.removeEventListener('abort', run);
}

/** The promise's outcome, or the signal's reason, whichever is first; a late outcome goes to `late`. */
export function abortable<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  late: (value: T) => void = () => {},
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let aborted = false;
    const stop = onAbort(signal, () => {
      aborted = true;
      reject(signal.reason as Error);
    });
    promise.then(
      value => {
        stop();
        if (aborted) late(value);
        else resolve(value);
      },
      (error: Error) => {
        stop();
        reject(error);
      },
    );
  });
}

/** People who wait for their turn, first come first served; who is aborted leaves the line. */
export class WaitQueue<T> {
  private readonly waiting: Waiter<T>[] = [];

  get length(): number {
    return this.waiting.length;
  }

  /** Settles by `shift().resolve`, by `fail`, or by the signal. */
  wait(signal: AbortSignal): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const waiter: Waiter<T> = {
        resolve: value => {
          stop();
          resolve(value);
        },
        reject: error => {
          stop();
          reject(error);
        },
      };
      const stop = onAbort(signal, () => {
        const at = this.waiting.indexOf(waiter);
        if (at >= 0) this.waiting.splice(at, 1);
        reject(signal.reason as Error);
      });
      if (!signal.aborted) this.waiting.push(waiter);
    });
  }

  /** Wakes the first in line; false if nobody waits. */
  wake(value: T): boolean {
    const first = this.waiting.shift();
    first?.resolve(value);
    return first !== undefined;
  }

  fail(error: Error): void {
    for (const waiter of this.waiting.splice(0)) waiter.reject(error);
  }
}

interface Waiter<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}
