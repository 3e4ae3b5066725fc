/** Facts of a machine that is not there. */
import assert from 'node:assert/strict';
import { parseIp, type Ip } from '../../src/netfs/address.ts';
import type { HostFacts, Interface, InterfaceAddress, Route } from '../../src/netfs/hostfacts.ts';

export const ip = (text: string): Ip => parseIp(text) ?? assert.fail(text);

/** `192.0.2.7/24` */
export function net(text: string): { ip: Ip; prefix: number } {
  const [address = '', prefix = ''] = text.split('/');
  return { ip: ip(address), prefix: Number(prefix) };
}

export function address(text: string, more: Partial<InterfaceAddress> = {}): InterfaceAddress {
  const unset = { broadcast: undefined, peer: undefined, validFor: Infinity, preferredFor: Infinity };
  return { ...unset, ...net(text), ...more };
}

export function ifc(index: number, name: string, more: Partial<Interface> = {}): Interface {
  return {
    index,
    name,
    up: true,
    loopback: false,
    mac: Uint8Array.of(2, 0, 0, 0, 0, index),
    mtu: 1500,
    addresses: [],
    packetsIn: 0,
    packetsOut: 0,
    errorsIn: 0,
    errorsOut: 0,
    speed: 0,
    ...more,
  };
}

export const lo = (...addresses: string[]): Interface =>
  ifc(1, 'lo', {
    loopback: true,
    mac: new Uint8Array(),
    mtu: 65536,
    addresses: addresses.map(text => address(text)),
  });

export function route(target: string, more: Partial<Route> = {}): Route {
  const { ip: network, prefix } = net(target);
  return {
    target: network,
    prefix,
    gateway: undefined,
    kind: 'unicast',
    interfaceIndex: 2,
    metric: 0,
    ...more,
  };
}

/** A machine whose facts a test changes. */
export class Machine implements HostFacts {
  all: readonly Interface[] = [];
  known: readonly Route[] = [];
  near: ReturnType<HostFacts['neighbours']> = [];
  joined: ReturnType<HostFacts['groups']> = [];
  asked = 0;

  interfaces(): readonly Interface[] {
    this.asked++;
    return this.all;
  }

  routes(): readonly Route[] {
    this.asked++;
    return this.known;
  }

  neighbours(): ReturnType<HostFacts['neighbours']> {
    return this.near;
  }

  groups(): ReturnType<HostFacts['groups']> {
    return this.joined;
  }
}
