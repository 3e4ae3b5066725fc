/** This machine's network as its kernel has it: links, addresses, routes, neighbours. rtnetlink(7) */
import { readFileSync } from 'node:fs';
import { sameIp, type Ip } from '../netfs/address.ts';
import { costly } from '../netfs/costly.ts';
import type {
  HostFacts,
  Interface,
  InterfaceAddress,
  Membership,
  Neighbour,
  Route,
} from '../netfs/hostfacts.ts';
import { hostGroups } from './multicast.ts';
import { ask, Changes, dump } from './netlink.ts';
import {
  addressQuestion,
  AF,
  decodeAddress,
  decodeLink,
  decodeNeighbour,
  decodeRoutes,
  linkQuestion,
  neighbourQuestion,
  RTM,
  RTMGRP,
  routeQuestion,
  type Link,
  type Traffic,
} from './rtmessages.ts';

/** More than a host has that is no router. */
const MANY_ROUTES = 4096;

/** Lifetimes of addresses are told in seconds. */
const SECOND_MS = 1000;

class KernelFacts implements HostFacts {
  private changes: Changes | undefined;
  /** What was found last, and until when that is true unless the kernel tells of a change. */
  private found: readonly Interface[] = [];
  private goodUntil = -Infinity;

  interfaces(): readonly Interface[] {
    // Heard first, then asked: a change in between is heard the next time.
    this.changes ??= new Changes(RTMGRP.LINK | RTMGRP.IPV4_IFADDR | RTMGRP.IPV6_IFADDR);
    const changed = this.changes.some();
    if (!changed && performance.now() < this.goodUntil) return this.found;
    this.goodUntil = -Infinity;
    this.found = readInterfaces();
    const ages = this.found.some(({ addresses }) => addresses.some(address => address.validFor !== Infinity));
    this.goodUntil = ages ? performance.now() + SECOND_MS : Infinity;
    return this.found;
  }

  private readonly allRoutes = costly(readRoutes, ({ length }) => length >= MANY_ROUTES);

  routes(): readonly Route[] {
    return this.allRoutes();
  }

  neighbours(): readonly Neighbour[] {
    return [AF.INET, AF.INET6].flatMap(family =>
      dump(RTM.GETNEIGH, neighbourQuestion(family)).flatMap(body => decodeNeighbour(body) ?? []),
    );
  }

  groups(): readonly Membership[] {
    return hostGroups();
  }
}

export const hostFacts: HostFacts = new KernelFacts();

function readRoutes(): Route[] {
  return [AF.INET, AF.INET6].flatMap(family =>
    dump(RTM.GETROUTE, routeQuestion(family)).flatMap(decodeRoutes),
  );
}

function readInterfaces(): Interface[] {
  const links = dump(RTM.GETLINK, linkQuestion()).flatMap(body => decodeLink(body) ?? []);
  const addresses = new Map<number, InterfaceAddress[]>();
  for (const { index, address } of readAddresses()) {
    const there = addresses.get(index);
    if (there === undefined) addresses.set(index, [address]);
    else there.push(address);
  }
  links.sort((a, b) => a.index - b.index);
  return links.map(link => new KernelInterface(link, addresses.get(link.index) ?? []));
}

/** IPv4 before IPv6, and on each interface in the kernel's order. */
function readAddresses(): { index: number; address: InterfaceAddress }[] {
  return dump(RTM.GETADDR, addressQuestion()).flatMap(body => decodeAddress(body) ?? []);
}

/** What changes with every packet is asked for when it is read. */
class KernelInterface implements Interface {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  readonly loopback: boolean;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly addresses: readonly InterfaceAddress[];

  constructor(link: Link, addresses: readonly InterfaceAddress[]) {
    this.index = link.index;
    this.name = link.name;
    this.up = link.up;
    this.loopback = link.loopback;
    this.mac = link.mac;
    this.mtu = link.mtu;
    this.addresses = addresses;
  }

  get packetsIn(): number {
    return this.traffic.packetsIn;
  }

  get packetsOut(): number {
    return this.traffic.packetsOut;
  }

  get errorsIn(): number {
    return this.traffic.errorsIn;
  }

  get errorsOut(): number {
    return this.traffic.errorsOut;
  }

  private get traffic(): Traffic {
    const body = ask(RTM.GETLINK, linkQuestion(this.index));
    return (body && decodeLink(body)?.traffic) ?? NO_TRAFFIC;
  }

  get speed(): number {
    try {
      // -1 where nobody knows; an error where there is nobody to ask.
      return Math.max(0, Number(readFileSync(`/sys/class/net/${this.name}/speed`, 'latin1')) || 0);
    } catch {
      return 0;
    }
  }
}

const NO_TRAFFIC: Traffic = { packetsIn: 0, packetsOut: 0, errorsIn: 0, errorsOut: 0 };

/**
 * The index of the interface that holds this local address; the first of them, where a link-local one is
 * on several.
 */
export function interfaceIndexOf(ip: Ip): number | undefined {
  return hostFacts.interfaces().find(({ addresses }) => addresses.some(held => sameIp(held.ip, ip)))?.index;
}
