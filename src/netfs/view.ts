/**
 * A /net: the server's own, or one within another, a view. A view has zones, conversations, a log and views
 * of its own, and can do nothing that its maker could not do around it when it was made. It lives as long as
 * somebody has its ctl open, or, once it has a name, until it is removed.
 */
import type { Ip } from './address.ts';
import { FsError } from './error.ts';
import { Gate } from './gate.ts';
import { Given, OF_A_VIEW } from './given.ts';
import { Journal } from './log.ts';
import { Lookups } from './lookups.ts';
import type { Names } from './names.ts';
import type { DirNode, Node, StatChange } from './node.ts';
import type { Protocol } from './protocol.ts';
import { Qids } from './qid.ts';
import type { Realm } from './realm.ts';
import { RootDir } from './root.ts';
import { ViewDir } from './viewdir.ts';
import { ZoneDir, type ZoneFile } from './zone.ts';
import type { Caller } from '../policy/identity.ts';
import { Judge } from '../policy/judge.ts';
import { Learner } from '../policy/learner.ts';
import { Authority, type Changer } from '../policy/permissions.ts';
import type { Quota } from '../policy/quota.ts';

/** What all of a server's have in common. */
export interface Surroundings {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** What sentences and answers begin with: where programs find the tree. */
  readonly netdir: string;
  readonly names: Names;
  groupName(gid: number): string;
  ownAddresses(): readonly Ip[];
  userByName(name: string): Caller | undefined;
  /** The number of a new root for qids; given back when it has ended. */
  takeRoot(): number;
  giveRoot(number: number): void;
  /** Views that a user has, and bytes of zones in them. */
  readonly views: Quota;
  readonly zoneBytes: Quota;
  /** What each user's edits of zones take, and answers that he has not read. */
  readonly editing: Quota;
  readonly unread: Quota;
  /** Its files, in the order in which they are listed, and its protocols. */
  furnish(view: View): { readonly protocols: readonly Protocol[]; files(root: DirNode): readonly Node[] };
}

/** Views within views. */
const DEEPEST = 16;

/** Bytes of a view's log. */
const KEPT = 64 * 1024;

/** What everything is allowed by: by name, and special address space by address. */
export const EVERYTHING = `connect *!*!*
connect *!0.0.0.0/0!*
connect *!::/0!*
announce *!*!*
accept *!*!*
resolve *
`;

/** Where ctl puts its lines. Who is inside passes all of the first, whoever he is. */
const ALLOWED = { name: 'allowed', mode: 0o755 };
const DENIED = { name: 'denied', mode: 0o444 };

export class View implements Realm {
  readonly surroundings: Surroundings;
  readonly above: View | undefined;
  readonly number: number;
  readonly maker: Caller;
  readonly authority: Authority;
  readonly qids: Qids;
  readonly journal: Journal;
  readonly judge: Judge<ZoneFile>;
  readonly gate: Gate;
  readonly lookups: Lookups;
  readonly protocols: readonly Protocol[];
  readonly root: RootDir;
  readonly zones: ZoneDir;
  readonly views: ViewDir;
  /** Where those inside have it, for the answers of cs. */
  netdir: string;
  /** By which it is listed instead of its number, and kept. */
  name: string | undefined;
  alive = true;
  private readonly rootNumber: number;
  /** Seconds since the epoch. */
  readonly since: number;
  private holders = 0;
  private learner: Learner | undefined;

  /** The server's own has no `above`; of a view `maker` is who made it. */
  constructor(
    surroundings: Surroundings,
    authority: Authority,
    above?: { view: View; number: number; maker: Caller },
  ) {
    const { now, names } = surroundings;
    this.surroundings = surroundings;
    this.above = above?.view;
    this.number = above?.number ?? 0;
    this.maker = above?.maker ?? authority.owner;
    this.authority = authority;
    this.netdir = above === undefined ? surroundings.netdir : '/net';
    this.since = this.seconds;
    this.rootNumber = surroundings.takeRoot();
    this.qids = new Qids(this.rootNumber);
    this.journal = new Journal({
      now,
      ...(above && { bytes: KEPT, above: { journal: above.view.journal, view: String(above.number) } }),
    });
    this.judge = new Judge(authority, this.place, above && { judge: above.view.judge, maker: above.maker });
    this.gate = new Gate({
      ...surroundings,
      judge: this.judge,
      given: new Given(now, above && OF_A_VIEW),
      journal: this.journal,
      above: above?.view.gate,
    });
    this.lookups = new Lookups({
      authority,
      names,
      gate: this.gate,
      above: above && { lookups: above.view.lookups, maker: above.maker },
    });
    const { protocols, files } = surroundings.furnish(this);
    this.protocols = protocols;
    this.root = new RootDir(this.rootOptions(above?.view), files);
    this.views = new ViewDir(this.root, this);
    this.zones = new ZoneDir(this.root, this.zoneOptions());
  }

