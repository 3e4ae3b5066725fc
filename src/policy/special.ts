/**
 * Special address space: what is not reached over the Internet, or is not what it seems. After IANA's
 * registries of special-purpose addresses (iana-ipv4-special-registry, iana-ipv6-special-registry);
 * what they leave open counts as special.
 */
import { parseIp, type Ip } from '../netfs/address.ts';
import { inNetwork, type Network } from './network.ts';

const networks = (...texts: string[]): Network[] =>
  texts.map(text => {
    const [ip, prefix] = text.split('/');
    return { ip: parseIp(ip!)!, prefix: Number(prefix) };
  });

const SPECIAL4 = networks(
  '0.0.0.0/8', // this network
  '10.0.0.0/8', // private
  '100.64.0.0/10', // shared by a provider's customers
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link-local; clouds tell their secrets at 169.254.169.254
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments
  '192.0.2.0/24', // documentation
  '192.88.99.0/24', // 6to4 relays, deprecated
  '192.168.0.0/16', // private
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, and broadcast
);

/** Globally reachable parts of 192.0.0.0/24: anycast of PCP and of TURN. */
const GLOBAL4 = networks('192.0.0.9/32', '192.0.0.10/32');

/** Unicast that is assigned at all; loopback, unique local, link-local, multicast and more are outside. */
const UNICAST6 = networks('2000::/3');

const SPECIAL6 = networks(
  '2001::/23', // protocol assignments, Teredo among them
  '2001:db8::/32', // documentation
  '3fff::/20', // documentation
);

/** Globally reachable parts of 2001::/23. */
const GLOBAL6 = networks(
  '2001:1::1/128', // PCP anycast
  '2001:1::2/128', // TURN anycast
  '2001:1::3/128', // DNS-SD registration anycast
  '2001:3::/32', // AMT
  '2001:4:112::/48', // AS112
  '2001:20::/28', // ORCHIDv2
  '2001:30::/28', // drone remote ID
);

const NAT64 = networks('64:ff9b::/96')[0]!;

const isIn = (ip: Ip, list: readonly Network[]): boolean => list.some(network => inNetwork(ip, network));

/** Whether it is not globally reachable: private, of this host or link, multicast, reserved, documentation. */
export function isSpecial(ip: Ip): boolean {
  if (ip.family === 4) return isIn(ip, SPECIAL4) && !isIn(ip, GLOBAL4);
  const inside = embedded(ip);
  if (inside !== undefined) return isSpecial(inside);
  return !isIn(ip, UNICAST6) || (isIn(ip, SPECIAL6) && !isIn(ip, GLOBAL6));
}

/** The IPv4 address that a packet to this one gets to: NAT64 (RFC 6052) and 6to4 (2002::/16, RFC 3056). */
export function embedded(ip: Ip): Ip | undefined {
  const { family, bytes } = ip;
  if (family === 4) return undefined;
  if (bytes[0] === 0x20 && bytes[1] === 0x02) return { family: 4, bytes: bytes.slice(2, 6) };
  return bytes[0] === 0 && inNetwork(ip, NAT64) ? { family: 4, bytes: bytes.slice(12) } : undefined;
}
