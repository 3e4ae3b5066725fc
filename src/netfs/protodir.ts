/** /net/PROTO: the conversations by number, then clone and stats. */
import { FsError } from './error.ts';
import { ConversationDir } from './convdir.ts';
import { DirHandle, isNoop, permissionChange, statOf } from './file.ts';
import { TextHandle } from './handles.ts';
import { QTDIR, QTFILE } from './node.ts';
import type { Child, DirNode, Handle, Node, OpenMode, Qid, Req, Stat, StatChange } from './node.ts';
import type { Protocol } from './protocol.ts';
import type { Lacking } from './refusal.ts';
import { R, W, X, type Authority, type Permissions } from '../policy/permissions.ts';
import type { Caller } from '../policy/identity.ts';

/** The files of the directory itself: mode as it starts, and a number for the qid. */
const FILES = {
  dir: { file: 0, mode: 0o555 },
  /** Read and write here is the right to make conversations. */
  clone: { file: 1, mode: 0o600 },
  stats: { file: 2, mode: 0o444 },
} as const;

/** A position that no conversation's number reaches. */
const BEHIND_ALL = 2 ** 30;

export class ProtocolDir implements DirNode {
  readonly protocol: Protocol;
  readonly authority: Authority;
  readonly parent: DirNode;
  readonly qid: Qid;
  readonly permissions: Permissions;
  readonly since: number;
  private readonly above: { readonly dir: ProtocolDir; readonly maker: Caller } | undefined;
  private readonly clone: CloneFile;
  private readonly stats: StatsFile;

  /** In a view, `above` is the directory outside it, and whoever made the view: he needs to be one who may, too. */
  constructor(parent: DirNode, protocol: Protocol, authority: Authority, above?: ProtocolDir['above']) {
    this.parent = parent;
    this.above = above;
    this.protocol = protocol;
    this.authority = authority;
    this.since = protocol.now();
    this.qid = this.qidOf('dir', QTDIR);
    this.permissions = this.permissionsOf('dir');
    this.clone = new CloneFile(this);
    this.stats = new StatsFile(this);
  }

  qidOf(file: keyof typeof FILES, type: number): Qid {
    const { qids, index } = this.protocol.options;
    return { type, vers: 0, path: qids.path(index, undefined, FILES[file].file) };
  }

  permissionsOf(file: keyof typeof FILES): Permissions {
    return this.authority.file(FILES[file].mode);
  }

  stat(): Stat {
    return statOf(this, this.protocol.options.name, this.since);
  }

  open(): Handle {
    return new DirHandle(this);
  }

  wstat(change: StatChange, req: Req): void {
    if (change.name !== undefined || change.length !== undefined) throw new FsError('Eperm');
    this.authority.change(req, this.permissions, permissionChange(change, 0o777));
  }

  walk(name: string): Node | undefined {
    if (name === 'clone') return this.clone;
    if (name === 'stats') return this.stats;
    // Only the plain decimal form is a name: 007 and 1e1 are not.
    const known = /^(0|[1-9]\d{0,8})$/.test(name) && Number(name) < this.protocol.count;
    return known ? new ConversationDir(this, Number(name)) : undefined;
  }

  *children(_req: Req, from: number): Iterable<Child> {
    for (let n = from; n < this.protocol.count; n++)
      yield { node: new ConversationDir(this, n), position: n };
    const [clone, stats] = [BEHIND_ALL, BEHIND_ALL + 1];
    if (from <= clone) yield { node: this.clone, position: clone };
    if (from <= stats) yield { node: this.stats, position: stats };
  }

  /** Whoever makes a conversation needs to read and write clone, however he goes about it. */
  checkClone(caller: Caller): void {
    const { permissions } = this.clone;
    const { name } = this.protocol.options;
    if (!this.authority.allows(caller, permissions, R | W)) {
      const needs = 'read and write permission';
      throw this.lacks(caller, { path: `${name}/clone`, permissions, needs, bits: 'rw' });
    }
    this.checkAbove();
  }

  /** Those inside are told who may not, and nothing of why. */
  private checkAbove(): void {
    if (this.above === undefined) return;
    const { dir, maker } = this.above;
    try {
      dir.checkWay(maker);
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      throw new FsError(
        error.name,
        `${maker.name}, who made the view, may not use ${this.protocol.name} outside it`,
      );
    }
  }

  private lacks(caller: Caller, file: Lacking): FsError {
    return new FsError('Eperm', this.protocol.options.gate.needs(file, caller));
  }

  /** Who comes by another way needs what he would need on this one. */
  checkWay(caller: Caller): void {
    const { permissions } = this;
    if (!this.authority.allows(caller, permissions, X)) {
      const needs = 'execute permission';
      throw this.lacks(caller, { path: this.protocol.options.name, permissions, needs, bits: 'x' });
    }
    this.checkClone(caller);
  }

  get clonePermissions(): Permissions {
    return this.clone.permissions;
  }

  /**
   * The data of a new conversation on which `connect DESTINATION` has succeeded. The caller comes by
   * another way, and needs what he would need on this directory's. Failed or aborted, it leaves no
   * conversation.
   */
  async dial(destination: string, req: Req): Promise<Handle> {
    this.checkWay(req.caller);
    const conversation = this.protocol.allocate(req.caller);
    conversation.retain();
    try {
      await conversation.control(['connect', destination], req);
    } catch (error) {
      conversation.noteError(error);
      conversation.release();
      throw error;
    }
    return new ConversationDir(this, conversation.number).dataOf(conversation);
  }
}

/** Opening clone, in any mode, opens the ctl of a new conversation. */
class CloneFile implements Node {
  readonly separate = true;
  readonly qid: Qid;
  readonly parent: ProtocolDir;
  readonly permissions: Permissions;

  constructor(parent: ProtocolDir) {
    this.parent = parent;
    this.qid = parent.qidOf('clone', QTFILE);
    this.permissions = parent.permissionsOf('clone');
  }

  stat(): Stat {
    return statOf(this, 'clone', this.parent.since);
  }

  open(_mode: OpenMode, req: Req): Handle {
    this.parent.checkClone(req.caller);
    const conversation = this.parent.protocol.allocate(req.caller);
    conversation.retain();
    return new ConversationDir(this.parent, conversation.number).ctlOf(conversation);
  }

  wstat(change: StatChange, req: Req): void {
    if (isNoop(change)) return;
    if (change.name !== undefined) throw new FsError('Eperm');
    this.parent.authority.change(req, this.permissions, permissionChange(change, 0o666));
  }
}

class StatsFile implements Node {
  readonly qid: Qid;
  readonly parent: ProtocolDir;
  readonly permissions: Permissions;

  constructor(parent: ProtocolDir) {
    this.parent = parent;
    this.qid = parent.qidOf('stats', QTFILE);
    this.permissions = parent.permissionsOf('stats');
  }

  stat(): Stat {
    return statOf(this, 'stats', this.parent.since);
  }

  open(mode: OpenMode): Handle {
    if (mode.write) throw new FsError('Eperm');
    return new TextHandle(this, () => this.parent.protocol.options.stats());
  }
}
