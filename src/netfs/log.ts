/**
 * The journal of a /net, and the file `log` in which it is read: what is kept of it, and then, as it
 * comes, what happens. docs/log.md has the lines.
 */
import { Abort, Watchers, type Watch } from '../abort.ts';
import { FsError } from './error.ts';
import { isNoop, permissionChange, statOf } from './file.ts';
import { countLines, Lines, wholeLines } from './lines.ts';
import { fields, missedLine, timeField, valueText, type Entry } from './logline.ts';
import { QTFILE } from './node.ts';
import type {
  Awaitable,
  DirNode,
  Handle,
  Node,
  OpenMode,
  Qid,
  Readiness,
  Reply,
  Req,
  Stat,
  StatChange,
} from './node.ts';
import { Readers } from './readers.ts';
import type { Authority, Permissions } from '../policy/permissions.ts';

export type { Entry } from './logline.ts';

/** Some thousands of lines. */
const KEPT = 1024 * 1024;

export interface JournalOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** The most bytes that are kept of lines; they are taken as they are needed. */
  readonly bytes?: number;
  /** The journal of the view that this one is in, which gets every line too, and this one's name there. */
  readonly above?: { readonly journal: Journal; readonly view: string };
}

export class Journal {
  readonly lines: Lines;
  readonly now: () => number;
  /** When the last line was written, in milliseconds; undefined before there is one. */
  changed: number | undefined;
  private readonly above: JournalOptions['above'];
  private readonly sinks = new Set<(line: string) => void>();
  private readonly followers = new Watchers();
  /** Nothing more will be written: its readers come to an end. */
  ended = false;

  constructor({ now, bytes = KEPT, above }: JournalOptions) {
    this.now = now;
    this.lines = new Lines(bytes);
    this.above = above;
  }

  /** Writes a line here and in every journal above; there its view is named. */
  write(entry: Entry): void {
    this.add(this.now(), undefined, fields(entry));
  }

  /** `view` is where it happened as seen from here, `3/1` for view 1 of view 3. */
  private add(time: number, view: string | undefined, said: string): void {
    const where = view === undefined ? '' : `view=${valueText(view)} `;
    const line = `${timeField(time)} ${where}${said}`;
    this.changed = time;
    this.lines.add(`${line}\n`);
    for (const sink of this.sinks) sink(line);
    this.followers.tell();
    const { above } = this;
    above?.journal.add(time, view === undefined ? above.view : `${above.view}/${view}`, said);
  }

  /** `sink` is called with each line, without its newline. It neither throws nor waits. Returns how to end that. */
  addSink(sink: (line: string) => void): () => void {
    this.sinks.add(sink);
    return () => void this.sinks.delete(sink);
  }

  end(): void {
    this.ended = true;
    this.followers.tell();
  }

  /** Tells once of the next line. */
  onLine(watch: Watch): void {
    this.followers.add(watch);
  }
}

export class LogFile implements Node {
  readonly parent: DirNode;
  readonly qid: Qid;
  readonly permissions: Permissions;
  private readonly journal: Journal;
  private readonly authority: Authority;
  private readonly since: number;

  /** `path` is the qid's; `since` in seconds since the epoch. */
  constructor(
    parent: DirNode,
    journal: Journal,
    { path, authority, since }: { path: number; authority: Authority; since: number },
  ) {
    this.parent = parent;
    this.journal = journal;
    this.qid = { type: QTFILE, vers: 0, path };
    this.permissions = authority.file(0o600);
    this.authority = authority;
    this.since = since;
  }

  /** mtime is the last line's: who wants only what is there knows by it where to stop. */
  stat(): Stat {
    const { changed } = this.journal;
    const stat = statOf(this, 'log', this.since);
    return changed === undefined ? stat : { ...stat, mtime: Math.floor(changed / 1000) };
  }

  open({ write }: OpenMode): Handle {
    if (write) throw new FsError('Eperm', 'the log is only read');
    return new LogHandle(this, this.journal);
  }