  private get seconds(): number {
    return Math.floor(this.surroundings.now() / 1000);
  }

  private rootOptions(around: View | undefined): ConstructorParameters<typeof RootDir>[0] {
    const { qids, authority, since } = this;
    const permissions = authority.file(around === undefined ? 0o555 : 0o700);
    const common = { qids, permissions, since, realm: this };
    return around === undefined
      ? common
      : { ...common, place: { parent: around.views, name: () => this.label } };
  }

  private zoneOptions(): ConstructorParameters<typeof ZoneDir>[1] {
    const { qids, authority, judge } = this;
    return {
      qids,
      authority,
      judge,
      editing: this.surroundings.editing,
      now: () => this.seconds,
      takeRoom: bytes => this.takeZoneRoom(bytes),
      changed: (what, zone, by) => this.zoneChanged(what, zone, by),
      refused: (reason, zone, { caller }) =>
        this.journal.write({
          ...this.gate.who(caller),
          verb: 'zone',
          zone: zone.name,
          verdict: 'refused',
          reason,
        }),
    };
  }

  /** As it is listed. */
  get label(): string {
    return this.name ?? String(this.number);
  }

  /** `view/3`; `view/3/view/0` */
  get place(): string {
    if (this.above === undefined) return '';
    return `${this.above.place === '' ? '' : `${this.above.place}/`}view/${this.number}`;
  }

  /** As those in the /net around it find it. */
  private get placeAbove(): string {
    return `view/${this.number}`;
  }

  get user(): Caller {
    return this.authority.owner;
  }

  get depth(): number {
    return this.above === undefined ? 0 : this.above.depth + 1;
  }

  /** On whose account it is, and all that is in it: who made the outermost. */
  get payer(): Caller | undefined {
    return this.above === undefined ? undefined : (this.above.payer ?? this.maker);
  }

  /** What the server's own holds is on nobody's account. */
  private takeZoneRoom(bytes: number): boolean {
    const { payer } = this;
    const { zoneBytes } = this.surroundings;
    if (payer === undefined) return true;
    if (bytes > 0) return zoneBytes.take(payer, bytes);
    zoneBytes.give(payer, -bytes);
    return true;
  }

  private zoneChanged(what: string, zone: ZoneFile, by: Changer | undefined): void {
    const mode = zone.permissions.mode.toString(8).padStart(4, '0');
    const who = by === undefined ? {} : this.gate.who(by.caller);
    this.journal.write({ ...who, verb: 'zone', what, zone: zone.name, mode, version: zone.version });
    this.gate.reconsider();
  }

  changed(node: Node, { mode, owner, gid }: StatChange, { caller }: Changer): void {
    // Of zones it is told already.
    if (node.parent === this.zones) return;
    const group = gid === undefined ? undefined : this.surroundings.groupName(gid);
    const bits = mode === undefined ? undefined : (mode & 0o777).toString(8).padStart(4, '0');
    const dest = pathOf(node, this.root);
    this.journal.write({
      ...this.gate.who(caller),
      verb: 'chmod',
      dest,
      mode: bits,
      owner: owner?.name,
      group,
    });
  }

  // ---- views in it --------------------------------------------------------------------------------

  /** A new view, of whatever he has here; nothing is allowed in it yet. */
  make(maker: Caller): View {
    const { surroundings } = this;
    if (this.depth >= DEEPEST) throw new FsError('Enodev', `views within views go ${DEEPEST} deep`);
    this.views.mustHaveRoom();
    if (!surroundings.views.take(this.payer ?? maker, 1))
      throw new FsError('Enodev', 'you have too many views');
    const own = asHeIs(maker);
    const number = this.views.takeNumber();
    const view = new View(
      surroundings,
      new Authority(own, { memberships: this.authority.memberships, governed: true }),
      {
        view: this,
        number,
        maker: own,
      },
    );
    this.views.add(view);
    this.journal.write({ ...this.gate.who(maker), verb: 'view', what: 'make', dest: view.placeAbove });
    return view;
  }

