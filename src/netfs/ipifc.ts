/**
 * /net/ipifc: the interfaces. They are the kernel's and not ours to make or to change, so all of it is only
 * read.
 */
import { formatEndpoint, UNSET } from './address.ts';
import { FsError } from './error.ts';
import { childrenOf, DirHandle, statOf } from './file.ts';
import type { HostFacts, Interface } from './hostfacts.ts';
import { numberedInterfaces, type NumberedInterfaces } from './interfaces.ts';
import { formatAddr, formatLocal, formatStatus } from './ipifctext.ts';
import { QTDIR, QTFILE } from './node.ts';
import type { Child, DirNode, Handle, Node, Qid, Req, Stat } from './node.ts';
import { DIRECTORIES, MOST_SLOTS, type Qids } from './qid.ts';
import { TextFile } from './textfile.ts';
import type { Caller } from '../policy/identity.ts';
import type { Permissions } from '../policy/permissions.ts';

export interface IpifcOptions {
  readonly qids: Qids;
  readonly owner: Caller;
  /** Seconds since the epoch. */
  readonly since: number;
  readonly facts: HostFacts;
  /** Where programs find this tree: `/net`. */
  netdir(): string;
  /** The text of `stats`. */
  stats(): string;
}

/** The files of the directory itself, by their number for the qid. */
const FILES = { dir: 0, clone: 1, stats: 2 } as const;

/** A position that no interface's number reaches. */
const BEHIND_ALL = 2 ** 30;

const pathOf = (qids: Qids, slot: number | undefined, file: number): number =>
  qids.path(DIRECTORIES.ipifc, slot, file);

const permissionsOf = (owner: Caller, mode: number): Permissions => ({ owner, gid: owner.gid, mode });

export class IpifcDir implements DirNode {
  readonly parent: DirNode;
  readonly options: IpifcOptions;
  readonly qid: Qid;
  readonly permissions: Permissions;
  private readonly clone: Node;
  private readonly stats: Node;

  constructor(parent: DirNode, options: IpifcOptions) {
    const { owner, since, qids } = options;
    this.parent = parent;
    this.options = options;
    this.qid = { type: QTDIR, vers: 0, path: pathOf(qids, undefined, FILES.dir) };
    this.permissions = permissionsOf(owner, 0o555);
    this.clone = new IpifcClone(this);
    const path = pathOf(qids, undefined, FILES.stats);
    this.stats = new TextFile(this, 'stats', { path, owner, since }, () => options.stats());
  }

  get interfaces(): NumberedInterfaces {
    return numberedInterfaces(this.options.facts);
  }

  stat(): Stat {
    return statOf(this, 'ipifc', this.options.since);
  }

  open(): Handle {
    return new DirHandle(this);
  }

  walk(name: string): Node | undefined {
    if (name === 'clone') return this.clone;
    if (name === 'stats') return this.stats;
    const ifc = this.find(name);
    if (ifc === undefined) return undefined;
    return NUMBER.test(name) ? this.numbered(Number(name)) : new InterfaceDir(this, name, NAMED + ifc.index);
  }

  /** An interface by its number, or by its name where that can be a directory's. */
  find(name: string): Interface | undefined {
    const { list, byName } = this.interfaces;
    if (NUMBER.test(name)) return list[Number(name)];
    const number = byName.get(name);
    const ifc = number === undefined ? undefined : list[number];
    return ifc !== undefined && canBeNamed(ifc) ? ifc : undefined;
  }

  *children(_req: Req, from: number): Iterable<Child> {
    const { length } = this.interfaces.list;
    for (let number = from; number < length; number++)
      yield { node: this.numbered(number), position: number };
    const [clone, stats] = [BEHIND_ALL, BEHIND_ALL + 1];
    if (from <= clone) yield { node: this.clone, position: clone };
    if (from <= stats) yield { node: this.stats, position: stats };
  }

  private numbered(number: number): InterfaceDir {
    return new InterfaceDir(this, String(number), number);
  }

