/** Where the lines of /net/log go besides. */
import { abortable, type Signal } from '../abort.ts';
import type { LineSink } from '../host/backlog.ts';
import { fileSink } from '../host/logfile.ts';
import { syslogSink } from '../host/syslog.ts';
import type { Log } from '../log.ts';
import type { Journal } from '../netfs/log.ts';

/** The absolute path of a file, or `syslog`. */
export type LogTarget = string;

export const SYSLOG: LogTarget = 'syslog';

export interface LogSinksOptions {
  readonly journal: Journal;
  /** Told when lines cannot be written. */
  readonly log: Log;
  /** Where syslog listens, if not at /dev/log. */
  readonly syslogPath?: string;
}

interface Open {
  readonly sink: LineSink;
  /** From now on it gets no more lines. */
  readonly leave: () => void;
}

export class LogSinks {
  private readonly options: LogSinksOptions;
  private readonly open = new Map<LogTarget, Open>();
  private readonly closing = new Set<Promise<void>>();

  constructor(options: LogSinksOptions) {
    this.options = options;
  }

  /** Lines go to all of these from now on, and to no others. */
  use(targets: readonly LogTarget[]): void {
    for (const target of this.open.keys()) if (!targets.includes(target)) this.end(target);
    for (const target of targets) if (!this.open.has(target)) this.begin(target);
  }

  /** Begins with the files anew: logrotate has moved them away. */
  reopen(): void {
    for (const { sink } of this.open.values()) sink.reopen();
  }

  /** Tries once more to get out what waits; `signal` says when to wait no longer. */
  async close(signal: Signal): Promise<void> {
    this.use([]);
    await abortable(Promise.all(this.closing), signal).catch(() => {});
  }

  private begin(target: LogTarget): void {
    const { journal, syslogPath } = this.options;
    const failed = (error: Error): void =>
      this.options.log.error({ log: target, error: error.message }, 'lines of /net/log cannot be written');
    const sink =
      target === SYSLOG
        ? syslogSink(failed, syslogPath === undefined ? {} : { path: syslogPath })
        : fileSink(target, failed);
    this.open.set(target, { sink, leave: journal.addSink(line => sink.write(line)) });
  }

  private end(target: LogTarget): void {
    const { sink, leave } = this.open.get(target)!;
    this.open.delete(target);
    leave();
    const closed = sink.close().finally(() => this.closing.delete(closed));
    this.closing.add(closed);
  }
}
