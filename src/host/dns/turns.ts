/** So many at once, some more in line, and no more than that. */
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

export class Turns {
  private readonly most: number;
  private readonly mostWaiting: number;
  private readonly timers: Timers;
  private readonly line = new Line<Waiter>();
  private taken = 0;

  constructor({ most, waiting, timers }: { most: number; waiting: number; timers: Timers }) {
    this.most = most;
    this.mostWaiting = waiting;
    this.timers = timers;
  }

  /**
   * Waits for a turn, at most so many milliseconds; whether there is one. Each that is taken must be
   * given back by `end`.
   */
  begin(patience: number, signal: Signal): Promise<boolean> | boolean {
    if (this.taken < this.most) {
      this.taken++;
      return true;
    }
    if (this.line.length >= this.mostWaiting) return false;
    return new Promise((resolve, reject) => {
      const settle = (run: () => void): void => {
        stop();
        cancel();
        this.line.leave(waiter);
        run();
      };
      const waiter = { begin: () => settle(() => resolve(true)) };
      this.line.push(waiter);
      const cancel = this.timers.after(patience, () => settle(() => resolve(false)));
      let stop = (): void => {};
      stop = onAbort(signal, () => settle(() => reject(signal.reason as Error)));
    });
  }

  end(): void {
    // Who is next takes the turn over.
    const next = this.line.shift();
    if (next === undefined) this.taken--;
    else next.begin();
  }
}