  // ---- its life -----------------------------------------------------------------------------------

  hold(): void {
    this.holders++;
  }

  release(): void {
    if (--this.holders === 0 && this.name === undefined) this.end();
  }

  /** Whatever it held is hung up, and its files are gone. `by` is who wanted it; otherwise nobody holds it any more. */
  end(by?: Changer): void {
    if (!this.alive || this.above === undefined) return;
    this.alive = false;
    for (const view of this.views.all) view.end();
    this.gate.close('the view has ended');
    for (const protocol of this.protocols) protocol.hangUp(new FsError('Ehungup', 'the view has ended'));
    this.zones.clear();
    this.journal.end();
    this.above.views.drop(this);
    const { surroundings, payer, maker } = this;
    surroundings.views.give(payer ?? maker, 1);
    surroundings.giveRoot(this.rootNumber);
    const who = by === undefined ? { user: maker.name } : this.gate.who(by.caller);
    this.above.journal.write({ ...who, verb: 'view', what: 'end', dest: this.placeAbove });
  }

  // ---- what is written to ctl -----------------------------------------------------------------------

  /** Whole lines for what is allowed and what is forbidden; all of them, or none where there is no room. */
  add(allowed: string, denied: string, by: Changer): void {
    const before = this.zones.walk(ALLOWED.name)?.content;
    this.addTo(ALLOWED, allowed, by);
    try {
      this.addTo(DENIED, denied, by);
    } catch (error) {
      if (allowed !== '') this.zones.walk(ALLOWED.name)!.replace(before?.toString() ?? '');
      throw error;
    }
  }

  private addTo({ name, mode }: typeof ALLOWED, lines: string, by: Changer): void {
    if (lines === '') return;
    const zone = this.zones.walk(name) ?? this.zones.add(name, this.authority.file(mode));
    zone.append(lines, by);
  }

  beNamed(name: string, by: Changer): void {
    this.name = name;
    this.tell({ what: 'name', name }, by);
  }

  /** Whom it is for from now on. */
  giveTo(user: Caller, by: Changer): void {
    this.authority.giveTo(user);
    this.tell({ what: 'user', owner: user.name }, by);
    this.gate.reconsider();
  }

  freeze(by: Changer): void {
    this.authority.frozen = true;
    this.tell({ what: 'freeze' }, by);
  }

  /** `allows`: whatever is asked, as far as its maker may. Undefined: no more. */
  learn(allows: boolean | undefined, by: Changer): void {
    if (allows === undefined) this.judge.learning = undefined;
    else this.judge.learning = { learner: (this.learner ??= new Learner()), allows };
    this.tell({ what: 'learn', mode: this.learning }, by);
    this.gate.reconsider();
  }

  private get learning(): 'off' | 'allow' | 'deny' {
    const { learning } = this.judge;
    return learning === undefined ? 'off' : learning.allows ? 'allow' : 'deny';
  }

  private tell(what: Record<string, string>, { caller }: Changer): void {
    this.journal.write({ ...this.gate.who(caller), verb: 'view', ...what });
  }

  get learned(): string {
    return this.learner?.text ?? '';
  }

  /** `Name: value` lines, for people and programs. */
  get status(): string {
    const counts = Object.fromEntries(this.protocols.map(({ name, inUse }) => [name, inUse]));
    const facts = {
      number: this.number,
      name: this.name ?? '',
      maker: this.maker.name,
      user: this.user.name,
      frozen: this.authority.frozen ? 'yes' : 'no',
      learn: this.learning,
      ...counts,
      views: this.views.all.length,
    };
    return Object.entries(facts)
      .map(([key, value]) => `${key}: ${value}\n`)
      .join('');
  }
}

/** `tcp/clone` */
function pathOf(node: Node, root: Node): string {
  if (node === root) return '.';
  const { name } = node.stat();
  return node.parent === root ? name : `${pathOf(node.parent, root)}/${name}`;
}

/** His credentials as they are now; who is gone later cannot tell his groups. */
function asHeIs(caller: Caller): Caller {
  if (caller.anonymous === true) return caller;
  const { name, uid, gid, groups, pid } = caller;
  return { name, uid, gid, groups, pid };
}
