/** The tree of /net, put together: which files there are, and what each is made from. */
import { hostname } from 'node:os';
import { hostFacts } from '../host/rtnetlink.ts';
import { hostIpStats, hostTcpStats, hostUdpStats } from '../host/stats.ts';
import type { Endpoint } from '../netfs/address.ts';
import { connectionServerFile } from '../netfs/cs.ts';
import { DialDir } from '../netfs/dial.ts';
import type { Dialer } from '../netfs/dialer.ts';
import { dnsFile } from '../netfs/dns.ts';
import { factFile } from '../netfs/facts.ts';
import type { HostFacts } from '../netfs/hostfacts.ts';
import { IpifcDir } from '../netfs/ipifc.ts';
import { Names } from '../netfs/names.ts';
import { Database } from '../netfs/ndb/database.ts';
import { NdbFile } from '../netfs/ndb/file.ts';
import { hostEntry, type ResolverSettings } from '../netfs/ndb/prefill.ts';
import type { DirNode, Node } from '../netfs/node.ts';
import { ProtocolDir } from '../netfs/protodir.ts';
import { Protocol } from '../netfs/protocol.ts';
import { DIRECTORIES } from '../netfs/qid.ts';
import type { Resolver } from '../netfs/resolver.ts';
import { RootDir } from '../netfs/root.ts';
import { TcpConversation, type TcpCounters } from '../netfs/tcp.ts';
import { UdpConversation } from '../netfs/udp.ts';
import { OF_A_USER } from '../netfs/udpcalls.ts';
import type { UdpCounters } from '../netfs/udpcounters.ts';
import type { Caller } from '../policy/identity.ts';
import { R, type Authority } from '../policy/permissions.ts';
import { Quota } from '../policy/quota.ts';

export interface TreeOptions {
  readonly authority: Authority;
  readonly dialer: Dialer;
  readonly resolver: Resolver;
  /** The name servers and domains with which ndb begins. */
  readonly resolverSettings: ResolverSettings;
  /** What the tree tells of the machine's network; the kernel's word by default. */
  readonly facts?: HostFacts | undefined;
  /** What the answers of cs begin with: where programs find the tree. /net by default. */
  readonly netdir?: string | undefined;
  /** The most conversations of one protocol. */
  readonly conversations: number;
  /** Seconds since the epoch. */
  readonly now: () => number;
  /** Whether the server itself listens there: it never dials its own doors. */
  isOwnListener(at: Endpoint): Promise<boolean>;
}

const NOTHING = new Database([]);

export class NetTree {
  readonly root: RootDir;
  readonly names: Names;
  readonly tcp: Protocol;
  readonly udp: Protocol;
  private readonly options: TreeOptions;
  private ndb!: NdbFile;

  constructor(options: TreeOptions) {
    this.options = options;
    const { authority, resolver, now } = options;
    this.names = new Names({ authority, database: () => this.ndb.database, resolver });
    this.tcp = this.tcpProtocol();
    this.udp = this.udpProtocol();
    this.root = new RootDir(authority, now(), root => this.files(root));
  }

  /** In the order in which they are listed: directories, then files. */
  private files(root: DirNode): Node[] {
    const { authority, now, facts = hostFacts, netdir = '/net', resolverSettings } = this.options;
    const since = now();
    const about = { facts, owner: authority.owner, since };
    const asked = { since, authority };
    const tcp = new ProtocolDir(root, this.tcp, authority);
    const udp = new ProtocolDir(root, this.udp, authority);
    const dns = dnsFile(root, asked, this.names);
    this.names.file = dns;
    this.ndb = new NdbFile(root, { authority, now }, hostEntry(hostname(), facts, resolverSettings));
    // What somebody may not read himself, cs does not read to him, unless he may ask for any name.
    const database = (caller: Caller): Database =>
      authority.allows(caller, this.ndb.permissions, R) || this.names.mayAsk(caller)
        ? this.ndb.database
        : NOTHING;
    return [
      tcp,
      udp,
      new IpifcDir(root, { ...about, netdir: () => netdir, stats: hostIpStats }),
      new DialDir(root, new Map(Object.entries({ tcp, net: tcp, udp })), authority, since),
      factFile(root, 'arp', about),
      connectionServerFile(root, since, { netdir, authority, names: this.names, database, facts }),
      dns,
      factFile(root, 'iproute', about),
      factFile(root, 'ipselftab', about),
      this.ndb,
    ];
  }

  private tcpProtocol(): Protocol {
    const { dialer, conversations } = this.options;
    const counters: TcpCounters = { activeOpens: 0, passiveOpens: 0 };
    const tcp = {
      dialer,
      names: this.names,
      isOwnListener: (at: Endpoint) => this.options.isOwnListener(at),
      counters,
    };
    return this.protocol('tcp', {
      make: (number, owner, keeper) => new TcpConversation(number, owner, keeper, tcp),
      stats: () => hostTcpStats(conversations, counters),
    });
  }

  private udpProtocol(): Protocol {
    const counters: UdpCounters = { datagramsIn: 0, datagramsOut: 0, drops: 0 };
    const { dialer } = this.options;
    const udp = { dialer, names: this.names, counters, kept: new Quota(OF_A_USER) };
    return this.protocol('udp', {
      make: (number, owner, keeper) => new UdpConversation(number, owner, keeper, udp),
      stats: () => hostUdpStats(counters),
    });
  }

  private protocol(name: 'tcp' | 'udp', its: Pick<Protocol['options'], 'make' | 'stats'>): Protocol {
    const { authority, conversations: limit, now } = this.options;
    return new Protocol({ name, index: DIRECTORIES[name], owner: authority.owner, limit, now, ...its });
  }
}
