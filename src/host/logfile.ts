/** A file to which lines are appended, and which others may move away (logrotate) or fill up the disk of. */
import { constants, type BigIntStats } from 'node:fs';
import { lstat, open, type FileHandle } from 'node:fs/promises';
import { Backlog, firstFailures, type Failures, type LineSink } from './backlog.ts';
import { countLines, wholeLines } from '../netfs/lines.ts';

const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK, O_NOCTTY, O_NOFOLLOW } = constants;

/** A FIFO that nobody reads must not hold us up, and no symbolic link choose the file. */
const FLAGS = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW;
/** The log says who went where. */
const MODE = 0o600;

/**
 * Appends lines to a file, which is made with mode 0600 where there is none. Where it cannot be written -
 * the disk is full, say - `onError` is told once, lines wait, the newest that find no room are lost, and
 * when it works again a line in their place says how many. `now` in milliseconds since the epoch.
 */
export function fileSink(
  path: string,
  onError: (error: Error) => void,
  { now = Date.now, most }: { now?: () => number; most?: number } = {},
): LineSink {
  const file = new AppendedFile(path);
  const failures = firstFailures(onError);
  const backlog = new Backlog(lines => file.append(lines, failures), now, most);
  return {
    write: line => backlog.add(line),
    reopen: () => {
      file.stale = true;
      backlog.start();
    },
    close: async () => {
      await backlog.close();
      await file.close();
    },
  };
}

class AppendedFile {
  stale = false;
  private readonly path: string;
  private file: FileHandle | undefined;
  private identity = '';
  /** Bytes of the next line that are in the file already. */
  private begun = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** How many of the lines are in the file now. */
  async append(lines: readonly string[], failures: Failures): Promise<number> {
    const bytes = Buffer.from(lines.map(line => `${line}\n`).join(''));
    let done = 0;
    try {
      const file = await this.current();
      done = this.begun;
      while (done < bytes.length) done += (await file.write(bytes, done)).bytesWritten;
      failures.worked();
    } catch (error) {
      failures.failed(error as Error);
    }
    return this.settle(bytes.subarray(0, done));
  }

  private settle(written: Buffer): number {
    this.begun = written.length - wholeLines(written);
    return countLines(written);
  }

  /** The file that has the name now. */
  private async current(): Promise<FileHandle> {
    const there = await lstat(this.path, { bigint: true }).catch(() => undefined);
    if (this.file !== undefined && !this.stale && there !== undefined && identity(there) === this.identity) {
      return this.file;
    }
    await this.close();
    const file = await open(this.path, FLAGS, MODE);
    this.stale = false;
    this.file = file;
    this.identity = identity(await file.stat({ bigint: true }));
    return file;
  }

  async close(): Promise<void> {
    const { file } = this;
    this.file = undefined;
    // A line that was torn begins again in the next file.
    this.begun = 0;
    await file?.close().catch(() => {});
  }
}

const identity = ({ dev, ino }: BigIntStats): string => `${dev} ${ino}`;
