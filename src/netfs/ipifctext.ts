/** The texts of `ipifc/N`. ip(3); the lines are those of 9front's ipifc.c. */
import { formatIp, type Ip } from './address.ts';
import { formatMac, formatMask, left, leftCut } from './columns.ts';
import type { Interface, InterfaceAddress } from './hostfacts.ts';

/** Plan 9's numbers of seconds and of bits have 32 bits. */
const FOR_EVER = 0xffffffff;
const MOST_SPEED = 0x7fffffff;

/**
 * A line for the interface and one for each of its addresses. `device` is a directory with a file `addr`, as
 * an ether device has it. What routers are told (sendra to routerlt) is not known of a host, and 0.
 */
export function formatStatus(ifc: Interface, device: string): string {
  const fields = [
    ['device', device],
    ['maxtu', ifc.mtu],
    ...['sendra', 'recvra', 'mflag', 'oflag', 'maxraint', 'minraint'].map(name => [name, 0]),
    ...['linkmtu', 'reachtime', 'rxmitra', 'ttl', 'routerlt'].map(name => [name, 0]),
    ['pktin', ifc.packetsIn],
    ['pktout', ifc.packetsOut],
    ['errin', ifc.errorsIn],
    ['errout', ifc.errorsOut],
    ['speed', Math.min(ifc.speed * 1_000_000, MOST_SPEED)],
    ['delay', 0],
  ];
  const addresses = ifc.addresses.map(formatAddress).join('');
  return `${fields.flat().join(' ')}\n${addresses || '\n'}`;
}

/** `\t%-40I %-10M %-40I %-12lud %-12lud`: the address, its network's mask, the network or the other end. */
function formatAddress({ ip, prefix, peer, validFor, preferredFor }: InterfaceAddress): string {
  const columns = [
    left(formatIp(ip), 40),
    left(formatMask(ip.family, prefix), 10),
    left(formatIp(peer ?? networkOf(ip, prefix)), 40),
    left(String(Math.min(validFor, FOR_EVER)), 12),
    left(String(Math.min(preferredFor, FOR_EVER)), 12),
  ];
  return `\t${columns.join(' ')}\n`;
}

/** The address with all bits behind the prefix 0. */
export function networkOf(ip: Ip, prefix: number): Ip {
  const bytes = ip.bytes.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, prefix - 8 * i))));
  return { family: ip.family, bytes };
}

/**
 * A line for each address, and behind it what is taken for its sake. The groups that are joined, which Plan 9
 * has here, too, Linux tells only of all interfaces at once: they are in ipselftab.
 */
export function formatLocal({ addresses }: Interface): string {
  return addresses
    .map(({ ip, broadcast }) => {
      const taken = broadcast === undefined ? [ip] : [ip, broadcast];
      const columns = taken.map(one => ` ${leftCut(formatIp(one), 40)}`).join('');
      return `${leftCut(formatIp(ip), 40)} ->${columns}\n`;
    })
    .join('');
}

/** The hardware address as an ether device's `addr` has it, and a newline; that alone where there is none. */
export const formatAddr = (ifc: Interface): string => `${formatMac(ifc.mac)}\n`;
