/** /net/view: the views by number or name, and clone, which makes one; and the files that only a view has. */
import { isUtf8 } from 'node:buffer';
import { FsError } from './error.ts';
import { DirHandle, isNoop, permissionChange, statOf } from './file.ts';
import { CtlNumber } from './handles.ts';
import { QTDIR, QTFILE } from './node.ts';
import type { Child, DirNode, Handle, Node, OpenMode, Qid, Reply, Req, Stat, StatChange } from './node.ts';
import { NumberPool } from './numbers.ts';
import { DIRECTORIES, ROOT_FILES } from './qid.ts';
import { checkMessageSize } from './tokens.ts';
import { EVERYTHING, type View } from './view.ts';
import { sameCaller } from '../policy/identity.ts';
import { parseLine } from '../policy/lines.ts';
import type { Changer, Permissions } from '../policy/permissions.ts';

/** Views of one directory. */
const MOST_VIEWS = 65536;

/** A position that no view's number reaches. */
const BEHIND_ALL = 2 ** 30;

/** A name that is no number, and no word of this directory. */
const NAME = /^[a-z_][a-z0-9_.-]{0,63}$/i;

export class ViewDir implements DirNode {
  readonly changing = true;
  readonly parent: DirNode;
  readonly qid: Qid;
  readonly permissions: Permissions;
  /** The /net that it is in. */
  readonly net: View;
  private readonly clone: ViewClone;
  private readonly numbers = new NumberPool();
  private readonly byNumber = new Map<number, View>();

  constructor(parent: DirNode, net: View) {
    this.parent = parent;
    this.net = net;
    this.qid = { type: QTDIR, vers: 0, path: net.qids.path(DIRECTORIES.view, undefined, 0) };
    // Everybody makes and removes his own, as in /tmp.
    this.permissions = net.authority.file(0o777);
    this.clone = new ViewClone(this);
  }

  get all(): readonly View[] {
    return [...this.byNumber.values()];
  }

  stat(): Stat {
    return statOf(this, 'view', this.net.since);
  }

  open(): Handle {
    return new DirHandle(this);
  }

  wstat(change: StatChange, req: Req): void {
    if (change.name !== undefined || change.length !== undefined) throw new FsError('Eperm');
    this.net.authority.change(req, this.permissions, permissionChange(change, 0o777));
  }

  walk(name: string): Node | undefined {
    if (name === 'clone') return this.clone;
    const number = /^(0|[1-9]\d{0,8})$/.test(name) ? Number(name) : undefined;
    const view = number === undefined ? this.all.find(each => each.name === name) : this.byNumber.get(number);
    return view?.root;
  }

  *children(_req: Req, from: number): Iterable<Child> {
    const numbers = [...this.byNumber.keys()].filter(number => number >= from).sort((a, b) => a - b);
    for (const number of numbers) yield { node: this.byNumber.get(number)!.root, position: number };
    if (from <= BEHIND_ALL) yield { node: this.clone, position: BEHIND_ALL };
  }

  /** A view of one's own. */
  remove(name: string, req: Req): void {
    const { caller, privileged } = req;
    const root = this.walk(name);
    const view = this.all.find(each => each.root === root);
    if (view === undefined) throw new FsError(name === 'clone' ? 'Eperm' : 'Enonexist');
    if (privileged !== true && !sameCaller(caller, view.maker)) {
      throw new FsError('Eperm', `${view.maker.name} made it, and he removes it`);
    }
    view.end(req);
  }

  // ---- what views do ------------------------------------------------------------------------------

  mustHaveRoom(): void {
    if (!this.numbers.has(MOST_VIEWS)) throw new FsError('Enodev', `there are ${MOST_VIEWS} views`);
  }

  takeNumber(): number {
    return this.numbers.take(MOST_VIEWS)!;
  }

  add(view: View): void {
    this.byNumber.set(view.number, view);
  }

  drop(view: View): void {
    this.byNumber.delete(view.number);
    this.numbers.give(view.number);
  }

  mayBeNamed(name: string, view: View): void {
    if (!NAME.test(name) || name === 'clone') {
      throw new FsError(
        'Ebadname',
        `'${name}': write letters, digits, _ . and -, a letter first, at most 64`,
      );
    }
    if (this.all.some(each => each !== view && each.name === name))
      throw new FsError('Eexist', `view ${name}`);
  }
}

/** Opening it, in any mode, makes a view, and opens its ctl. */
class ViewClone implements Node {
  readonly separate = true;
  readonly qid: Qid;
  readonly parent: ViewDir;
  readonly permissions: Permissions;

  constructor(parent: ViewDir) {
    this.parent = parent;
    this.qid = { type: QTFILE, vers: 0, path: parent.net.qids.path(DIRECTORIES.view, undefined, 1) };
    this.permissions = parent.net.authority.file(0o666);
  }

  stat(): Stat {
    return statOf(this, 'clone', this.parent.net.since);
  }

  open(_mode: OpenMode, { caller }: Req): Handle {
    const view = this.parent.net.make(caller);
    return new ViewCtlHandle(new ViewCtl(view.root, view), view);
  }

  wstat(change: StatChange, req: Req): void {
    if (isNoop(change)) return;
    if (change.name !== undefined) throw new FsError('Eperm');
    this.parent.net.authority.change(req, this.permissions, permissionChange(change, 0o666));
  }
}

/** By name it is opened only from outside, by who governs the view: inside it would be the way out. */
export class ViewCtl implements Node {
  readonly separate = true;
  readonly qid: Qid;
  readonly parent: DirNode;
  readonly permissions: Permissions;
  private readonly view: View;

