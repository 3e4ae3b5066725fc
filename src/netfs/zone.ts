/**
 * /net/zone: a file of it says where one may go, its x bits who may. A zone begins with 0700, whatever it
 * is created with: one without any x forbids.
 */
import { EditHandle, cut, type Document } from './editing.ts';
import { FsError } from './error.ts';
import { DirHandle, permissionChange, statOf } from './file.ts';
import { countLines } from './lines.ts';
import { QTDIR, QTFILE } from './node.ts';
import type { Child, DirNode, Handle, Node, OpenMode, Qid, Req, Stat, StatChange } from './node.ts';
import { DIRECTORIES, MOST_SLOTS, type Qids } from './qid.ts';
import { sameCaller } from '../policy/identity.ts';
import type { Judge } from '../policy/judge.ts';
import { parseZone, type Line } from '../policy/lines.ts';
import type { Quota } from '../policy/quota.ts';
import type { Authority, Changer, Permissions } from '../policy/permissions.ts';
import type { Zone } from '../policy/rules.ts';

/** Bytes of one zone; 100,000 lines are a fifth of it. */
const LIMIT = 16 * 1024 * 1024;
/** Zones of one directory. */
export const MOST_ZONES = 4096;
/** Bytes of the texts that one user edits at a time, in all views. */
export const EDITED = 64 * 1024 * 1024;

const NEW = 0o700;

const NEWLINE = 0x0a;

export interface ZonesOptions {
  readonly qids: Qids;
  readonly authority: Authority;
  readonly judge: Judge<ZoneFile>;
  /** Seconds since the epoch. */
  readonly now: () => number;
  /** What the texts that are being edited take. */
  readonly editing: Quota;
  /** Takes room for so many more bytes of zones (fewer, where negative); false where there is none. */
  takeRoom(bytes: number): boolean;
  /** What may be decided otherwise from now on: who did what to which zone. */
  changed(what: string, zone: ZoneFile, by: Changer | undefined): void;
  /** Why somebody could not change a zone. */
  refused(reason: string, zone: ZoneFile, by: Changer): void;
}

export class ZoneDir implements DirNode {
  readonly changing = true;
  readonly parent: DirNode;
  readonly qid: Qid;
  readonly permissions: Permissions;
  readonly options: ZonesOptions;
  private readonly since: number;
  private readonly zones = new Map<string, ZoneFile>();
  private lastSerial = -1;

  constructor(parent: DirNode, options: ZonesOptions) {
    const { qids, authority, now } = options;
    this.parent = parent;
    this.options = options;
    this.qid = { type: QTDIR, vers: 0, path: qids.path(DIRECTORIES.zone, undefined, 0) };
    this.permissions = authority.file(0o755);
    this.since = now();
  }

  stat(): Stat {
    return statOf(this, 'zone', this.since);
  }

  open(): Handle {
    return new DirHandle(this);
  }

  wstat(change: StatChange, req: Req): void {
    if (change.name !== undefined || change.length !== undefined) throw new FsError('Eperm');
    this.options.authority.change(req, this.permissions, permissionChange(change, 0o777));
  }

  walk(name: string): ZoneFile | undefined {
    return this.zones.get(name);
  }

  *children(_req: Req, from: number): Iterable<Child> {
    // One that was renamed stands behind the others in the map.
    const zones = [...this.zones.values()].filter(({ serial }) => serial >= from);
    for (const zone of zones.sort((a, b) => a.serial - b.serial)) yield { node: zone, position: zone.serial };
  }

  create(name: string, kind: 'file' | 'directory', req: Req): ZoneFile {
    this.options.authority.checkGovernance(req);
    if (this.zones.has(name)) throw new FsError('Eexist', name);
    if (kind === 'directory') throw new FsError('Eperm', 'a zone is a file');
    const zone = this.add(name, { owner: req.caller, gid: req.caller.gid, mode: NEW });
    this.options.changed('create', zone, req);
    return zone;
  }

  /** For who needs not ask: with the lines with which it begins, of which nobody is told. */
  add(name: string, permissions: Permissions, lines = ''): ZoneFile {
    if (this.zones.size >= MOST_ZONES) throw new FsError('Enodev', `there are ${MOST_ZONES} zones`);
    const zone = new ZoneFile(this, name, permissions, this.freeSerial());
    zone.begin(Buffer.from(lines));
    this.zones.set(name, zone);
    return zone;
  }

  /** Numbers come again after millions of zones, but never that of one that is there. */
  private freeSerial(): number {
    const isTaken = (serial: number): boolean =>
      [...this.zones.values()].some(zone => zone.serial === serial);
    do this.lastSerial = (this.lastSerial + 1) % MOST_SLOTS;
    while (isTaken(this.lastSerial));
    return this.lastSerial;
  }

