/** What the messages of rtnetlink(7) say. Anything that does not hold together says nothing. */
import type { Ip } from '../netfs/address.ts';
import type { InterfaceAddress, Neighbour, Route } from '../netfs/hostfacts.ts';
import { decodeAttributes, text, u32, u64, type Attributes } from './netlinkmessages.ts';

export const RTM = { GETLINK: 18, GETADDR: 22, GETROUTE: 26, GETNEIGH: 30 } as const;

/** Groups whose members hear of changes. */
export const RTMGRP = { LINK: 0x1, IPV4_IFADDR: 0x10, IPV6_IFADDR: 0x100 } as const;

export const AF = { UNSPEC: 0, INET: 2, INET6: 10 } as const;

/** The fixed parts: struct ifinfomsg, ifaddrmsg, rtmsg, ndmsg, rtnexthop. */
const IFINFOMSG = 16;
const IFADDRMSG = 8;
const RTMSG = 12;
const NDMSG = 12;
const RTNEXTHOP = 8;

/** An address of a family by its number, of exactly its length. */
function ip(family: number, bytes: Buffer | undefined): Ip | undefined {
  if (family === AF.INET && bytes?.length === 4) return { family: 4, bytes: Uint8Array.from(bytes) };
  if (family === AF.INET6 && bytes?.length === 16) return { family: 6, bytes: Uint8Array.from(bytes) };
  return undefined;
}

const bitsOf = (family: number): number => (family === AF.INET ? 32 : 128);

// ---- links ----------------------------------------------------------------------------------------

const IFLA = { ADDRESS: 1, IFNAME: 3, MTU: 4, STATS64: 23 } as const;

/** if.h */
const IFF_UP = 0x1;
const IFF_LOOPBACK = 0x8;
const IFF_RUNNING = 0x40;

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  readonly loopback: boolean;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly traffic: Traffic;
}

/** Packets and errors since the interface was made. */
export interface Traffic {
  readonly packetsIn: number;
  readonly packetsOut: number;
  readonly errorsIn: number;
  readonly errorsOut: number;
}

/** Asks for all links, or for the one of an index. */
export function linkQuestion(index = 0): Buffer {
  const body = Buffer.alloc(IFINFOMSG);
  body.writeInt32LE(index, 4);
  return body;
}

export function decodeLink(body: Buffer): Link | undefined {
  if (body.length < IFINFOMSG) return undefined;
  const index = body.readInt32LE(4);
  const flags = body.readUInt32LE(8);
  const attributes = decodeAttributes(body, IFINFOMSG);
  const name = text(attributes.get(IFLA.IFNAME));
  if (name === undefined || name === '' || index < 1) return undefined;
  const loopback = (flags & IFF_LOOPBACK) !== 0;
  return {
    index,
    name,
    up: (flags & IFF_UP) !== 0 && (flags & IFF_RUNNING) !== 0,
    loopback,
    mac: loopback ? new Uint8Array() : Uint8Array.from(attributes.get(IFLA.ADDRESS) ?? []),
    mtu: u32(attributes.get(IFLA.MTU)) ?? 0,
    traffic: decodeTraffic(attributes.get(IFLA.STATS64)),
  };
}

/** struct rtnl_link_stats64 */
function decodeTraffic(stats: Buffer | undefined): Traffic {
  return {
    packetsIn: u64(stats, 0) ?? 0,
    packetsOut: u64(stats, 8) ?? 0,
    errorsIn: u64(stats, 32) ?? 0,
    errorsOut: u64(stats, 40) ?? 0,
  };
}

// ---- addresses ------------------------------------------------------------------------------------

const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, CACHEINFO: 6 } as const;

/** Seconds that mean for ever: INFINITY_LIFE_TIME (addrconf.h). */
const FOR_EVER = 0xffffffff;

export function addressQuestion(): Buffer {
  return Buffer.alloc(IFADDRMSG);
}

export function decodeAddress(body: Buffer): { index: number; address: InterfaceAddress } | undefined {
  if (body.length < IFADDRMSG) return undefined;
  const family = body[0]!;
  const prefix = body[1]!;
  const attributes = decodeAttributes(body, IFADDRMSG);
  // IFA_ADDRESS is the other end where there is one, and IFA_LOCAL then our own (if_addr.h).
  const there = ip(family, attributes.get(IFA.ADDRESS));
  const here = ip(family, attributes.get(IFA.LOCAL)) ?? there;
  if (here === undefined || prefix > bitsOf(family)) return undefined;
  const lifetimes = attributes.get(IFA.CACHEINFO);
  const address = {
    ip: here,
    prefix,
    broadcast: ip(family, attributes.get(IFA.BROADCAST)),
    peer: there !== undefined && !Buffer.from(there.bytes).equals(here.bytes) ? there : undefined,
    preferredFor: seconds(u32(lifetimes, 0)),
    validFor: seconds(u32(lifetimes, 4)),
  };
  return { index: body.readUInt32LE(4), address };
}

const seconds = (n: number | undefined): number => (n === undefined || n === FOR_EVER ? Infinity : n);

// ---- routes ---------------------------------------------------------------------------------------

