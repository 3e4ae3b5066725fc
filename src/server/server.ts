/** A slashnet server: one tree, its doors, the sessions that came in by them. */
import { abortable, type Signal } from '../abort.ts';
import type { Duplex } from 'node:stream';
import { hostDialer } from '../host/dialer.ts';
import { HostResolver } from '../host/dns/resolver.ts';
import type { NameServer } from '../host/dns/resolvconf.ts';
import { hostUsers } from '../host/users.ts';
import { silent, type Log } from '../log.ts';
import { isUnspecified, sameIp, type Endpoint as Address } from '../netfs/address.ts';
import type { Dialer } from '../netfs/dialer.ts';
import { FsError } from '../netfs/error.ts';
import type { HostFacts } from '../netfs/hostfacts.ts';
import { Mount } from '../netfs/mount.ts';
import type { ResolverSettings } from '../netfs/ndb/prefill.ts';
import type { Protocol } from '../netfs/protocol.ts';
import type { View } from '../netfs/view.ts';
import type { Resolver } from '../netfs/resolver.ts';
import { NOBODY, type Caller, type Peer, type TrustedUsers, type Users } from '../policy/identity.ts';
import { Memberships, upToDate } from '../policy/membership.ts';
import { Authority } from '../policy/permissions.ts';
import { Locks } from './9p/locks.ts';
import { DEFAULT_LIMITS, Session, type Direct, type Limits } from './9p/session.ts';
import type { Ids } from './fuse/callers.ts';
import { fuseDoor } from './fuse/door.ts';
import type { MountOptions } from './fuse/mount.ts';
import { FuseSession } from './fuse/session.ts';
import type { Door, OnClient } from './transport/door.ts';
import { Policing } from './policing.ts';
import { NetTree } from './tree.ts';

export interface ServerOptions {
  /** Who owns the tree; the user that runs this process by default. */
  readonly owner?: Caller;
  /** The most conversations of one protocol. */
  readonly conversations?: number;
  readonly limits?: Limits;
  readonly log?: Log;
  /** Called with each 9P message as a line, behind the number of its session. */
  readonly trace?: ((line: string) => void) | undefined;
  readonly users?: Users;
  /** Whom clients of a trusted TCP network may claim to be, before the user database is asked; by default those of the policy. */
  readonly trustedUsers?: () => TrustedUsers;
  /** Called by `refreshGroups` when somebody's groups are others than before. */
  readonly onGroupsChanged?: () => void;
  /** Name servers to ask in place of the host's. */
  readonly nameServers?: readonly NameServer[] | undefined;
  /** Finds names that ndb does not have; the host's way by default. */
  readonly resolver?: Resolver;
  /** The name servers and domains with which ndb begins. */
  readonly resolverSettings?: ResolverSettings;
  readonly dialer?: Dialer;
  /** What the tree tells of the machine's network. */
  readonly facts?: HostFacts;
  /** Where programs find the tree, for the answers of cs: /net by default. */
  readonly netdir?: string;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** Makes a tree that is served in place of /net. */
  readonly tree?: (authority: Authority) => Mount;
}

/** Enough for a busy machine; a conversation at rest takes a few kilobytes. */
export const DEFAULT_CONVERSATIONS = 16384;

export class Server {
  readonly owner: Caller;
  /** Those it gives have the groups of the last refresh. */
  readonly users: Users;
  readonly memberships: Memberships;
  readonly dialer: Dialer;
  /** The server's own /net, and the views in it. */
  readonly net: View;
  /** Brings a policy file's word into force; without any there is a zone `all` that allows everything. */
  readonly policy: Policing;
  readonly mount: Mount;
  /** The same for doors that do not tell inside from outside. */
  readonly sharedMount: Mount;
  readonly tcp: Protocol;
  readonly udp: Protocol;
  readonly sessions = new Set<Session | FuseSession>();
  readonly locks = new Locks();
  private readonly options: ServerOptions;
  private readonly log: Log;
  private readonly doors = new Set<Door>();
  private lastSession = 0;