  remove(name: string, req: Req): void {
    this.options.authority.checkGovernance(req);
    const zone = this.zones.get(name);
    if (zone === undefined) throw new FsError('Enonexist', name);
    this.mayLose(zone, req);
    this.drop(zone);
    this.options.changed('remove', zone, req);
  }

  /** What closes to somebody is not his to take away: without it a less specific line might let him pass. */
  private mayLose(zone: ZoneFile, by: Req): void {
    if (zone.mayOpen(by)) return;
    throw zone.refused(
      new FsError('Eperm', `zone ${zone.name} is closed to ${by.caller.name}, who may not take it away`),
      by,
    );
  }

  /** All of them, at the end of a view. */
  clear(): void {
    for (const zone of this.zones.values()) zone.gone();
    this.zones.clear();
  }

  /** For who needs not ask; nobody is told. */
  drop(zone: ZoneFile): void {
    this.zones.delete(zone.name);
    zone.gone();
  }

  get size(): number {
    return this.zones.size;
  }

  rename(name: string, to: DirNode, newName: string, replace: boolean, req: Req): void {
    this.options.authority.checkGovernance(req);
    const zone = this.zones.get(name);
    if (zone === undefined) throw new FsError('Enonexist', name);
    if (to !== this) throw new FsError('Eperm', 'a zone stays in its directory');
    const before = this.zones.get(newName);
    if (before === zone) return;
    if (before !== undefined && !replace) throw new FsError('Eexist', newName);
    if (before !== undefined) this.mayLose(before, req);
    if (isLeftover(newName)) this.mayLose(zone, req);
    zone.beNamed(newName, req);
    before?.gone();
    this.zones.delete(name);
    this.zones.set(newName, zone);
    this.options.changed('rename', zone, req);
  }
}

/** Names that editors leave behind are no zones: `.x.swp`, `x~`, `#x#`. */
const isLeftover = (name: string): boolean => /^\.|~$|^#.*#$/s.test(name);

export class ZoneFile implements Node, Document, Zone {
  readonly parent: ZoneDir;
  readonly permissions: Permissions;
  readonly limit = LIMIT;
  readonly serial: number;
  name: string;
  content: Buffer = Buffer.alloc(0);
  version = 0;
  private lines: readonly Line[] = [];
  private removed = false;
  private touched: number;
  /** The last text that was judged, and what it says. */
  private judged: { readonly text: Buffer; readonly lines: readonly Line[] } | undefined;

  constructor(parent: ZoneDir, name: string, permissions: Permissions, serial: number) {
    this.parent = parent;
    this.name = name;
    this.permissions = permissions;
    this.serial = serial;
    this.touched = parent.options.now();
  }

  get qid(): Qid {
    const path = this.parent.options.qids.path(DIRECTORIES.zone, this.serial, 0);
    return { type: QTFILE, vers: this.version, path };
  }

  get editing(): Quota {
    return this.parent.options.editing;
  }

  get isVeto(): boolean {
    return (this.permissions.mode & 0o111) === 0;
  }

  stat(): Stat {
    return { ...statOf(this, this.name, this.touched), length: this.content.length };
  }

  open(mode: OpenMode, req: Req): Handle {
    if (mode.write || mode.truncate) this.parent.options.authority.checkGovernance(req);
    return new EditHandle(this, this, mode, req);
  }

  wstat(change: StatChange, req: Req): void {
    const { authority } = this.parent.options;
    if (change.length !== undefined) authority.checkGovernance(req);
    const shorter = change.length === undefined ? undefined : cut(this.content, change.length);
    if (shorter !== undefined) this.mustBecome(shorter, req);
    const permissions = permissionChange(change, 0o777);
    this.mayForbid(permissions.mode, req);
    authority.change(req, this.permissions, permissions);
    if (shorter !== undefined && shorter.length < this.content.length) this.commit(shorter, req);
    if (Object.keys(permissions).length > 0) this.parent.options.changed('chmod', this, req);
  }

  /** Only who passes everywhere may forbid to everybody. */
  private mayForbid(mode: number | undefined, { privileged }: Req): void {
    if (mode === undefined || (mode & 0o111) !== 0 || this.isVeto || privileged === true) return;
    throw new FsError('Enotowner', 'a zone without any x forbids to everybody: keep one, or remove the zone');
  }

  // ---- what EditHandle asks -----------------------------------------------------------------------

  room(text: Buffer): number {
    return text.length;
  }

