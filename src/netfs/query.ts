/**
 * Files that are asked, such as cs and dns: a write is a question, each read gives one answer, the end
 * of file comes behind the last.
 */
import { FsError } from './error.ts';
import { isNoop, permissionChange, statOf } from './file.ts';
import { readText } from './handles.ts';
import { QTFILE } from './node.ts';
import type {
  Awaitable,
  DirNode,
  Handle,
  Node,
  OpenMode,
  Qid,
  Reply,
  Req,
  Stat,
  StatChange,
} from './node.ts';
import type { Caller } from '../policy/identity.ts';
import { Quota } from '../policy/quota.ts';
import type { Authority, Permissions } from '../policy/permissions.ts';

/** Answers to one question. Fails as a whole: the write that asked gets the error. */
export type Ask = (question: Buffer, req: Req) => Awaitable<readonly string[]>;

/** Bytes of answers that a user may leave unread in open files, and what each answer counts beside its own. */
export const UNREAD = 16 * 1024 * 1024;
const OVERHEAD = 128;

export interface QueryFileOptions {
  /** The qid's. */
  readonly path: number;
  /** Seconds since the epoch. */
  readonly since: number;
  readonly authority: Authority;
  /** 0600 by default. */
  readonly permissions?: Permissions;
  /** What answers take that nobody has read; that of the file alone by default. */
  readonly unread?: Quota;
}

export class QueryFile implements Node {
  readonly parent: DirNode;
  readonly qid: Qid;
  readonly permissions: Permissions;
  /** One question waiting does not hold up another's. */
  readonly separate = true;
  private readonly name: string;
  private readonly since: number;
  private readonly authority: Authority;
  private readonly ask: Ask;
  private readonly busy: () => FsError;
  private readonly unread: Quota;

  /** `busy` is the error of asking while an answer is waited for. */
  constructor(
    parent: DirNode,
    name: string,
    {
      path,
      since,
      authority,
      permissions = authority.file(0o600),
      unread = new Quota(UNREAD),
    }: QueryFileOptions,
    ask: Ask,
    busy: () => FsError,
  ) {
    this.parent = parent;
    this.name = name;
    this.qid = { type: QTFILE, vers: 0, path };
    this.permissions = permissions;
    this.since = since;
    this.authority = authority;
    this.unread = unread;
    this.ask = ask;
    this.busy = busy;
  }

  stat(): Stat {
    return statOf(this, this.name, this.since);
  }

  open(_mode: OpenMode, { caller, privileged = false }: Req): Handle {
    return new QueryHandle(this, this.ask, this.busy, { quota: this.unread, caller, privileged });
  }

  wstat(change: StatChange, req: Req): void {
    if (isNoop(change)) return;
    if (change.name !== undefined) throw new FsError('Eperm');
    this.authority.change(req, this.permissions, permissionChange(change, 0o666));
  }
}

const NOTHING = Buffer.alloc(0);
const NEWLINE = Buffer.from('\n');

interface Share {
  readonly quota: Quota;
  readonly caller: Caller;
  /** As he opened it: a write is no way by which to come. */
  readonly privileged: boolean;
}

/**
 * Answers lie one behind the other, and a read never crosses from one to the next. They begin at offset
 * 0, for who seeks back, and as well where the question ended, for a shell, which cannot: to it they
 * are lines.
 */
class QueryHandle implements Handle {
  readonly node: Node;
  readonly stream = false;
  private readonly ask: Ask;
  private readonly busy: () => FsError;
  /** Of whose share the answers are kept. */
  private readonly share: Share;
  private asking = false;
  private closed = false;
  private answers: readonly Buffer[] = [];
  /** How much of the share they take. */
  private kept = 0;
  /** Where the last question ended. */
  private asked = 0;
  /** Where the answers begin for this reader; undefined until the first read. */
  private base: number | undefined;

  constructor(node: Node, ask: Ask, busy: () => FsError, share: Share) {
    this.node = node;
    this.ask = ask;
    this.busy = busy;
    this.share = share;
  }

  async write(offset: number, data: Buffer, req: Req): Promise<number> {
    if (this.asking) throw this.busy();
    req.privileged = this.share.privileged;
    const { length } = data;
    this.asking = true;
    this.keep([]);
    this.asked = offset + length;
    this.base = undefined;
    try {
      const answers = await this.ask(Buffer.from(data), req);
      if (!this.closed) this.keep(answers.map(answer => Buffer.from(answer)));
      return length;
    } finally {
      this.asking = false;
    }
  }

  private keep(answers: readonly Buffer[]): void {
    const { quota, caller } = this.share;
    const bytes = answers.reduce((sum, answer) => sum + answer.length + OVERHEAD, 0);
    quota.give(caller, this.kept);
    this.answers = [];
    this.kept = 0;
    if (!quota.take(caller, bytes)) {
      throw new FsError('Enofids', `${caller.name} has too many answers that nobody reads; close some files`);
    }
    this.answers = answers;
    this.kept = bytes;
  }

  read(offset: number, reply: Reply): number {
    this.base = offset === 0 ? 0 : (this.base ?? (offset === this.asked ? offset : 0));
    const end = this.base === 0 ? NOTHING : NEWLINE;
    let at = Math.max(offset - this.base, 0);
    for (const answer of this.answers) {
      const length = answer.length + end.length;
      if (at < length) return readText(end === NOTHING ? answer : Buffer.concat([answer, end]), at, reply);
      at -= length;
    }
    return 0;
  }

  close(): void {
    this.closed = true;
    this.keep([]);
  }
}