  constructor(options: ServerOptions = {}) {
    this.options = options;
    this.log = options.log ?? silent;
    this.dialer = options.dialer ?? hostDialer;
    const users = options.users ?? hostUsers();
    this.memberships = new Memberships(users);
    this.users = upToDate(users, this.memberships);
    this.owner = options.owner ?? currentUser(users);
    const now = options.now ?? Date.now;
    const host = new HostResolver({ servers: options.nameServers });
    const authority = new Authority(this.owner, { memberships: this.memberships });
    const tree = new NetTree({
      authority,
      users: this.users,
      dialer: this.dialer,
      resolver: options.resolver ?? host,
      resolverSettings: options.resolverSettings ?? host.settings(),
      facts: options.facts,
      netdir: options.netdir,
      conversations: options.conversations ?? DEFAULT_CONVERSATIONS,
      now,
      isOwnListener: at => this.isOwnDoor(at),
    });
    this.tcp = tree.tcp;
    this.udp = tree.udp;
    this.net = tree.net;
    this.policy = new Policing({ net: tree.net, users: this.users, open: tree.allowEverything() });
    const other = options.tree?.(authority);
    this.mount = other ?? new Mount(tree.net.root, authority);
    this.sharedMount = other ?? new Mount(tree.net.root, authority, { shared: true });
  }

  // ---- doors and sessions -----------------------------------------------------------------------

  /** Serves one client over any stream. */
  serve(stream: Duplex, peer: Peer, direct?: Direct): Session {
    const id = ++this.lastSession;
    const { trace } = this.options;
    const session = new Session(stream, {
      mount: this.mount,
      users: this.users,
      peer,
      trustedUsers: this.options.trustedUsers ?? (() => this.policy.trusted),
      locks: this.locks,
      log: this.log,
      limits: this.options.limits ?? DEFAULT_LIMITS,
      trace: trace && (line => trace(`${id} ${line}`)),
      direct,
    });
    return this.keep(session);
  }

  /** Serves a FUSE mount; `fd` is its /dev/fuse and the session's from now on, `ids` what its ids mean here. */
  serveFuse(fd: number, ids: Ids = 'ours'): FuseSession {
    const id = ++this.lastSession;
    const { trace } = this.options;
    const session = new FuseSession(fd, {
      mount: this.sharedMount,
      users: this.users,
      ids,
      log: this.log,
      trace: trace && (line => trace(`${id} ${line}`)),
    });
    return this.keep(session);
  }

  private keep<S extends Session | FuseSession>(session: S): S {
    this.sessions.add(session);
    void session.ended.then(() => this.sessions.delete(session));
    return session;
  }

  /** Opens a door with `open`, which calls back for each client. */
  async addDoor(open: (onClient: OnClient) => Door | Promise<Door>): Promise<Door> {
    const door = await open((stream, peer, direct) => void this.serve(stream, peer, direct));
    this.doors.add(door);
    void door.closed.then(() => this.doors.delete(door));
    return door;
  }

  /** Mounts the tree on a directory by FUSE, until the door is closed or somebody unmounts it. */
  addMount(dir: string, options: MountOptions): Promise<Door> {
    return this.addDoor(() => fuseDoor(dir, options, (fd, ids) => this.serveFuse(fd, ids)));
  }

  /**
   * Whether an address is one where this server listens. A door on every address is behind each of this
   * machine's own; which those are only the kernel knows (of interfaces that are down, of local routes),
   * and it says so by letting one be bound.
   */
  private async isOwnDoor({ ip, port }: Address): Promise<boolean> {
    const there = [...this.doors].flatMap(({ address }) => (address?.port === port ? [address.ip] : []));
    if (there.some(door => sameIp(ip, door))) return true;
    if (!there.some(isUnspecified)) return false;
    return this.dialer.probe({ ip, port: 0 }).then(
      () => true,
      (error: unknown) => !(error instanceof FsError && error.name === 'Enotlocal'),
    );
  }

  // ---- who is who over time -------------------------------------------------------------------------

  /** Reads the groups of users again: what was taken away counts no more, whatever a process carries. */
  refreshGroups(): void {
    if (!this.memberships.refresh()) return;
    this.log.info({}, 'groups have changed');
    this.net.gate.reconsider();
    this.options.onGroupsChanged?.();
  }

  // ---- the end ----------------------------------------------------------------------------------

  /**
   * Takes no more clients, finishes what can be finished, closes every session and door and waits until
   * the conversations have sent what they had; `signal` says when to wait no longer.
   */
  async drain(signal: Signal): Promise<void> {
    const closed = Promise.all([...this.doors].map(door => door.closed));
    for (const door of this.doors) door.close();
    await Promise.all([...this.sessions].map(session => session.drain(signal)));
    await abortable(closed, signal).catch(() => {});
    await this.tcp.idle(signal);
  }

  /** Ends at once. */
  close(): void {
    for (const door of this.doors) door.close();
    for (const session of this.sessions) session.close();
  }
}

function currentUser(users: Users): Caller {
  const uid = process.getuid!();
  return (
    users.byId(uid) ?? {
      name: String(uid),
      uid,
      gid: process.getgid?.() ?? NOBODY,
      groups: process.getgroups?.() ?? [],
    }
  );
}