  judge(text: Buffer, editor: Changer): void {
    // The view may have been frozen since the file was opened.
    this.parent.options.authority.checkGovernance(editor);
    if (isLeftover(this.name)) return;
    // What is left of the lines that are there need not be read again; for a few it is not worth looking.
    const lines = parseZone(text, text.length > 4096 ? this.lines : undefined);
    this.mayWrite(lines, editor);
    this.judged = { text, lines };
  }

  /** Whether he passes, or could let himself pass. */
  mayOpen({ caller, privileged }: Changer): boolean {
    if (privileged === true || sameCaller(caller, this.permissions.owner)) return true;
    return !this.isVeto && this.parent.options.judge.passes(caller, this);
  }

  /** Who does not pass everywhere writes no line that he could not pass himself. */
  private mayWrite(lines: readonly Line[], { caller, privileged }: Changer): void {
    if (privileged === true) return;
    const there = new Set(this.lines.map(line => line.text));
    const added = lines.filter(line => !there.has(line.text));
    const wrong = this.parent.options.judge.firstNew(added, caller);
    if (wrong === undefined) return;
    throw new FsError(
      'Eperm',
      `line ${wrong.number}: ${caller.name} may write only what he may do: ${wrong.text}`,
    );
  }

  /** What `judge` says of the whole text, and that no line is lost that is not this editor's to take away. */
  judgeAll(text: Buffer, editor: Changer): void {
    this.judge(text, editor);
    if (this.removed || isLeftover(this.name) || this.mayOpen(editor)) return;
    const left = new Set(this.judged!.lines.map(line => line.text));
    const lost = this.lines.find(line => !left.has(line.text));
    if (lost === undefined) return;
    throw new FsError(
      'Eperm',
      `zone ${this.name} is closed to ${editor.caller.name}, who may take no line away from it`,
    );
  }

  /** The same, and its refusal is told. */
  private mustBecome(text: Buffer, editor: Changer): void {
    try {
      this.judgeAll(text, editor);
    } catch (error) {
      throw this.refused(error, editor);
    }
  }

  /** A refusal goes into the log: what close(2) fails with most programs do not look at. */
  refused<E>(error: E, by: Changer): E {
    if (error instanceof FsError) this.parent.options.refused(error.detail ?? error.message, this, by);
    return error;
  }

  commit(text: Buffer, by?: Changer): void {
    // Who writes to a file that is gone writes to nothing.
    if (this.removed) return;
    this.put(text);
    this.parent.options.changed('write', this, by);
  }

  private put(text: Buffer): void {
    if (!this.parent.options.takeRoom(text.length - this.content.length)) {
      throw new FsError('Enofids', 'the zones of your views take too much room');
    }
    this.begin(text);
    this.version++;
    this.touched = this.parent.options.now();
  }

  begin(text: Buffer): void {
    this.content = text;
    this.lines = this.judged?.text === text ? this.judged.lines : this.parsed(text);
    this.judged = undefined;
    this.bringIntoForce();
  }

  private parsed(text: Buffer): readonly Line[] {
    return isLeftover(this.name) ? [] : parseZone(text, this.lines);
  }

  private bringIntoForce(): void {
    const { rules } = this.parent.options.judge;
    if (isLeftover(this.name) || this.removed) rules.delete(this);
    else rules.set(this, this.lines);
  }

  // ---- what its directory does with it ------------------------------------------------------------

  /** What was not judged under the old name is judged now. */
  beNamed(name: string, editor: Changer): void {
    const before = this.name;
    this.name = name;
    try {
      if (isLeftover(before)) this.judge(this.content, editor);
      this.lines = this.parsed(this.content);
    } catch (error) {
      this.name = before;
      throw this.refused(error, editor);
    }
    this.bringIntoForce();
  }

  gone(): void {
    this.removed = true;
    this.parent.options.takeRoom(-this.content.length);
    this.parent.options.judge.rules.delete(this);
  }

  /** Whole lines put behind those that are there, by who needs not ask. */
  append(lines: string, by?: Changer): void {
    // Its last line may have no end.
    const end = this.content.length === 0 || this.content.at(-1) === NEWLINE ? '' : '\n';
    const added = Buffer.from(`${end}${lines}`);
    const text = Buffer.concat([this.content, added]);
    // What is there is not read again: a view is told its lines one by one, and there may be many.
    const before = countLines(this.content);
    const behind = parseZone(added).map(line => ({ ...line, number: before + line.number }));
    this.judged = { text, lines: [...this.lines, ...behind] };
    this.commit(text, by);
  }

  /** For who needs not ask: other lines in place of what is there, of which nobody is told. */
  replace(lines: string): void {
    this.put(Buffer.from(lines));
  }
}
