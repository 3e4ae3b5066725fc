/**
 * /net/dial: an address is a file, `dial/tcp!192.0.2.7!80`. Opening it dials; what was opened is the
 * data of a conversation like any other.
 *
 * Every address is there and none is listed. Walking to one, and stat, dial nothing: whether it can be
 * reached, whether its parts are well-formed even, the open says.
 */
import { FsError } from './error.ts';
import { childrenOf, DirHandle, isNoop, permissionChange, statOf } from './file.ts';
import { QTDIR, QTFILE } from './node.ts';
import type { Child, DirNode, Handle, Node, OpenMode, Qid, Req, Stat, StatChange } from './node.ts';
import type { ProtocolDir } from './protodir.ts';
import { DIRECTORIES, MOST_SLOTS, type Qids } from './qid.ts';
import type { Authority, Permissions } from '../policy/permissions.ts';

const FILES = { dir: 0, address: 1 } as const;

/** Walks until a qid is given again: nobody holds as many files. */
const NUMBERS = MOST_SLOTS;

export class DialDir implements DirNode {
  readonly parent: DirNode;
  readonly qid: Qid;
  readonly qids: Qids;
  readonly permissions: Permissions;
  readonly since: number;
  /** A shell opens with O_CREAT: that a name is no address is no matter of permission. */
  readonly creating = 'Enonexist';
  private readonly protocols: ReadonlyMap<string, ProtocolDir>;
  private readonly authority: Authority;
  private walks = 0;

  /** `protocols` by the names that addresses begin with; `since` in seconds since the epoch. */
  constructor(
    parent: DirNode,
    protocols: ReadonlyMap<string, ProtocolDir>,
    { qids, authority, since }: { qids: Qids; authority: Authority; since: number },
  ) {
    this.parent = parent;
    this.qids = qids;
    this.qid = { type: QTDIR, vers: 0, path: qids.path(DIRECTORIES.dial, undefined, FILES.dir) };
    this.protocols = protocols;
    this.authority = authority;
    this.since = since;
    this.permissions = authority.file(0o555);
  }

  stat(): Stat {
    return statOf(this, 'dial', this.since);
  }

  open(): Handle {
    return new DirHandle(this);
  }

  wstat(change: StatChange, req: Req): void {
    if (change.name !== undefined || change.length !== undefined) throw new FsError('Eperm');
    this.authority.change(req, this.permissions, permissionChange(change, 0o777));
  }

  /** `PROTOCOL!HOST!SERVICE` and what may follow; other names are not there. */
  walk(name: string): Node | undefined {
    const [network = '', ...rest] = name.split('!');
    const protocol = this.protocols.get(network);
    if (protocol === undefined || rest.length < 2 || rest.includes('')) return undefined;
    this.walks = (this.walks + 1) % NUMBERS;
    return new DialFile(this, name, { protocol, destination: rest.join('!'), number: this.walks });
  }

  children(_req: Req, from: number): Iterable<Child> {
    return childrenOf([], from);
  }
}

/**
 * Each walk makes one, and nobody else has it: what one user opened is not another's. Its owner, group
 * and bits are clone's, for who may not make a conversation there makes none here.
 */
class DialFile implements Node {
  readonly separate = true;
  readonly parent: DialDir;
  readonly qid: Qid;
  private readonly name: string;
  private readonly protocol: ProtocolDir;
  private readonly destination: string;

  constructor(
    parent: DialDir,
    name: string,
    to: { readonly protocol: ProtocolDir; readonly destination: string; readonly number: number },
  ) {
    this.parent = parent;
    this.name = name;
    this.protocol = to.protocol;
    this.destination = to.destination;
    this.qid = { type: QTFILE, vers: 0, path: parent.qids.path(DIRECTORIES.dial, to.number, FILES.address) };
  }

  get permissions(): Permissions {
    return this.protocol.clonePermissions;
  }

  stat(): Stat {
    return statOf(this, this.name, this.parent.since);
  }

  open(_mode: OpenMode, req: Req): Promise<Handle> {
    return this.protocol.dial(this.destination, req);
  }

  /** A shell's `>` truncates. */
  wstat(change: StatChange): void {
    if (isNoop(change)) return;
    if (change.name !== undefined) throw new FsError('Eperm');
    throw new FsError('Enotowner', `who may dial is said by ${this.protocol.protocol.options.name}/clone`);
  }
}