  /** Go's net takes an interface for the loopback by this name, and opens `addr` below any other. */
  deviceOf(ifc: Interface): string {
    if (ifc.loopback) return '/dev/null';
    const name = canBeNamed(ifc) ? ifc.name : String(this.interfaces.numbers.get(ifc.index));
    const device = `${this.options.netdir()}/ipifc/${name}`;
    return PLAIN.test(device) ? device : name;
  }
}

/** Only the plain decimal form is a number: 007 is not. */
const NUMBER = /^(0|[1-9]\d{0,8})$/;

/** Without blanks and quotes: a word of a line of words. */
const PLAIN = /^[^\s'\p{C}]+$/u;

/** Slots of directories that are walked to by an interface's name, by its index; below them are the numbers. */
const NAMED = (MOST_SLOTS + 1) / 2;

function canBeNamed({ name, index }: Interface): boolean {
  return !NUMBER.test(name) && name !== 'clone' && name !== 'stats' && PLAIN.test(name) && index < NAMED - 1;
}

interface FileKind {
  /** For the qid; the directory is 0. */
  readonly file: number;
  text(ifc: Interface, dir: InterfaceDir): string;
}

/** The files of an interface, in the order in which they are listed. */
const INTERFACE_FILES: Readonly<Record<string, FileKind>> = {
  /** The hardware address, as below an ether device. */
  addr: { file: 1, text: formatAddr },
  /** The number. */
  ctl: { file: 2, text: (ifc, dir) => String(dir.parent.interfaces.numbers.get(ifc.index)) },
  /** Addresses, and what is taken for their sake. */
  local: { file: 3, text: formatLocal },
  /** An interface has no other end: netstat wants a file. */
  remote: { file: 4, text: () => `${formatEndpoint(UNSET)}\n` },
  status: { file: 5, text: (ifc, dir) => formatStatus(ifc, dir.parent.deviceOf(ifc)) },
};

/** Stands for a number or a name, not for what has it now. */
class InterfaceDir implements DirNode {
  readonly parent: IpifcDir;
  readonly qid: Qid;
  readonly permissions: Permissions;
  private readonly name: string;
  private readonly slot: number;

  constructor(parent: IpifcDir, name: string, slot: number) {
    this.parent = parent;
    this.name = name;
    this.slot = slot;
    this.qid = { type: QTDIR, vers: 0, path: pathOf(parent.options.qids, slot, 0) };
    this.permissions = permissionsOf(parent.options.owner, 0o555);
  }

  stat(): Stat {
    return statOf(this, this.name, this.parent.options.since);
  }

  open(): Handle {
    return new DirHandle(this);
  }

  walk(name: string): Node | undefined {
    const kind = Object.hasOwn(INTERFACE_FILES, name) ? INTERFACE_FILES[name] : undefined;
    return kind && this.fileOf(name, kind);
  }

  children(_req: Req, from: number): Iterable<Child> {
    const files = Object.entries(INTERFACE_FILES).map(([name, kind]) => this.fileOf(name, kind));
    return childrenOf(files, from);
  }

  private fileOf(name: string, kind: FileKind): Node {
    const { owner, since } = this.parent.options;
    const path = pathOf(this.parent.options.qids, this.slot, kind.file);
    return new TextFile(this, name, { path, owner, since }, () => kind.text(this.interface(), this));
  }

  private interface(): Interface {
    const ifc = this.parent.find(this.name);
    if (ifc === undefined) throw new FsError('Enonexist', `interface ${this.name} is gone`);
    return ifc;
  }
}

/** None can be made. */
class IpifcClone implements Node {
  readonly parent: DirNode;
  readonly qid: Qid;
  readonly permissions: Permissions;
  private readonly since: number;

  constructor(parent: IpifcDir) {
    this.parent = parent;
    this.qid = { type: QTFILE, vers: 0, path: pathOf(parent.options.qids, undefined, FILES.clone) };
    this.permissions = permissionsOf(parent.options.owner, 0);
    this.since = parent.options.since;
  }

  stat(): Stat {
    return statOf(this, 'clone', this.since);
  }

  open(): never {
    throw new FsError('Eperm', "interfaces are made by the host's own means, such as ip-link(8)");
  }
}
