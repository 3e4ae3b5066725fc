/** The tree of /net, put together: which files there are, and what each is made from. */
import { hostname } from 'node:os';
import { hostFacts } from '../host/rtnetlink.ts';
import { hostIpStats, hostTcpStats, hostUdpStats } from '../host/stats.ts';
import type { Endpoint } from '../netfs/address.ts';
import { connectionServerFile } from '../netfs/cs.ts';
import { DialDir } from '../netfs/dial.ts';
import type { Dialer } from '../netfs/dialer.ts';
import { dnsFile } from '../netfs/dns.ts';
import { FsError } from '../netfs/error.ts';
import { explainFile } from '../netfs/explain.ts';
import { factFile } from '../netfs/facts.ts';
import type { HostFacts } from '../netfs/hostfacts.ts';
import { IpifcDir } from '../netfs/ipifc.ts';
import { LogFile } from '../netfs/log.ts';
import { Names } from '../netfs/names.ts';
import { Database } from '../netfs/ndb/database.ts';
import { NdbFile } from '../netfs/ndb/file.ts';
import { hostEntry, ownAddresses, type ResolverSettings } from '../netfs/ndb/prefill.ts';
import type { DirNode, Node } from '../netfs/node.ts';
import { ProtocolDir } from '../netfs/protodir.ts';
import { Protocol } from '../netfs/protocol.ts';
import { DIRECTORIES, MOST_ROOTS, ROOT_FILES } from '../netfs/qid.ts';
import { UNREAD } from '../netfs/query.ts';
import type { Resolver } from '../netfs/resolver.ts';
import { Room } from '../netfs/room.ts';
import { TcpConversation, type TcpCounters } from '../netfs/tcp.ts';
import { TextFile } from '../netfs/textfile.ts';
import { UdpConversation } from '../netfs/udp.ts';
import { OF_A_USER } from '../netfs/udpcalls.ts';
import type { UdpCounters } from '../netfs/udpcounters.ts';
import { EVERYTHING, View } from '../netfs/view.ts';
import { ViewCtl } from '../netfs/viewdir.ts';
import { EDITED, type ZoneFile } from '../netfs/zone.ts';
import { userOf, type Caller, type Users } from '../policy/identity.ts';
import { R, type Authority } from '../policy/permissions.ts';
import { Quota } from '../policy/quota.ts';

export interface TreeOptions {
  readonly authority: Authority;
  readonly users: Users;
  readonly dialer: Dialer;
  readonly resolver: Resolver;
  /** The name servers and domains with which ndb begins. */
  readonly resolverSettings: ResolverSettings;
  /** What the tree tells of the machine's network; the kernel's word by default. */
  readonly facts?: HostFacts | undefined;
  /** What the answers of cs begin with: where programs find the tree. /net by default. */
  readonly netdir?: string | undefined;
  /** The most conversations of one protocol, in all views together. */
  readonly conversations: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Whether the server itself listens there: it never dials its own doors. */
  isOwnListener(at: Endpoint): Promise<boolean>;
}

/** What the zone is called with which a server begins that was told nothing. */
export const ALL = 'all';

const NOTHING = new Database([]);

/** Views that one user has, and bytes of zones in them. */
const VIEWS = 256;
const ZONE_BYTES = 8 * 1024 * 1024;

type ProtocolName = 'tcp' | 'udp';

/** What of a view's protocols is the view's own. */
interface Protocols {
  readonly tcp: Protocol;
  readonly udp: Protocol;
}

export class NetTree {
  /** The server's own /net. */
  readonly net: View;
  private readonly options: TreeOptions;
  private readonly facts: HostFacts;
  private readonly names: Names;
  private readonly roots = new Set<number>();
  private lastRoot = -1;
  private readonly room: Readonly<Record<ProtocolName, Room>>;
  private readonly kept = new Quota(OF_A_USER);
  private readonly dirs = new WeakMap<View, ReadonlyMap<ProtocolName, ProtocolDir>>();
  private readonly protocols = new WeakMap<View, Protocols>();
  private ndb!: NdbFile;

