/** hosts(5): names that this machine knows without asking. */
import { parseIp, type Ip } from '../../netfs/address.ts';
import { domainKey, reverseName } from '../../netfs/domain.ts';

export const HOSTS = '/etc/hosts';

export interface Hosts {
  /** By name in lower case; IPv4 first. */
  readonly names: ReadonlyMap<string, readonly Ip[]>;
  /** What an address is called, by its name for ptr. */
  readonly reverse: ReadonlyMap<string, string>;
}

/** `address name alias...`; a name on several lines has all their addresses, an address the first one's name. */
export function parseHosts(text: string): Hosts {
  const names = new Map<string, Ip[]>();
  const reverse = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [address, ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    const ip = parseIp(address ?? '');
    if (ip === undefined || aliases[0] === undefined) continue;
    const pointer = reverseName(ip);
    if (!reverse.has(pointer)) reverse.set(pointer, aliases[0]);
    for (const alias of aliases) add(names, domainKey(alias), ip);
  }
  return { names, reverse };
}

function add(names: Map<string, Ip[]>, key: string, ip: Ip): void {
  const ips = names.get(key) ?? [];
  names.set(
    key,
    [...ips, ip].sort((a, b) => a.family - b.family),
  );
}

/** RFC 6761, 6.3: localhost and all below it are this machine, whatever a resolver says. */
export const isLocalhost = (key: string): boolean => key === 'localhost' || key.endsWith('.localhost');

export const LOCALHOST: readonly Ip[] = [parseIp('127.0.0.1')!, parseIp('::1')!];
