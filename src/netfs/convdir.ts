/**
 * /net/PROTO/N and its files. A file stands for the number, not for one conversation: opened, it is
 * that of whoever has the number then. A handle stays with its conversation.
 */
import { FsError } from './error.ts';
import { formatEndpoint } from './address.ts';
import type { Conversation } from './conversation.ts';
import { childrenOf, DirHandle, isNoop, permissionChange, statOf } from './file.ts';
import { CallHandle, CtlHandle, DataHandle, ErrHandle, errText } from './convhandles.ts';
import { TextHandle } from './handles.ts';
import { QTDIR, QTFILE } from './node.ts';
import type {
  Awaitable,
  Child,
  DirNode,
  Handle,
  Node,
  OpenMode,
  Qid,
  Req,
  Stat,
  StatChange,
} from './node.ts';
import type { ProtocolDir } from './protodir.ts';
import type { Permissions } from '../policy/permissions.ts';

interface FileKind {
  /** For the qid; the directory is 0. */
  readonly file: number;
  /** Fixed for read-only files; else the conversation's own mode counts. */
  readonly mode?: number;
  /** Whether chmod and chown are given here; they change the whole conversation, ip(3). */
  readonly changes?: boolean;
  /** Node.separate */
  readonly separate?: boolean;
  open(file: ConversationFile, mode: OpenMode, req: Req): Awaitable<Handle>;
}

/** The files of a conversation, in the order in which they are listed. */
const FILES: Readonly<Record<string, FileKind>> = {
  /** Read: the number. Write: one message a write. */
  ctl: {
    file: 1,
    changes: true,
    separate: true,
    open: (file, _mode, req) => new CtlHandle(file, file.use(req)),
  },
  /** The stream. */
  data: {
    file: 2,
    changes: true,
    separate: true,
    open: (file, _mode, req) => new DataHandle(file, file.use(req)),
  },
  /** The last error's text. */
  err: { file: 3, open: (file, mode) => openErr(file, mode) },
  /** Opening it waits for a call and opens the ctl of its conversation. */
  listen: { file: 4, separate: true, open: (file, _mode, req) => openListen(file, req) },
  local: text(5, c => `${formatEndpoint(c.local)}\n`),
  remote: text(6, c => `${formatEndpoint(c.remote)}\n`),
  /** The first word is the state. */
  status: text(7, c => c.status()),
};

function text(file: number, make: (conversation: Conversation) => string): FileKind {
  return {
    file,
    mode: 0o444,
    open(node, mode) {
      if (mode.write) throw new FsError('Eperm');
      return new TextHandle(node, () => make(node.conversation));
    },
  };
}

export class ConversationDir implements DirNode {
  readonly parent: ProtocolDir;
  readonly number: number;

  constructor(parent: ProtocolDir, number: number) {
    this.parent = parent;
    this.number = number;
  }

  get conversation(): Conversation {
    return this.parent.protocol.at(this.number);
  }

  get qid(): Qid {
    return this.qidOf(0, QTDIR);
  }

  qidOf(file: number, type: number): Qid {
    const { qids, index } = this.parent.protocol.options;
    return { type, vers: 0, path: qids.path(index, this.number, file) };
  }

  get permissions(): Permissions {
    const { owner, gid } = this.conversation.permissions;
    return { owner, gid, mode: 0o555 };
  }

  stat(): Stat {
    return statOf(this, String(this.number), this.conversation.since);
  }

  open(): Handle {
    return new DirHandle(this);
  }

  walk(name: string): Node | undefined {
    const kind = Object.hasOwn(FILES, name) ? FILES[name] : undefined;
    return kind && new ConversationFile(this, name, kind);
  }

  children(_req: Req, from: number): Iterable<Child> {
    const files = Object.entries(FILES).map(([name, kind]) => new ConversationFile(this, name, kind));
    return childrenOf(files, from);
  }

  /** The ctl of a conversation on which a reference is already held for it. */
  ctlOf(conversation: Conversation): Handle {
    return new CtlHandle(new ConversationFile(this, 'ctl', FILES['ctl']!), conversation);
  }

  /** The same of its data. */
  dataOf(conversation: Conversation): Handle {
    return new DataHandle(new ConversationFile(this, 'data', FILES['data']!), conversation);
  }
}

class ConversationFile implements Node {
  readonly parent: ConversationDir;
  readonly qid: Qid;
  private readonly name: string;
  private readonly kind: FileKind;

  constructor(parent: ConversationDir, name: string, kind: FileKind) {
    this.parent = parent;
    this.name = name;
    this.kind = kind;
    this.qid = parent.qidOf(kind.file, QTFILE);
  }

  get separate(): boolean {
    return this.kind.separate === true;
  }

  get conversation(): Conversation {
    return this.parent.conversation;
  }

  get permissions(): Permissions {
    const { permissions } = this.conversation;
    return this.kind.mode === undefined ? permissions : { ...permissions, mode: this.kind.mode };
  }

  stat(): Stat {
    const stat = statOf(this, this.name, this.conversation.since);
    return this.name === 'data' ? { ...stat, queued: this.conversation.queued() } : stat;
  }

  open(mode: OpenMode, req: Req): Awaitable<Handle> {
    return this.kind.open(this, mode, req);
  }

  wstat(change: StatChange, req: Req): void {
    if (isNoop(change)) return;
    if (this.kind.changes !== true) {
      // A rename is refused by the directory, a chmod by the file.
      if (change.name !== undefined) throw new FsError('Eperm');
      throw new FsError('Enotowner', 'chmod and chown go to ctl or data');
    }
    // A new name among the rest is ignored, as Plan 9 does.
    const { authority } = this.parent.parent;
    authority.changeOwn(req, this.conversation.permissions, permissionChange(change, 0o666));
  }

  /** The conversation, or a new one in its place when nobody uses it; a reference is held for the handle. */
  use(req: Req): Conversation {
    const { conversation } = this;
    const { parent } = this.parent;
    if (conversation.inUse) {
      conversation.retain();
      return conversation;
    }
    parent.checkClone(req.caller);
    const revived = parent.protocol.revive(this.parent.number, req.caller);
    revived.retain();
    return revived;
  }
}

function openListen(file: ConversationFile, req: Req): Awaitable<Handle> {
  const { conversation } = file;
  const takeCall = async (by: Req): Promise<Handle> => {
    try {
      const call = await conversation.listen(by);
      return new ConversationDir(file.parent.parent, call.number).ctlOf(call);
    } catch (error) {
      conversation.noteError(error);
      throw error;
    }
  };
  return req.nonblocking === true ? new CallHandle(file, conversation, takeCall) : takeCall(req);
}
/** Never makes a conversation live, but keeps one alive. */
function openErr(file: ConversationFile, mode: OpenMode): Handle {
  if (mode.write) throw new FsError('Eperm');
  const { conversation } = file;
  if (!conversation.inUse) return new TextHandle(file, () => errText(conversation));
  conversation.retain();
  return new ErrHandle(file, conversation);
}
