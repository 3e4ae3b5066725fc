/**
 * A policy, brought into force in the tree of a server that runs. All of it in one synchronous step: nobody
 * finds a zone that opens without one that forbids. Then everybody who went through is judged again, once.
 */
import { isDir, type DirNode, type Node } from '../netfs/node.ts';
import { FsError } from '../netfs/error.ts';
import type { View } from '../netfs/view.ts';
import { MOST_ZONES, type ZoneFile } from '../netfs/zone.ts';
import {
  differences,
  errorText,
  type Difference,
  type FileSettings,
  type Policy,
  type PolicyError,
  type ZoneSettings,
} from '../policy/config/index.ts';
import { newOwner, NOBODY, type Caller, type TrustedUsers, type Users } from '../policy/identity.ts';
import type { Permissions } from '../policy/permissions.ts';

export interface PolicingOptions {
  /** The server's own /net. */
  readonly net: View;
  readonly users: Users;
  /** The zone that is there for as long as no policy has said which there are. */
  readonly open: ZoneFile;
}

export class Policing {
  /** Who clients of a trusted transport may be, by the names that they claim. */
  trusted: TrustedUsers = new Map();
  private readonly net: View;
  private readonly users: Users;
  private open: ZoneFile | undefined;
  private current: Policy | undefined;

  constructor({ net, users, open }: PolicingOptions) {
    this.net = net;
    this.users = users;
    this.open = open;
  }

  /**
   * Applies what a policy says otherwise than the last one; what is the same in both stays as it is by now.
   * `file` is where it stands, for the log. Returns what was done, in words. Throws Enodev, with nothing
   * done, where there would be too many zones.
   */
  apply(policy: Policy, file: string): readonly string[] {
    const changes = differences(this.current, policy);
    this.checkRoom(changes);
    const isFirst = this.current === undefined;
    this.current = policy;
    const done = [
      ...this.shut(policy),
      ...changes.flatMap(change => this.applyOne(change, policy, isFirst) ?? []),
    ];
    const [files, zones] = ['file', 'zone'].map(
      kind => changes.filter(change => change.kind.startsWith(kind)).length,
    );
    const what = done.length === 0 ? 'nothing new' : done.join(', ');
    this.net.journal.write({ verb: 'policy', dest: file, verdict: 'allowed', files, zones, what });
    if (done.length > 0) this.net.gate.reconsider();
    return done;
  }

  /** Says in the log that a policy is not applied, and why. */
  refuse(errors: readonly PolicyError[], file: string): void {
    const reason = errors[0] && errorText(errors[0]);
    this.net.journal.write({
      verb: 'policy',
      dest: file,
      verdict: 'refused',
      errors: errors.length,
      reason,
    });
  }

  private checkRoom(changes: readonly Difference[]): void {
    const { zones } = this.net;
    const has = (name: string): boolean => zones.walk(name) !== undefined;
    const added = changes.filter(change => change.kind === 'zone added' && !has(change.name)).length;
    const removed = changes.filter(change => change.kind === 'zone removed' && has(change.name)).length;
    if (zones.size + added - removed > MOST_ZONES) {
      throw new FsError('Enodev', `there would be more than ${MOST_ZONES} zones`);
    }
  }

  /** Once a policy says which zones there are, the one that allows everything is not among them. */
  private shut(policy: Policy): string[] {
    const { open } = this;
    if (open === undefined || policy.zones === undefined) return [];
    this.open = undefined;
    if (this.net.zones.walk(open.name) !== open) return [];
    this.net.zones.drop(open);
    return policy.zones.has(open.name) ? [] : [`zone ${open.name} removed`];
  }

  /** What was done, in words; undefined where it was nothing. */
  private applyOne(change: Difference, policy: Policy, isFirst: boolean): string | undefined {
    switch (change.kind) {
      case 'file':
        return this.applyFile(change.path, change.set);
      case 'zone removed':
        return this.removeZone(change.name);
      case 'zone added':
        return this.putZone(change.name, change.zone, 'added');
      case 'zone changed':
        return this.changeZone(change.name, change.set, policy);
      case 'users':
        this.trusted = this.trustedUsers(policy);
        return 'users changed';
      case 'log':
        return 'log changed';
      case 'listen':
      case 'mount':
        return isFirst ? undefined : `${change.kind} counts at the next start`;
    }
  }

  // ---- files and zones ----------------------------------------------------------------------------

  private applyFile(path: string, set: FileSettings): string {
    const node = this.at(path);
    // As chmod(2) of it: what is no directory is not executed.
    this.change(node.permissions, set, isDir(node) ? 0o777 : 0o666);
    return `${path} ${settingsText(set, this.users)}`;
  }

  /** Of those of a policy: they are there, and looking for them waits for nothing. */
  private at(path: string): Node {
    const req = { caller: this.net.authority.owner, signal: new AbortController().signal, privileged: true };
    return path
      .split('/')
      .reduce<Node>((dir, name) => (dir as DirNode).walk(name, req) as Node, this.net.root);
  }

  private removeZone(name: string): string | undefined {
    const zone = this.net.zones.walk(name);
    if (zone === undefined) return undefined;
    this.net.zones.drop(zone);
    return `zone ${name} removed`;
  }

  /** What has its name by now is another's, and gives way. */
  private putZone(name: string, zone: ZoneSettings, done: string): string {
    const { zones, authority } = this.net;
    const there = zones.walk(name);
    if (there !== undefined) zones.drop(there);
    const permissions = authority.file(zone.mode);
    this.change(permissions, zone, 0o777);
    zones.add(name, permissions, zone.lines);
    return `zone ${name} ${done}${there === undefined ? '' : ' in place of the one that was there'}`;
  }

  private changeZone(name: string, set: Partial<ZoneSettings>, policy: Policy): string {
    const zone = this.net.zones.walk(name);
    // It was removed meanwhile: what it says now is not to be lost.
    if (zone === undefined) return this.putZone(name, policy.zones!.get(name)!, 'added again');
    this.change(zone.permissions, set, 0o777);
    if (set.lines !== undefined) zone.replace(set.lines);
    return `zone ${name} ${settingsText(set, this.users)}`;
  }

  private change(file: Permissions, { mode, owner, group }: FileSettings, bits: number): void {
    if (mode !== undefined) file.mode = mode & bits;
    if (owner !== undefined) file.owner = newOwner(owner, this.users);
    if (group !== undefined) file.gid = group;
  }

  // ---- users --------------------------------------------------------------------------------------

  private trustedUsers({ users }: Policy): TrustedUsers {
    return new Map([...users].map(([claim, user]) => [claim, this.follow(claim, user)]));
  }

  /** He has the groups of the policy that is in force, however long he has been here. */
  private follow(claim: string, { name, uid }: Caller): Caller {
    const current = (): Caller | undefined => {
      const user = this.current?.users.get(claim);
      return user?.uid === uid ? user : undefined;
    };
    return {
      name,
      uid,
      get gid() {
        return current()?.gid ?? NOBODY;
      },
      get groups() {
        return current()?.groups ?? [];
      },
    };
  }
}

/** `mode 0660 group net` */
function settingsText({ mode, owner, group, lines }: Partial<ZoneSettings>, users: Users): string {
  const said = {
    mode: mode?.toString(8).padStart(4, '0'),
    owner: owner === undefined ? undefined : users.userName(owner),
    group: group === undefined ? undefined : users.groupName(group),
    lines: lines === undefined ? undefined : 'changed',
  };
  return Object.entries(said)
    .flatMap(([key, value]) => (value === undefined ? [] : [`${key} ${value}`]))
    .join(' ');
}
