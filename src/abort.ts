/** Waiting that heeds a signal, whose reason is the error to fail with; and being told of changes. */

/** What is used of an AbortSignal, which is one; an Abort is one that costs nothing until it is used. */
export interface Signal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', run: () => void, options?: { once: boolean }): void;
  removeEventListener(type: 'abort', run: () => void): void;
}

/**
 * An AbortController and its signal in one. Making the platform's takes longer than all else that a
 * small read does; every request is one of these.
 */
export class Abort implements Signal {
  reason: unknown;
  private listeners: (() => void)[] | undefined;

  get aborted(): boolean {
    return this.reason !== undefined;
  }

  /** The first reason counts. */
  abort(reason: Error): void {
    if (this.aborted) return;
    this.reason = reason;
    const listeners = this.listeners ?? [];
    this.listeners = undefined;
    for (const run of listeners) run();
  }

  /** Each listener is called once at most. */
  addEventListener(_type: 'abort', run: () => void): void {
    if (this.listeners === undefined) this.listeners = [run];
    else this.listeners.push(run);
  }

  removeEventListener(_type: 'abort', run: () => void): void {
    this.listeners = this.listeners?.filter(other => other !== run);
  }
}

/** Calls `run` when the signal fires, at once if it has; returns how to stop listening. */
export function onAbort(signal: Signal, run: () => void): () => void {
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
  signal: Signal,
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

const NOBODY: ReadonlySet<never> = new Set();

/**
 * A line of people: first come, first served, and whoever is in it may leave. There are thousands of
 * these, and most are always empty: that costs nothing.
 */
export class Line<T> {
  private members: Set<T> | undefined;

  get length(): number {
    return this.members?.size ?? 0;
  }

  get first(): T | undefined {
    return this.members?.values().next().value;
  }

  push(member: T): void {
    (this.members ??= new Set()).add(member);
  }

  leave(member: T): void {
    this.members?.delete(member);
  }

  shift(): T | undefined {
    const { first } = this;
    if (first !== undefined) this.leave(first);
    return first;
  }

  /** In their order; who comes while it is gone through comes up, too. */
  [Symbol.iterator](): Iterator<T> {
    return (this.members ?? NOBODY).values() as Iterator<T>;
  }

  /** Everybody, who then is in it no more. */
  clear(): Iterable<T> {
    const all = this.members ?? [];
    this.members = undefined;
    return all;
  }
}

/** People who wait for their turn, first come first served; who is aborted leaves the line. */
export class WaitQueue<T> {
  private readonly waiting = new Line<Waiter<T>>();

  /** Settles by `shift().resolve`, by `fail`, or by the signal. */
  wait(signal: Signal): Promise<T> {
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
        this.waiting.leave(waiter);
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
    for (const waiter of this.waiting.clear()) waiter.reject(error);
  }
}

interface Waiter<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

/** Somebody who wants to be told once when something changes, until `closed` fires. */
export interface Watch {
  changed(): void;
  readonly closed: Signal;
}

/** Those who watch one thing. */
export class Watchers {
  /** Each with how to stop listening to its `closed`. */
  private watching: Map<Watch, () => void> | undefined;

  /** Once is enough: one that is there already stays as it is. */
  add(watch: Watch): void {
    this.watching ??= new Map();
    if (this.watching.has(watch)) return;
    this.watching.set(
      watch,
      onAbort(watch.closed, () => this.watching?.delete(watch)),
    );
  }

  get some(): boolean {
    return this.watching !== undefined && this.watching.size > 0;
  }

  tell(): void {
    const watching = this.watching;
    this.watching = undefined;
    for (const [watch, stop] of watching ?? []) {
      stop();
      watch.changed();
    }
  }
}
