/** hosts(5): names that this machine knows without asking. */
import { parseIp, sameIp, type Ip } from '../../netfs/address.ts';
import { domainKey, reverseName } from '../../netfs/domain.ts';

export const HOSTS = '/etc/hosts';

export interface Hosts {
  /** By name in lower case; IPv4 first. */
  readonly names: ReadonlyMap<string, readonly Ip[]>;
  /** What an address is called, by its name for ptr. */
  readonly reverse: ReadonlyMap<string, string>;
}

/** But for blanks and the return of other systems' lines. */
const CONTROL = /[\0-\x08\x0e-\x1f\x7f-\x9f]/;

/** `address name alias...`; a name on several lines has all their addresses, an address the first one's name. */
export function parseHosts(text: string): Hosts {
  const names = new Map<string, Ip[]>();
  const reverse = new Map<string, string>();
  // Many lines in a row often have one address: lists of names to be blocked.
  let last = '';
  let ip: Ip | undefined;
  for (const line of text.split('\n')) {
    // What it says is written into answers, which are lines.
    if (CONTROL.test(line)) continue;
    const [address = '', ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (aliases[0] === undefined) continue;
    if (address !== last) {
      last = address;
      ip = parseIp(address);
      if (ip !== undefined) setOnce(reverse, reverseName(ip), aliases[0]);
    }
    if (ip === undefined) continue;
    for (const alias of aliases) add(names, domainKey(alias), ip);
  }
  for (const ips of names.values()) if (ips.length > 1) ips.sort((a, b) => a.family - b.family);
  return { names, reverse };
}

function setOnce(map: Map<string, string>, key: string, value: string): void {
  if (!map.has(key)) map.set(key, value);
}

/** As many addresses as anybody tries of one name. */
const MOST = 64;

function add(names: Map<string, Ip[]>, key: string, ip: Ip): void {
  const ips = names.get(key);
  if (ips === undefined) names.set(key, [ip]);
  else if (ips.length < MOST && !ips.some(known => sameIp(known, ip))) ips.push(ip);
}

export const LOCALHOST: readonly Ip[] = [parseIp('127.0.0.1')!, parseIp('::1')!];
