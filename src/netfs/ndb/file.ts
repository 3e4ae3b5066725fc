/** The file ndb: the network database of this /net, which its owner edits. */
import { EditHandle, cut, type Document } from '../editing.ts';
import { FsError } from '../error.ts';
import { permissionChange, statOf } from '../file.ts';
import { QTFILE, type DirNode, type Handle, type Node } from '../node.ts';
import type { OpenMode, Qid, Req, Stat, StatChange } from '../node.ts';
import { DIRECTORIES, ROOT_FILES, type Qids } from '../qid.ts';
import { Database } from './database.ts';
import { parse } from './parse.ts';
import { Quota } from '../../policy/quota.ts';
import type { Authority, Permissions } from '../../policy/permissions.ts';

/** 9front's, devip.c: a database has fewer bytes. */
const LIMIT = 32_768;

/** Of one user, while he edits: 2 MiB. */
const COPIES = 64;

export class NdbFile implements Node, Document {
  readonly parent: DirNode;
  readonly permissions: Permissions;
  readonly limit = LIMIT;
  readonly editing = new Quota(COPIES);
  content: Buffer;
  /** What the content says. */
  database: Database;
  private readonly authority: Authority;
  private readonly now: () => number;
  private readonly path: number;
  version = 0;
  private changed: number;

  /** `now` in seconds since the epoch; `text` must be sound. */
  constructor(
    parent: DirNode,
    { authority, now, qids }: { authority: Authority; now: () => number; qids: Qids },
    text: string,
  ) {
    this.parent = parent;
    this.authority = authority;
    this.now = now;
    this.path = qids.path(DIRECTORIES.root, undefined, ROOT_FILES.ndb);
    this.permissions = authority.file(0o644);
    this.content = Buffer.from(text);
    this.database = new Database(parse(this.content));
    this.changed = now();
  }

  get qid(): Qid {
    return { type: QTFILE, vers: this.version, path: this.path };
  }

  stat(): Stat {
    return { ...statOf(this, 'ndb', this.changed), length: this.content.length };
  }

  open(mode: OpenMode, req: Req): Handle {
    return new EditHandle(this, this, mode, req);
  }

  wstat(change: StatChange, req: Req): void {
    if (change.name !== undefined) throw new FsError('Eperm');
    const shorter = change.length === undefined ? undefined : cut(this.content, change.length);
    if (shorter !== undefined) this.judge(shorter);
    this.authority.change(req, this.permissions, permissionChange(change, 0o666));
    if (shorter !== undefined && shorter.length < this.content.length) this.commit(shorter);
  }

  // ---- what EditHandle asks -----------------------------------------------------------------------

  room(): number {
    return 1;
  }

  judge(text: Buffer): void {
    parse(text);
  }

  judgeAll(text: Buffer): void {
    this.judge(text);
  }

  refused<E>(error: E): E {
    return error;
  }

  commit(text: Buffer): void {
    this.database = new Database(parse(text));
    this.content = text;
    this.version++;
    this.changed = this.now();
  }
}