  constructor(options: TreeOptions) {
    this.options = options;
    const { authority, resolver, users, conversations, now, facts = hostFacts, netdir = '/net' } = options;
    this.facts = facts;
    this.names = new Names({ database: () => this.ndb.database, resolver });
    this.room = { tcp: new Room(conversations, authority), udp: new Room(conversations, authority) };
    this.net = new View(
      {
        now,
        netdir,
        names: this.names,
        groupName: gid => users.groupName(gid),
        userByName: name => userCalled(name, users),
        ownAddresses: () => ownAddresses(facts).map(({ ip }) => ip),
        takeRoot: () => this.takeRoot(),
        giveRoot: number => void this.roots.delete(number),
        views: new Quota(VIEWS),
        zoneBytes: new Quota(ZONE_BYTES),
        editing: new Quota(EDITED),
        unread: new Quota(UNREAD),
        furnish: view => this.furnish(view),
      },
      authority,
    );
    this.ndb = new NdbFile(
      this.net.root,
      { authority, now: () => this.seconds, qids: this.net.qids },
      hostEntry(hostname(), facts, options.resolverSettings),
    );
  }

  private get seconds(): number {
    return Math.floor(this.options.now() / 1000);
  }

  /** What a server is that was told nothing: everything is allowed to who may use clone, cs and dns. */
  allowEverything(): ZoneFile {
    const { authority } = this.options;
    return this.net.zones.add(ALL, authority.file(0o755), EVERYTHING);
  }

  get tcp(): Protocol {
    return this.protocols.get(this.net)!.tcp;
  }

  get udp(): Protocol {
    return this.protocols.get(this.net)!.udp;
  }

  /** Qids are given again after a million roots, but never those of one that is there. */
  private takeRoot(): number {
    do this.lastRoot = (this.lastRoot + 1) % MOST_ROOTS;
    while (this.roots.has(this.lastRoot));
    this.roots.add(this.lastRoot);
    return this.lastRoot;
  }

  // ---- the files of a /net --------------------------------------------------------------------------

  private furnish(view: View): ReturnType<View['surroundings']['furnish']> {
    const protocols = { tcp: this.tcpProtocol(view), udp: this.udpProtocol(view) };
    this.protocols.set(view, protocols);
    return {
      protocols: Object.values(protocols),
      files: root => this.files(view, root),
    };
  }

  /** In the order in which they are listed: directories, then files. */
  private files(view: View, root: DirNode): Node[] {
    const { authority, qids, since, lookups } = view;
    const { facts } = this;
    const netdir = (): string => view.netdir;
    const { unread } = view.surroundings;
    const { owner } = this.options.authority;
    const about = { facts, owner, since, qids };
    const [tcp, udp] = [this.dirOf(view, 'tcp'), this.dirOf(view, 'udp')];
    const byName = new Map(Object.entries({ tcp, net: tcp, udp }));
    // What somebody may not read himself, cs does not read to him, unless he may ask for any name.
    const database = (caller: Caller): Database =>
      this.mayReadNdb(view, caller) || lookups.mayAsk(caller) ? this.ndb.database : NOTHING;
    const isOwnListener = (at: Endpoint): Promise<boolean> => this.options.isOwnListener(at);
    return [
      tcp,
      udp,
      new IpifcDir(root, { ...about, netdir, stats: hostIpStats }),
      new DialDir(root, byName, { authority, since, qids }),
      view.zones,
      view.views,
      factFile(root, 'arp', about),
      connectionServerFile(root, since, { netdir, authority, lookups, database, facts, qids, unread }),
      dnsFile(root, { since, authority, qids, unread }, lookups),
      explainFile(root, since, { view, protocols: byName, isOwnListener }),
      factFile(root, 'iproute', about),
      factFile(root, 'ipselftab', about),
      new LogFile(root, view.journal, { path: this.rootPath(view, 'log'), authority, since }),
      ...(view.above === undefined ? [this.ndb] : this.filesOfView(view, root)),
    ];
  }

