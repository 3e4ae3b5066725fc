/**
 * Lines on their way out to something that may be slow, full or gone. They go in their order, no more
 * than so many bytes of them wait, and in the place of those that found no room a line says how many.
 */
import { missedLine } from '../netfs/logline.ts';

export interface LineSink {
  /** A line without its newline. Neither throws nor waits. */
  write(line: string): void;
  /** Begins with the file anew, or with whoever listens; what waits is tried at once. */
  reopen(): void;
  /** Tries once more to get out what waits. */
  close(): Promise<void>;
}

export interface Failures {
  failed(error: Error): void;
  worked(): void;
}

/** Of a row of failures the first is told. */
export function firstFailures(onError: (error: Error) => void): Failures {
  let failing = false;
  return {
    failed: error => {
      if (!failing) onError(error);
      failing = true;
    },
    worked: () => (failing = false),
  };
}

/** The most characters that wait, and of lines that go out at a time. */
const MOST_WAITING = 1024 * 1024;
const BATCH = 256;

/** How soon what did not go out is tried again: there was room for some of it, or for none. */
const SOON_MS = 5;
const LATER_MS = 100;

/** Takes the first lines of these and says how many; less than all where no more can go now. Does not throw. */
export type Send = (lines: readonly string[]) => Promise<number>;

export class Backlog {
  private readonly send: Send;
  private readonly now: () => number;
  private readonly most: number;
  private readonly lines: string[] = [];
  private waiting = 0;
  /** Lines that found no room behind the last that waits. */
  private missed = 0;
  private sending: Promise<void> | undefined;
  private retry: NodeJS.Timeout | undefined;

  /** `now` in milliseconds since the epoch; `most` in characters. */
  constructor(send: Send, now: () => number, most = MOST_WAITING) {
    this.send = send;
    this.now = now;
    this.most = most;
  }

  add(line: string): void {
    if (this.waiting + line.length > this.most) {
      this.missed++;
      return;
    }
    this.tellMissed();
    this.push(line);
    if (this.retry === undefined) this.start();
  }

  private push(line: string): void {
    this.lines.push(line);
    this.waiting += line.length;
  }

  private tellMissed(): void {
    if (this.missed > 0) this.push(missedLine(this.now(), this.missed));
    this.missed = 0;
  }

  /** Tries at once, whatever became of the last attempt. */
  start(): void {
    clearTimeout(this.retry);
    this.retry = undefined;
    if (this.lines.length > 0) this.sending ??= this.run();
  }

  private async run(): Promise<void> {
    let delay: number | undefined;
    while (delay === undefined && this.lines.length > 0) {
      // What comes in the same turn goes in the same batch, and the event loop is never held up for long.
      await new Promise(setImmediate);
      delay = await this.sendSome();
    }
    this.sending = undefined;
    if (delay !== undefined) this.retry = setTimeout(() => this.start(), delay).unref();
  }

  /** When to try again, if not all went out. */
  private async sendSome(): Promise<number | undefined> {
    const batch = this.lines.slice(0, BATCH);
    const sent = await this.send(batch);
    for (const line of this.lines.splice(0, sent)) this.waiting -= line.length;
    if (this.lines.length === 0) this.tellMissed();
    if (sent === batch.length) return undefined;
    return sent > 0 ? SOON_MS : LATER_MS;
  }

  /** Tries once more to get out what waits. */
  async close(): Promise<void> {
    await this.sending;
    this.tellMissed();
    this.start();
    await this.sending;
    clearTimeout(this.retry);
  }
}
