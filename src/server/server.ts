/** A slashnet server: one tree, its doors, the sessions that came in by them. */
import { abortable, type Signal } from '../abort.ts';
import { hostname } from 'node:os';
import type { Duplex } from 'node:stream';
import { hostDialer } from '../host/dialer.ts';
import { hostTcpStats } from '../host/stats.ts';
import { hostUsers } from '../host/users.ts';
import { silent, type Log } from '../log.ts';
import { isUnspecified, sameIp, type Endpoint as Address } from '../netfs/address.ts';
import { ConnectionServer } from '../netfs/cs.ts';
import type { Dialer } from '../netfs/dialer.ts';
import { FsError } from '../netfs/error.ts';
import type { HostFacts } from '../netfs/hostfacts.ts';
import { Mount } from '../netfs/mount.ts';
import { Names, resolverOf } from '../netfs/names.ts';
import { NdbFile } from '../netfs/ndb/file.ts';
import { hostEntry, type ResolverSettings } from '../netfs/ndb/prefill.ts';
import type { DirNode, Node } from '../netfs/node.ts';
import { ProtocolDir } from '../netfs/protodir.ts';
import { Protocol } from '../netfs/protocol.ts';
import { DIRECTORIES, qidPath, ROOT_FILES } from '../netfs/qid.ts';
import { QueryFile } from '../netfs/query.ts';
import type { Resolver } from '../netfs/resolver.ts';
import { RootDir } from '../netfs/root.ts';
import { TcpConversation, type TcpCounters } from '../netfs/tcp.ts';
import { NOBODY, type Caller, type Peer, type Users } from '../policy/identity.ts';
import { Authority } from '../policy/permissions.ts';
import { Locks } from './9p/locks.ts';
import { DEFAULT_LIMITS, Session, type Direct, type Limits } from './9p/session.ts';
import { fuseDoor } from './fuse/door.ts';
import type { MountOptions } from './fuse/mount.ts';
import { FuseSession } from './fuse/session.ts';
import type { Door, OnClient } from './transport/door.ts';

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
  readonly dialer?: Dialer;
  /** Finds names that ndb does not have; the dialer's way by default. */
  readonly resolver?: Resolver;
  readonly facts?: HostFacts;
  /** The resolvers and domains with which ndb begins. */
  readonly resolverSettings?: ResolverSettings;
  /** What the answers of cs begin with: where clients see this tree. */
  readonly netdir?: string;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** Enough for a busy machine; a conversation at rest takes a few kilobytes. */
export const DEFAULT_CONVERSATIONS = 16384;

/** Of a machine without a network, until somebody tells. */
const NO_FACTS: HostFacts = { interfaces: () => [], routes: () => [], neighbours: () => [] };

export class Server {
  readonly owner: Caller;
  readonly users: Users;
  readonly dialer: Dialer;
  readonly mount: Mount;
  readonly tcp: Protocol;
  readonly names: Names;
  private ndb!: NdbFile;
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
    this.users = options.users ?? hostUsers();
    this.owner = options.owner ?? currentUser(this.users);
    const now = options.now ?? Date.now;
    const seconds = (): number => Math.floor(now() / 1000);
    const authority = new Authority(this.owner);
    this.names = new Names({
      authority,
      database: () => this.ndb.database,
      resolver: options.resolver ?? resolverOf(this.dialer),
    });
    this.tcp = this.tcpProtocol(seconds);
    const root = new RootDir(authority, seconds(), dir => this.files(dir, authority, seconds));
    this.mount = new Mount(root, authority);
  }

  /** Directories first, then files. */
  private files(dir: DirNode, authority: Authority, now: () => number): Node[] {
    const {
      facts = NO_FACTS,
      resolverSettings = { servers: [], search: [] },
      netdir = '/net',
    } = this.options;
    this.ndb = new NdbFile(
      dir,
      { path: qidPath(DIRECTORIES.root, undefined, ROOT_FILES.ndb), authority, now },
      hostEntry(hostname(), facts, resolverSettings),
    );
    const cs = new ConnectionServer({
      netdir,
      authority,
      names: this.names,
      database: () => this.ndb.database,
      facts,
    });
    const csFile = new QueryFile(
      dir,
      'cs',
      { path: qidPath(DIRECTORIES.root, undefined, ROOT_FILES.cs), since: now(), authority },
      (question, req) => cs.ask(question, req),
      () => ConnectionServer.busy(),
    );
    return [new ProtocolDir(dir, this.tcp, authority), csFile, this.ndb];
  }

  private tcpProtocol(now: () => number): Protocol {
    const counters: TcpCounters = { activeOpens: 0, passiveOpens: 0 };
    const limit = this.options.conversations ?? DEFAULT_CONVERSATIONS;
    const tcp = {
      dialer: this.dialer,
      lookup: (name: string, caller: Caller, signal: Signal) => this.names.lookup(name, caller, signal),
      isOwnListener: (at: Address) => this.isOwnDoor(at),
      counters,
    };
    return new Protocol({
      name: 'tcp',
      index: DIRECTORIES.tcp,
      owner: this.owner,
      limit,
      now,
      make: (number, owner, keeper) => new TcpConversation(number, owner, keeper, tcp),
      stats: () => hostTcpStats(limit, counters),
    });
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
      locks: this.locks,
      log: this.log,
      limits: this.options.limits ?? DEFAULT_LIMITS,
      trace: trace && (line => trace(`${id} ${line}`)),
      direct,
    });
    return this.keep(session);
  }

  /** Serves a FUSE mount; `fd` is its /dev/fuse and the session's from now on. */
  serveFuse(fd: number): FuseSession {
    const id = ++this.lastSession;
    const { trace } = this.options;
    const session = new FuseSession(fd, {
      mount: this.mount,
      users: this.users,
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
    return this.addDoor(() => fuseDoor(dir, options, fd => this.serveFuse(fd)));
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
