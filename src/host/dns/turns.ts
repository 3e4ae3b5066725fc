/** So many at once, some more in line, and no more than that; shared fairly by those who ask. */
import { Line, onAbort, type Signal } from '../../abort.ts';

/** A clock that rings. */
export interface Timers {
  /** Calls `run` after so many milliseconds; returns how to call it off. */
  after(ms: number, run: () => void): () => void;
}

export const hostTimers: Timers = {
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

interface Waiter {
  begin(): void;
}

/** What one has, and his own line. */
interface Asker {
  readonly key: number;
  taken: number;
  readonly line: Line<Waiter>;
}

/**
 * Nobody has more turns than are left over, and nobody's line is longer than the room that is left in
 * it: so there is always some of both for who comes next, and several share alike (Choudhury and
 * Hahne's dynamic threshold, 1998). One alone has half.
 */
export class Turns {
  private readonly most: number;
  private readonly mostWaiting: number;
  private readonly timers: Timers;
  private readonly askers = new Map<number, Asker>();
  /** Those in whose line somebody waits, in the order in which they are served. */
  private readonly queue = new Line<Asker>();
  private taken = 0;
  private waiting = 0;

  constructor({ most, waiting, timers }: { most: number; waiting: number; timers: Timers }) {
    this.most = most;
    this.mostWaiting = waiting;
    this.timers = timers;
  }

  /**
   * Waits for a turn of `key`'s, at most so many milliseconds; whether there is one. Each that is taken
   * must be given back by `end`.
   */
  begin(key: number, patience: number, signal: Signal): Promise<boolean> | boolean {
    const asker = this.askers.get(key) ?? { key, taken: 0, line: new Line<Waiter>() };
    if (asker.line.length === 0 && this.mayBegin(asker)) {
      this.askers.set(key, asker);
      this.take(asker);
      return true;
    }
    if (asker.line.length >= this.mostWaiting - this.waiting) return false;
    this.askers.set(key, asker);
    return this.wait(asker, patience, signal);
  }

  end(key: number): void {
    const asker = this.askers.get(key)!;
    asker.taken--;
    this.taken--;
    this.forget(asker);
    this.serve();
  }

  private mayBegin(asker: Asker): boolean {
    return asker.taken < this.most - this.taken;
  }

  private take(asker: Asker): void {
    asker.taken++;
    this.taken++;
  }

  private forget(asker: Asker): void {
    if (asker.taken === 0 && asker.line.length === 0) this.askers.delete(asker.key);
  }

  // ---- the lines ----------------------------------------------------------------------------------

  private wait(asker: Asker, patience: number, signal: Signal): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const settle = (run: () => void): void => {
        stop();
        cancel();
        this.leave(asker, waiter);
        run();
      };
      const waiter = {
        begin: () => {
          this.take(asker);
          settle(() => resolve(true));
        },
      };
      this.enter(asker, waiter);
      const cancel = this.timers.after(patience, () => settle(() => resolve(false)));
      let stop = (): void => {};
      stop = onAbort(signal, () => settle(() => reject(signal.reason as Error)));
    });
  }

  private enter(asker: Asker, waiter: Waiter): void {
    asker.line.push(waiter);
    this.waiting++;
    if (asker.line.length === 1) this.queue.push(asker);
  }

  private leave(asker: Asker, waiter: Waiter): void {
    asker.line.leave(waiter);
    this.waiting--;
    if (asker.line.length === 0) this.queue.leave(asker);
    this.forget(asker);
  }

  /** Lets in whoever may be, one of each asker's in turn. */
  private serve(): void {
    for (const asker of this.queue) {
      if (this.taken === this.most) return;
      if (!this.mayBegin(asker)) continue;
      asker.line.first!.begin();
      // Who has more comes behind the others, and so into this round again.
      if (asker.line.length > 0) {
        this.queue.leave(asker);
        this.queue.push(asker);
      }
    }
  }
}
