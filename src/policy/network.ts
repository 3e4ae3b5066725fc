/** Networks: the addresses that begin with the same bits. */
import type { Ip } from '../netfs/address.ts';

/** An IPv4 or IPv6 network; `ip` has no bit set behind the first `prefix`. */
export interface Network {
  readonly ip: Ip;
  readonly prefix: number;
}

/** Bits of an address of that family. */
export const widthOf = (family: 4 | 6): number => (family === 4 ? 32 : 128);

/** Whether the first `prefix` bits are the same. Of two families nothing is. */
export function inNetwork(address: Ip, { ip, prefix }: Network): boolean {
  if (address.family !== ip.family) return false;
  const whole = prefix >> 3;
  for (let i = 0; i < whole; i++) if (address.bytes[i] !== ip.bytes[i]) return false;
  const rest = prefix & 7;
  return rest === 0 || (address.bytes[whole]! ^ ip.bytes[whole]!) >> (8 - rest) === 0;
}

/** The network of that length around an address. */
export function networkAround({ family, bytes }: Ip, prefix: number): Network {
  const masked = bytes.map((byte, i) => {
    const bits = Math.min(Math.max(prefix - 8 * i, 0), 8);
    return byte & (0xff00 >> bits);
  });
  return { ip: { family, bytes: masked }, prefix };
}

/** Whether every address of `inner` is one of `outer`. */
export const contains = (outer: Network, inner: Network): boolean =>
  outer.prefix <= inner.prefix && inNetwork(inner.ip, outer);

/** Two networks have an address in common where one contains the other. */
export const meet = (a: Network, b: Network): boolean => contains(a, b) || contains(b, a);