  constructor(parent: DirNode, view: View) {
    this.parent = parent;
    this.view = view;
    this.qid = { type: QTFILE, vers: 0, path: view.qids.path(DIRECTORIES.root, undefined, ROOT_FILES.ctl) };
    this.permissions = view.authority.file(0o600);
  }

  stat(): Stat {
    return statOf(this, 'ctl', this.view.since);
  }

  open(_mode: OpenMode, { privileged }: Req): Handle {
    if (privileged !== true) {
      throw new FsError('Eperm', 'by its name ctl opens only from outside the view, and for its maker');
    }
    return new ViewCtlHandle(this, this.view);
  }

  wstat(change: StatChange): void {
    if (!isNoop(change)) throw new FsError(change.name === undefined ? 'Enotowner' : 'Eperm');
  }
}

/** Whoever has it open governs the view, be he who he may: it can be handed on. */
class ViewCtlHandle implements Handle {
  readonly node: Node;
  readonly stream = false;
  readonly messages = true;
  private readonly view: View;
  private readonly number: CtlNumber;

  constructor(node: Node, view: View) {
    this.node = node;
    this.view = view;
    this.number = new CtlNumber(view.number);
    view.hold();
  }

  read(offset: number, reply: Reply): number {
    return this.number.read(offset, reply);
  }

  write(offset: number, data: Buffer, req: Req): number {
    checkMessageSize(data);
    if (!this.view.alive) throw new FsError('Ehungup', 'the view has ended');
    obey(this.view, linesOf(data), req);
    this.number.wrote(offset + data.length);
    return data.length;
  }

  close(): void {
    this.view.release();
  }
}

function linesOf(data: Buffer): string[] {
  if (data.includes(0)) throw new FsError('Ebadctl', 'a message holds no NUL');
  if (!isUtf8(data)) throw new FsError('Ebadctl', 'a message is UTF-8');
  const lines = data
    .toString('utf8')
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '');
  if (lines.length === 0) throw new FsError('Eshortctl', 'the message is empty');
  return lines;
}

/** What a message asks for. */
interface Wish {
  /** Lines to be put into a zone. */
  readonly allow?: string;
  readonly deny?: string;
  /** What else is to be done, which cannot fail. */
  readonly act?: () => void;
}

/**
 * All of it is done, or nothing: it is understood before anything is done, and what there may be no room for
 * is done first.
 */
function obey(view: View, lines: readonly string[], by: Changer): void {
  const wishes = lines.map((line, i) => understood(view, line, by, i === lines.length - 1));
  const all = (zone: 'allow' | 'deny'): string => wishes.map(wish => wish[zone] ?? '').join('');
  view.add(all('allow'), all('deny'), by);
  for (const { act } of wishes) act?.();
}

/** Every ctl message of a view. */
const VERBS: Readonly<Record<string, (view: View, rest: string, by: Changer) => Wish>> = {
  allow: (_view, text) => ({ allow: text === '*' ? EVERYTHING : soundLine(text) }),
  deny: (_view, text) => ({ deny: soundLine(text) }),
  name(view, name, by) {
    view.above!.views.mayBeNamed(name, view);
    return { act: () => view.beNamed(name, by) };
  },
  user(view, name, by) {
    const user = view.surroundings.userByName(name);
    if (user === undefined) throw new FsError('Eunknownuser', `there is no user '${name}'`);
    return { act: () => view.giveTo(user, by) };
  },
  learn(view, how, by) {
    if (how !== '' && how !== 'allow' && how !== 'deny' && how !== 'off') {
      throw new FsError('Ebadctl', 'write learn, learn deny or learn off');
    }
    return { act: () => view.learn(how === 'off' ? undefined : how !== 'deny', by) };
  },
  freeze(view, rest, by) {
    mustBeAll('freeze', rest);
    return { act: () => view.freeze(by) };
  },
  remove(view, rest, by) {
    mustBeAll('remove', rest);
    return { act: () => view.end(by) };
  },
  netdir(view, dir) {
    if (!/^\/\S*$/.test(dir)) {
      throw new FsError('Ebadctl', 'write netdir and an absolute path without blanks');
    }
    return { act: () => (view.netdir = dir.replace(/(?<=.)\/+$/, '')) };
  },
};

/** Behind these nothing more can be done. */
const LAST: readonly string[] = ['freeze', 'remove'];

function mustBeAll(verb: string, rest: string): void {
  if (rest !== '') throw new FsError('Ebadctl', `write ${verb} alone`);
}

/** What a line of a zone says; a bare destination is one to connect to. */
function soundLine(text: string): string {
  const line = parseLine(/^\S*!\S*$/.test(text) ? `connect ${text}` : text);
  if (line === undefined) throw new FsError('Ebadctl', 'write a line of a zone, such as tcp!example.com!443');
  return `${line.text}\n`;
}

function understood(view: View, line: string, by: Changer, isLast: boolean): Wish {
  const [verb = ''] = line.split(/\s/, 1);
  if (!Object.hasOwn(VERBS, verb)) {
    throw new FsError('Ebadctl', `'${verb}'; there are: ${Object.keys(VERBS).join(', ')}`);
  }
  if (view.authority.frozen && verb !== 'remove') throw new FsError('Eperm', 'the view is frozen');
  if (LAST.includes(verb) && !isLast) throw new FsError('Ebadctl', `nothing can follow ${verb}`);
  return VERBS[verb]!(view, line.slice(verb.length).trim(), by);
}
