/** What the tree shows of the machine's own network. */
import type { Ip } from './address.ts';

/**
 * What is told is so now, not when somebody asked before; but routes by the thousand may be a little old.
 * Errors of all: Eperm (the server may not ask the kernel, and so nobody knows), Eintr (the tables change
 * faster than they can be read), Etoobig, Eio.
 */
export interface HostFacts {
  /** In the order of their indices. As long as nothing changes but the traffic, it may be the same list. */
  interfaces(): readonly Interface[];
  /** Of the tables that every packet is looked up in; one for each next hop. IPv4 first. */
  routes(): readonly Route[];
  /** IPv4 first. */
  neighbours(): readonly Neighbour[];
  /** The multicast groups this machine has joined, and where. IPv4 first. */
  groups(): readonly Membership[];
}

export interface Interface {
  /** The kernel's number, from 1 on. */
  readonly index: number;
  readonly name: string;
  /** It is up and has a carrier. */
  readonly up: boolean;
  readonly loopback: boolean;
  /** Hardware address; empty where there is none, as of the loopback. */
  readonly mac: Uint8Array;
  readonly mtu: number;
  /** IPv4 first. */
  readonly addresses: readonly InterfaceAddress[];
  /** Packets and errors since the interface was made. */
  readonly packetsIn: number;
  readonly packetsOut: number;
  readonly errorsIn: number;
  readonly errorsOut: number;
  /** Megabits per second; 0 where nobody knows. */
  readonly speed: number;
}

export interface InterfaceAddress {
  readonly ip: Ip;
  /** Length of the network's prefix in bits: to 32 for IPv4, to 128 for IPv6. */
  readonly prefix: number;
  readonly broadcast: Ip | undefined;
  /** The other end of a point-to-point link. */
  readonly peer: Ip | undefined;
  /** Seconds from now; Infinity for ever. */
  readonly validFor: number;
  readonly preferredFor: number;
}

export interface Route {
  readonly target: Ip;
  readonly prefix: number;
  /** Undefined where the target is attached directly. */
  readonly gateway: Ip | undefined;
  readonly kind: 'unicast' | 'local' | 'broadcast' | 'multicast' | 'refused';
  /** Of its interface; 0 where it has none. */
  readonly interfaceIndex: number;
  readonly metric: number;
  /** Only for packets from this network. */
  readonly source?: { readonly ip: Ip; readonly prefix: number };
}

export interface Neighbour {
  readonly ip: Ip;
  readonly mac: Uint8Array;
  readonly interfaceIndex: number;
  readonly state: 'incomplete' | 'reachable' | 'stale' | 'failed' | 'permanent';
}

export interface Membership {
  readonly ip: Ip;
  readonly interfaceIndex: number;
}
