/** The text of `arp`: the hardware addresses of neighbours, of IPv6 too. ip(3); 9front's arp.c. */
import { anyOf, formatIp, type Ip } from './address.ts';
import { formatMac, leftCut } from './columns.ts';
import type { Interface, Neighbour } from './hostfacts.ts';

const ETHER_BYTES = 6;

/** A line for each: medium, state, address, hardware address, our own address there. */
export function formatNeighbours(neighbours: readonly Neighbour[], interfaces: readonly Interface[]): string {
  const byIndex = new Map(interfaces.map(one => [one.index, one]));
  return neighbours
    .filter(({ state }) => state !== 'failed')
    .map(neighbour => formatNeighbour(neighbour, byIndex.get(neighbour.interfaceIndex)))
    .join('');
}

function formatNeighbour({ ip, mac, state }: Neighbour, on: Interface | undefined): string {
  const ether = (on?.mac ?? mac).length === ETHER_BYTES;
  const columns = [
    leftCut(ether ? 'ether' : 'netdev', 6),
    leftCut(state === 'incomplete' ? 'WAIT' : 'OK', 4),
    leftCut(formatIp(ip), 40),
    leftCut(formatMac(mac), 16),
    formatIp(localFor(ip, on) ?? anyOf(ip.family)),
  ];
  return `${columns.join(' ')}\n`;
}

/** The address of ours that has the most bits in common with a neighbour's. */
function localFor(ip: Ip, on: Interface | undefined): Ip | undefined {
  let best: { ip: Ip; bits: number } | undefined;
  for (const { ip: own } of on?.addresses ?? []) {
    if (own.family !== ip.family) continue;
    const bits = commonBits(own.bytes, ip.bytes);
    if (best === undefined || bits > best.bits) best = { ip: own, bits };
  }
  return best?.ip;
}

function commonBits(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return at < 0 ? a.length * 8 : at * 8 + Math.clz32(a[at]! ^ b[at]!) - 24;
}