  /** In a view those may who could if they were whoever made the outermost: it is the same database. */
  private mayReadNdb({ payer }: View, caller: Caller): boolean {
    return this.options.authority.allows(payer ?? caller, this.ndb.permissions, R);
  }

  /** ndb is the server's own, and only read; the others only a view has. */
  private filesOfView(view: View, root: DirNode): Node[] {
    const { since, user } = view;
    const { ndb } = this;
    const text = (
      name: 'ndb' | 'status' | 'learned',
      make: () => string | Buffer,
      length?: () => number,
    ): TextFile =>
      new TextFile(root, name, { path: this.rootPath(view, name), owner: user, since }, make, length);
    return [
      text(
        'ndb',
        () => {
          if (!this.mayReadNdb(view, user)) throw new FsError('Eperm', `${view.maker.name} may not read ndb`);
          return ndb.content;
        },
        () => ndb.content.length,
      ),
      new ViewCtl(root, view),
      text('learned', () => view.learned),
      text('status', () => view.status),
    ];
  }

  private rootPath({ qids }: View, name: keyof typeof ROOT_FILES): number {
    return qids.path(DIRECTORIES.root, undefined, ROOT_FILES[name]);
  }

  // ---- protocols --------------------------------------------------------------------------------------

  private dirOf(view: View, name: ProtocolName): ProtocolDir {
    const known = this.dirs.get(view)?.get(name);
    if (known !== undefined) return known;
    const { above, maker, authority } = view;
    const protocol = this.protocols.get(view)![name];
    const dir = new ProtocolDir(
      view.root,
      protocol,
      authority,
      above && { dir: this.dirOf(above, name), maker },
    );
    this.dirs.set(view, new Map([...(this.dirs.get(view) ?? []), [name, dir]]));
    return dir;
  }

  private tcpProtocol(view: View): Protocol {
    const { dialer, conversations } = this.options;
    const counters: TcpCounters = { activeOpens: 0, passiveOpens: 0 };
    const isOwnListener = (at: Endpoint): Promise<boolean> => this.options.isOwnListener(at);
    return this.protocol(view, 'tcp', {
      make: (number, owner, keeper) =>
        new TcpConversation(number, owner, keeper, {
          dialer,
          gate: view.gate,
          lookups: view.lookups,
          isOwnListener,
          counters,
        }),
      stats: () => hostTcpStats(conversations, counters),
    });
  }

  private udpProtocol(view: View): Protocol {
    const counters: UdpCounters = { datagramsIn: 0, datagramsOut: 0, drops: 0 };
    const { dialer } = this.options;
    const { kept } = this;
    return this.protocol(view, 'udp', {
      make: (number, owner, keeper) =>
        new UdpConversation(number, owner, keeper, {
          dialer,
          gate: view.gate,
          lookups: view.lookups,
          counters,
          kept,
        }),
      stats: () => hostUdpStats(counters),
    });
  }

  private protocol(
    view: View,
    name: ProtocolName,
    its: Pick<Protocol['options'], 'make' | 'stats'>,
  ): Protocol {
    const { conversations: limit } = this.options;
    return new Protocol({
      name,
      index: DIRECTORIES[name],
      qids: view.qids,
      authority: view.authority,
      gate: view.gate,
      limit,
      room: this.room[name],
      payer: () => view.payer,
      now: () => this.seconds,
      ...its,
    });
  }
}

/** A user by his name, or by his number, who need not be in the database. */
const userCalled = (name: string, users: Users): Caller | undefined =>
  users.byName(name) ??
  (/^(0|[1-9]\d{0,9})$/.test(name) && Number(name) < 2 ** 32 - 1 ? userOf(Number(name), users) : undefined);
