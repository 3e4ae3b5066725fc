/** What the database says of this machine before anybody edits it. */
import { formatIp, isLinkLocal, isLoopback, parseIp, type Ip } from '../address.ts';
import { FsError } from '../error.ts';
import type { HostFacts, Interface, InterfaceAddress } from '../hostfacts.ts';
import { formatMask } from '../columns.ts';
import { formatTuple, type Tuple } from './parse.ts';

/** resolv.conf(5): the addresses of the resolvers, and the domains in which names are looked for. */
export interface ResolverSettings {
  readonly servers: readonly string[];
  readonly search: readonly string[];
}

/** One entry, as 9front's ipconfig(8) writes it: the addresses, then what belongs to all of them. */
export function hostEntry(hostname: string, facts: HostFacts, settings: ResolverSettings): string {
  const gateways = gatewaysOf(facts);
  const lines = [
    ...ownAddresses(facts).map(address => addressLine(address, gateways.get(address.ip.family))),
    [{ attr: 'sys', value: hostname.split('.')[0]! }],
    ...fullNames(hostname, settings.search).map(value => [{ attr: 'dom', value }]),
    ...settings.servers.filter(isAddress).map(value => [{ attr: 'dns', value }]),
    ...settings.search.map(value => [{ attr: 'dnsdomain', value }]),
  ];
  const texts = lines.map(line => line.filter(isWritable)).filter(line => line.length > 0);
  return texts.map((line, i) => `${i === 0 ? '' : '\t'}${line.map(formatTuple).join(' ')}\n`).join('');
}

/** Not one with a zone: nobody could dial it. */
const isAddress = (text: string): boolean => parseIp(text) !== undefined;

/** The interfaces that are up; none where the kernel does not tell. */
export const interfacesUp = (facts: HostFacts): readonly Interface[] =>
  orNone(() => facts.interfaces()).filter(({ up }) => up);

/** A server that may not ask the kernel goes without. */
function orNone<T>(ask: () => readonly T[]): readonly T[] {
  try {
    return ask();
  } catch (error) {
    if (error instanceof FsError) return [];
    throw error;
  }
}

/** The addresses by which others know this machine, in the order of its interfaces, IPv4 first. */
export function ownAddresses(facts: HostFacts): InterfaceAddress[] {
  return interfacesUp(facts)
    .filter(({ loopback }) => !loopback)
    .flatMap(({ addresses }) => addresses)
    .filter(({ ip }) => !isLoopback(ip) && !isLinkLocal(ip))
    .sort((a, b) => a.ip.family - b.ip.family);
}

/** The default route's of each family; of several the one with the least metric. */
function gatewaysOf(facts: HostFacts): Map<number, Ip> {
  const gateways = new Map<number, Ip>();
  const routes = orNone(() => facts.routes());
  const defaults = routes.filter(({ kind, prefix }) => kind === 'unicast' && prefix === 0);
  for (const { target, gateway } of defaults.sort((a, b) => a.metric - b.metric)) {
    if (gateway !== undefined && !gateways.has(target.family)) gateways.set(target.family, gateway);
  }
  return gateways;
}

function addressLine({ ip, prefix }: InterfaceAddress, gateway: Ip | undefined): Tuple[] {
  const line = [
    { attr: 'ip', value: formatIp(ip) },
    { attr: 'ipmask', value: formatMask(ip.family, prefix) },
  ];
  return gateway === undefined ? line : [...line, { attr: 'ipgw', value: formatIp(gateway) }];
}

function fullNames(hostname: string, search: readonly string[]): string[] {
  if (hostname.includes('.')) return [hostname];
  return hostname === '' || search[0] === undefined ? [] : [`${hostname}.${search[0]}`];
}

/** What a database can hold: the host's files may say anything. */
const isWritable = ({ value }: Tuple): boolean => /^[\x21\x23-\x7e]+$/.test(value);
