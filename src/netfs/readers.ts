/** Reads that wait for what is to come, served in their order. */
import { Line, onAbort, type Signal } from '../abort.ts';
import type { Reply } from './node.ts';

interface Reader {
  readonly reply: Reply;
  done(n: number): void;
  fail(error: Error): void;
}

export class Readers {
  private readonly line = new Line<Reader>();

  get some(): boolean {
    return this.line.length > 0;
  }

  /** Waits until it is served, failed, or aborted; `left` is told of that. */
  wait(reply: Reply, signal: Signal, left: () => void): Promise<number> {
    return new Promise<number>((resolve, reject) => {
      const settle = <T>(outcome: (value: T) => void) => {
        return (value: T): void => {
          stop();
          outcome(value);
        };
      };
      const reader: Reader = { reply, done: settle(resolve), fail: settle(reject) };
      const stop = onAbort(signal, () => {
        this.line.leave(reader);
        left();
        reject(signal.reason as Error);
      });
      if (!signal.aborted) this.line.push(reader);
    });
  }

  /**
   * Serves the reads whose clients take their answers, as long as `take` has something; what it throws is
   * the answer of that read. `again` is called when a client that did not take any does; the same function
   * is called once. Says whether such a client is in the way.
   */
  serve(take: (reply: Reply) => number | undefined, again: () => void): boolean {
    for (let first = this.line.first; first !== undefined; first = this.line.first) {
      if (!first.reply.mayAnswer(again)) return true;
      if (!this.serveOne(first, take)) return false;
    }
    return false;
  }

  private serveOne(reader: Reader, take: (reply: Reply) => number | undefined): boolean {
    try {
      const n = take(reader.reply);
      if (n === undefined) return false;
      this.line.leave(reader);
      reader.done(n);
    } catch (error) {
      this.line.leave(reader);
      reader.fail(error as Error);
    }
    return true;
  }

  /** Ends all of them: with an error, or with an answer of no bytes. */
  fail(error: Error): void {
    for (const reader of this.line.clear()) reader.fail(error);
  }

  end(): void {
    for (const reader of this.line.clear()) reader.done(0);
  }
}
