/**
 * Lines for the system's log: what listens at /dev/log is journald or a syslog daemon. The C library's
 * syslog(3) waits while that is stuck, and the server with it; so the datagrams are sent from here.
 */
import { getSystemErrorName } from 'node:util';
import { Backlog, firstFailures, type Failures, type LineSink } from './backlog.ts';
import { closeFd, datagramSocket, sendTo } from './libc.ts';

const DEV_LOG = '/dev/log';

/** syslog(3): LOG_AUTHPRIV, which is for few eyes, as what is told here is; LOG_INFO. */
const PRIORITY = (10 << 3) | 6;

/** Of one message; daemons cut, or refuse, longer ones. */
const MOST_BYTES = 8000;

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

export interface SyslogOptions {
  readonly path?: string;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** The most characters of lines that wait. */
  readonly most?: number;
}

/** As `fileSink`. That nobody listens is one failure among others: `onError` is told, and lines wait. */
export function syslogSink(
  onError: (error: Error) => void,
  { path = DEV_LOG, now = Date.now, most }: SyslogOptions = {},
): LineSink {
  const daemon = new Daemon(path, now, firstFailures(onError));
  const backlog = new Backlog(lines => Promise.resolve(daemon.send(lines)), now, most);
  return {
    write: line => backlog.add(line),
    reopen: () => backlog.start(),
    close: async () => {
      await backlog.close();
      daemon.close();
    },
  };
}

/** EAGAIN and ENOBUFS are no failure: there is no room now. */
const BUSY: readonly string[] = ['EAGAIN', 'ENOBUFS'];

class Daemon {
  private readonly path: string;
  private readonly now: () => number;
  private readonly failures: Failures;
  private fd = -1;

  constructor(path: string, now: () => number, failures: Failures) {
    this.path = path;
    this.now = now;
    this.failures = failures;
  }

  /** How many of the lines it has now. */
  send(lines: readonly string[]): number {
    if (this.fd < 0) this.fd = datagramSocket();
    for (const [i, line] of lines.entries()) {
      const errno = sendTo(this.fd, this.path, message(line, new Date(this.now())));
      if (errno !== 0) {
        this.note(getSystemErrorName(-errno));
        return i;
      }
    }
    this.failures.worked();
    return lines.length;
  }

  private note(name: string): void {
    if (!BUSY.includes(name)) this.failures.failed(new Error(`${name}: cannot write to ${this.path}`));
  }

  close(): void {
    if (this.fd >= 0) closeFd(this.fd);
    this.fd = -1;
  }
}

/** As the C library's, RFC 3164: the time is local. */
function message(line: string, at: Date): Buffer {
  const two = (n: number, fill = '0'): string => String(n).padStart(2, fill);
  const day = `${MONTHS[at.getMonth()]!} ${two(at.getDate(), ' ')}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return shortened(Buffer.from(`<${PRIORITY}>${day} ${time} slashnet[${process.pid}]: ${line}`));
}

/** Not in the middle of a character. */
function shortened(bytes: Buffer): Buffer {
  if (bytes.length <= MOST_BYTES) return bytes;
  let end = MOST_BYTES;
  while ((bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