const RTA = {
  DST: 1,
  SRC: 2,
  OIF: 4,
  GATEWAY: 5,
  PRIORITY: 6,
  MULTIPATH: 9,
  TABLE: 15,
  VIA: 18,
} as const;

/** RT_TABLE_DEFAULT, MAIN and LOCAL: those that every packet is looked up in. */
const TABLES: readonly number[] = [253, 254, 255];

/** A copy for one destination, made from another route. */
const RTM_F_CLONED = 0x200;

/** By rtm_type: RTN_* of rtnetlink.h. */
const KINDS: readonly (Route['kind'] | undefined)[] = [
  undefined,
  'unicast',
  'local',
  'broadcast',
  'local', // anycast: an address of this machine and of others
  'multicast',
  'refused', // blackhole
  'refused', // unreachable
  'refused', // prohibit
  'refused', // throw
];

export function routeQuestion(family: number): Buffer {
  const body = Buffer.alloc(RTMSG);
  body[0] = family;
  return body;
}

/** A route for each of its next hops; none for those of other tables. */
export function decodeRoutes(body: Buffer): Route[] {
  if (body.length < RTMSG) return [];
  const [family, prefix, sourcePrefix] = [body[0]!, body[1]!, body[2]!];
  const kind = KINDS[body[7]!];
  const attributes = decodeAttributes(body, RTMSG);
  const table = u32(attributes.get(RTA.TABLE)) ?? body[4]!;
  const cloned = (body.readUInt32LE(8) & RTM_F_CLONED) !== 0;
  if (kind === undefined || cloned || !TABLES.includes(table)) return [];
  const target = networkOf(family, prefix, attributes.get(RTA.DST));
  if (target === undefined) return [];
  const source = sourcePrefix > 0 ? networkOf(family, sourcePrefix, attributes.get(RTA.SRC)) : undefined;
  const route = {
    target,
    prefix,
    kind,
    metric: u32(attributes.get(RTA.PRIORITY)) ?? 0,
    ...(source && { source: { ip: source, prefix: sourcePrefix } }),
  };
  if (kind === 'refused') return [{ ...route, gateway: undefined, interfaceIndex: 0 }];
  return hopsOf(family, attributes).map(hop => ({ ...route, ...hop }));
}

/** Without an address it is the network of all. */
function networkOf(family: number, prefix: number, address: Buffer | undefined): Ip | undefined {
  if (family !== AF.INET && family !== AF.INET6) return undefined;
  if (prefix > bitsOf(family)) return undefined;
  return ip(family, address ?? Buffer.alloc(bitsOf(family) / 8));
}

type Hop = Pick<Route, 'gateway' | 'interfaceIndex'>;

function hopsOf(family: number, attributes: Attributes): Hop[] {
  const several = attributes.get(RTA.MULTIPATH);
  if (several === undefined) return [hopOf(family, attributes, u32(attributes.get(RTA.OIF)) ?? 0)];
  const hops: Hop[] = [];
  for (let at = 0; at + RTNEXTHOP <= several.length;) {
    const length = several.readUInt16LE(at);
    if (length < RTNEXTHOP || at + length > several.length) break;
    const own = decodeAttributes(several.subarray(at, at + length), RTNEXTHOP);
    hops.push(hopOf(family, own, several.readUInt32LE(at + 4)));
    at += (length + 3) & ~3;
  }
  return hops;
}

function hopOf(family: number, attributes: Attributes, interfaceIndex: number): Hop {
  const gateway = ip(family, attributes.get(RTA.GATEWAY)) ?? viaOf(attributes.get(RTA.VIA));
  return { gateway, interfaceIndex };
}

/** struct rtvia: a gateway of the other family. */
function viaOf(via: Buffer | undefined): Ip | undefined {
  return via !== undefined && via.length > 2 ? ip(via.readUInt16LE(0), via.subarray(2)) : undefined;
}

// ---- neighbours -----------------------------------------------------------------------------------

const NDA = { DST: 1, LLADDR: 2 } as const;

/** By ndm_state: NUD_* of neighbour.h. Those without (none, noarp) were never asked for an address. */
const STATES: Readonly<Record<number, Neighbour['state']>> = {
  0x01: 'incomplete',
  0x02: 'reachable',
  0x04: 'stale',
  0x08: 'stale', // delay: used, and asked for soon
  0x10: 'stale', // probe: used, and being asked for
  0x20: 'failed',
  0x80: 'permanent',
};

export function neighbourQuestion(family: number): Buffer {
  const body = Buffer.alloc(NDMSG);
  body[0] = family;
  return body;
}

export function decodeNeighbour(body: Buffer): Neighbour | undefined {
  if (body.length < NDMSG) return undefined;
  const attributes = decodeAttributes(body, NDMSG);
  const address = ip(body[0]!, attributes.get(NDA.DST));
  const state = STATES[body.readUInt16LE(8)];
  if (address === undefined || state === undefined) return undefined;
  return {
    ip: address,
    mac: Uint8Array.from(attributes.get(NDA.LLADDR) ?? []),
    interfaceIndex: body.readInt32LE(4),
    state,
  };
}