  wstat(change: StatChange, req: Req): void {
    if (isNoop(change)) return;
    if (change.name !== undefined) throw new FsError('Eperm');
    this.authority.change(req, this.permissions, permissionChange(change, 0o666));
  }
}

/**
 * The most of one answer. It is less than the largest request, so that none of those is ever answered in
 * full: the kernel would ask on in the same read(2), and wait.
 */
const ANSWER = 64 * 1024;

const NOTHING = Buffer.alloc(0);

/** One reader. He begins with the oldest line that is kept. */
class LogHandle implements Handle {
  readonly node: Node;
  readonly stream = true;
  private readonly journal: Journal;
  private readonly readers = new Readers();
  private readonly closed = new Abort();
  /** The place of his next line, and how many were before it. */
  private place: number;
  private passed: number;
  /** What is still to come of a line that was longer than a read. */
  private rest = NOTHING;

  constructor(node: Node, journal: Journal) {
    this.node = node;
    this.journal = journal;
    this.place = journal.lines.start;
    this.passed = journal.lines.gone;
  }

  read(_offset: number, reply: Reply, req: Req): Awaitable<number> {
    if (reply.count === 0) return 0;
    const n = this.readers.some ? undefined : this.take(reply);
    if (n !== undefined) return n;
    if (req.nonblocking === true) throw new FsError('Eagain');
    const waiting = this.readers.wait(reply, req.signal, this.serve);
    this.follow();
    return waiting;
  }

  private get hasSome(): boolean {
    // Lines that were missed are told of, even if nothing is kept behind them.
    return (
      this.rest.length > 0 || this.place < this.journal.lines.end || this.passed < this.journal.lines.gone
    );
  }

  private readonly serve = (): void => {
    const inTheWay = this.readers.serve(reply => this.take(reply), this.serve);
    if (!inTheWay) this.follow();
  };

  private readonly watch: Watch = { changed: this.serve, closed: this.closed };

  private follow(): void {
    if (this.readers.some && !this.closed.aborted) this.journal.onLine(this.watch);
  }

  /** What can be answered now: whole lines, or a part of one that does not fit. */
  private take(reply: Reply): number | undefined {
    if (!this.hasSome) return this.journal.ended ? 0 : undefined;
    if (this.rest.length > 0) return this.takeRest(reply);
    if (this.passed < this.journal.lines.gone) return this.takeMissed(reply);
    return this.takeLines(reply);
  }

  private takeRest(reply: Reply): number {
    const n = this.rest.copy(reply.room(this.rest.length));
    this.rest = this.rest.subarray(n);
    return n;
  }

  /** He was overtaken: goes on with the oldest line that is kept. */
  private takeMissed(reply: Reply): number {
    const { lines, now } = this.journal;
    this.rest = Buffer.from(`${missedLine(now(), lines.gone - this.passed)}\n`);
    this.place = lines.start;
    this.passed = lines.gone;
    return this.takeRest(reply);
  }

  private takeLines(reply: Reply): number {
    const { lines } = this.journal;
    const room = reply.room(Math.min(lines.end - this.place, ANSWER));
    lines.copy(this.place, room);
    const whole = wholeLines(room);
    if (whole === 0) return this.takePart(room);
    this.place += whole;
    this.passed += countLines(room);
    return whole;
  }

  /** `part` is answered; the other part must outlast the ring. */
  private takePart(part: Buffer): number {
    const { lines } = this.journal;
    const next = lines.nextLine(this.place);
    this.rest = Buffer.allocUnsafe(next - this.place - part.length);
    lines.copy(this.place + part.length, this.rest);
    this.place = next;
    this.passed++;
    return part.length;
  }

  write(): never {
    throw new FsError('Eperm');
  }

  poll(watch: Watch | undefined): Readiness {
    if (watch !== undefined) this.journal.onLine(watch);
    return { readable: this.hasSome || this.journal.ended, writable: false };
  }

  close(): void {
    this.closed.abort(new FsError('Ehungup'));
  }
}
