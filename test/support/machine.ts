/** A machine's network, made up. */
import { isLoopback, parseIp, type Ip } from '../../src/netfs/address.ts';
import type { HostFacts, Interface, InterfaceAddress, Route } from '../../src/netfs/hostfacts.ts';

export const ip = (text: string): Ip => {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
};

/** Interfaces by their addresses, `192.0.2.7/24`, in order; default routes by their gateways. */
export function facts(
  interfaces: readonly (readonly string[])[],
  gateways: readonly string[] = [],
): HostFacts {
  const all = interfaces.map((addresses, i) => anInterface(i + 1, addresses.map(address)));
  return {
    interfaces: () => all,
    routes: () => gateways.map(defaultRoute),
    neighbours: () => [],
    groups: () => [],
  };
}

function address(text: string): InterfaceAddress {
  const [host, prefix] = text.split('/');
  const forEver = { broadcast: undefined, peer: undefined, validFor: Infinity, preferredFor: Infinity };
  return { ip: ip(host!), prefix: Number(prefix), ...forEver };
}

function anInterface(index: number, addresses: readonly InterfaceAddress[]): Interface {
  return {
    index,
    name: `eth${index}`,
    up: true,
    loopback: addresses.some(each => isLoopback(each.ip)),
    mac: new Uint8Array(6),
    mtu: 1500,
    addresses,
    packetsIn: 0,
    packetsOut: 0,
    errorsIn: 0,
    errorsOut: 0,
    speed: 0,
  };
}

function defaultRoute(gateway: string): Route {
  const to = ip(gateway);
  const target = ip(to.family === 4 ? '0.0.0.0' : '::');
  return { target, prefix: 0, gateway: to, kind: 'unicast', interfaceIndex: 1, metric: 0 };
}
