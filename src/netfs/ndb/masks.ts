/** Masks of networks as Plan 9 writes them: `255.255.255.0`, or `/120`, which counts an IPv4 address as IPv6. */
import { parseIp, type Ip } from '../address.ts';
import { addressBits, formatMask } from '../columns.ts';

/** Where the IPv4 addresses lie within IPv6's. */
const V4_BITS = 96;

const isV4 = ({ family }: Ip): boolean => family === 4;

/** The prefix in bits, to 32 for IPv4 and 128 for IPv6, of a mask; its class's where there is none that could be. */
export function parseMask(ip: Ip, mask: string | undefined): number {
  const most = addressBits(ip.family);
  const slash = /^\/(\d{1,3})$/.exec(mask ?? '');
  if (slash !== null) {
    const bits = Number(slash[1]);
    // /24 is what everybody else writes; /120 is the same.
    return Math.min(isV4(ip) && bits >= V4_BITS ? bits - V4_BITS : bits, most);
  }
  const written = parseIp(mask ?? '');
  return written?.family === ip.family ? leadingOnes(written.bytes) : classPrefix(ip);
}

/** What an address has of which nobody says a mask. */
export const classMask = (ip: Ip): string => formatMask(ip.family, classPrefix(ip));

/** The network's part of both is the same. */
export function inNetwork(ip: Ip, network: Ip, prefix: number): boolean {
  if (ip.family !== network.family) return false;
  return ip.bytes.every((byte, i) => {
    const bits = Math.min(Math.max(prefix - 8 * i, 0), 8);
    return (byte ^ network.bytes[i]!) >> (8 - bits) === 0;
  });
}

function leadingOnes(bytes: Uint8Array): number {
  const bits = [...bytes].map(byte => byte.toString(2).padStart(8, '0')).join('');
  const zero = bits.indexOf('0');
  return zero < 0 ? bits.length : zero;
}

/** ip(2)'s defmask: classes A, B and C; half of an IPv6 address is its network. */
function classPrefix(ip: Ip): number {
  if (!isV4(ip)) return 64;
  const [first = 0] = ip.bytes;
  return first < 128 ? 8 : first < 192 ? 16 : 24;
}
