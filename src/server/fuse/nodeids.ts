/**
 * Node ids: what the kernel's inodes stand for. The kernel counts how often it was given each and says
 * so when it forgets.
 *
 * A file has one id, for as long as the kernel knows it - but for those that are `separate` (netfs/node.ts):
 * the kernel lets one process write to an inode at a time, so a connect that waits on `ctl` would hold
 * up everybody else's write, truncation and chmod of it. Each lookup of these gets an id of its own.
 */
import { FsError } from '../../netfs/error.ts';
import type { Caller } from '../../policy/identity.ts';
import type { Node } from '../../netfs/node.ts';
import { realmOf } from '../../netfs/realm.ts';
import { ROOT_NODEID } from './kernel.ts';

export class Entry {
  readonly nodeid: number;
  node: Node;
  /** How often the kernel has it. */
  lookups = 0;
  /** How often each user has it open. */
  private opens = 0;
  private openers: Map<number, number> | undefined;

  constructor(nodeid: number, node: Node) {
    this.nodeid = nodeid;
    this.node = node;
  }

  isOpenBy({ uid, anonymous }: Caller): boolean {
    return anonymous === undefined && this.openers?.has(uid) === true;
  }

  get isOpen(): boolean {
    return this.opens > 0;
  }

  get isOpenOnce(): boolean {
    return this.opens === 1;
  }

  /** `by` is 1 for an open and -1 for its end. */
  countOpen({ uid }: Caller, by: 1 | -1): void {
    this.opens += by;
    this.openers ??= new Map();
    const count = (this.openers.get(uid) ?? 0) + by;
    if (count > 0) this.openers.set(uid, count);
    else this.openers.delete(uid);
  }
}

/**
 * The kernel keeps a name that nobody uses until it needs the memory, and asks about it again all the
 * same; of what is separate it is given a new id then. So more ids than these that nobody has open are
 * not kept: the oldest are gone, ESTALE, as after a restart of a server of NFS.
 */
const MOST_UNOPENED = 32_768;

/** After a million views their qids come again, while the kernel may still hold files of one that has ended. */
const isOfAnotherNet = (a: Node, b: Node): boolean => a !== b && realmOf(a) !== realmOf(b);

export class Nodeids {
  private readonly entries = new Map<number, Entry>();
  /** The ids of files that have one, by qid.path. */
  private readonly shared = new Map<number, Entry>();
  /** The ids of the others, the oldest first, but for some that were open when they were to go. */
  private readonly separate = new Set<Entry>();
  private last = ROOT_NODEID;

  constructor(root: Node) {
    const entry = new Entry(ROOT_NODEID, root);
    this.entries.set(ROOT_NODEID, entry);
    this.shared.set(root.qid.path, entry);
  }

  get size(): number {
    return this.entries.size;
  }

  get(nodeid: number): Entry {
    const entry = this.entries.get(nodeid);
    if (entry === undefined) throw new FsError('Estale', `node ${nodeid}`);
    return entry;
  }

  /** The id that a lookup answers with; it is the kernel's once more. */
  lookedUp(node: Node): Entry {
    const entry = node.separate === true ? this.part(node) : this.ofFile(node);
    entry.lookups++;
    return entry;
  }

  private ofFile(node: Node): Entry {
    const entry = this.shared.get(node.qid.path);
    if (entry === undefined || isOfAnotherNet(entry.node, node)) return this.share(node);
    // It may have been moved: the directories above it are asked whether the caller may.
    entry.node = node;
    return entry;
  }

  private part(node: Node): Entry {
    const entry = this.make(node);
    this.separate.add(entry);
    // Two for one, so that it shrinks again when many were open.
    for (let tries = 0; this.separate.size > MOST_UNOPENED && tries < 2; tries++) this.dropOldest();
    return entry;
  }

  /** It was opened, which may have taken so long that it was dropped meanwhile. */
  keep(entry: Entry): void {
    this.entries.set(entry.nodeid, entry);
    if (this.shared.get(entry.node.qid.path) !== entry) this.separate.add(entry);
  }

  private dropOldest(): void {
    const [oldest] = this.separate as Iterable<Entry>;
    this.separate.delete(oldest!);
    if (oldest!.isOpen) this.separate.add(oldest!);
    else this.entries.delete(oldest!.nodeid);
  }

  private share(node: Node): Entry {
    const entry = this.make(node);
    this.shared.set(node.qid.path, entry);
    return entry;
  }

  private make(node: Node): Entry {
    const entry = new Entry(++this.last, node);
    this.entries.set(entry.nodeid, entry);
    return entry;
  }

  forget(nodeid: number, nlookup: number): void {
    const entry = this.entries.get(nodeid);
    if (entry === undefined || nodeid === ROOT_NODEID) return;
    entry.lookups -= nlookup;
    if (entry.lookups > 0) return;
    this.entries.delete(nodeid);
    this.separate.delete(entry);
    if (this.shared.get(entry.node.qid.path) === entry) this.shared.delete(entry.node.qid.path);
  }
}
