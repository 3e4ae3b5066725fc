/** What the tree shows of the machine's own network. Each call asks the kernel anew. */
import type { Ip } from './address.ts';

export interface HostFacts {
  /** In the order of their indices. */
  interfaces(): readonly Interface[];
  routes(): readonly Route[];
  neighbours(): readonly Neighbour[];
}

export interface Interface {
  /** The kernel's number, from 1 on. */
  readonly index: number;
  readonly name: string;
  /** It is up and has a carrier. */
  readonly up: boolean;
  readonly loopback: boolean;
  /** Hardware address; empty where there is none. */
  readonly mac: Uint8Array;
  readonly mtu: number;
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
}

export interface Neighbour {
  readonly ip: Ip;
  readonly mac: Uint8Array;
  readonly interfaceIndex: number;
  readonly state: 'incomplete' | 'reachable' | 'stale' | 'failed' | 'permanent';
}
