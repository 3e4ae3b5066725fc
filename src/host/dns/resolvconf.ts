/** resolv.conf(5): whom to ask, how long, and which domains to search. */
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { isRooted, MAX_NAME } from '../../netfs/domain.ts';

export const RESOLV_CONF = '/etc/resolv.conf';

export interface NameServer {
  /** An IP address; a link-local one with its zone. */
  readonly address: string;
  readonly port: number;
}

export interface ResolvConf {
  readonly servers: readonly NameServer[];
  /** Domains, in the order to try them. */
  readonly search: readonly string[];
  /** A name with so many dots is tried as it is first. */
  readonly ndots: number;
  /** For each try at each server. */
  readonly timeoutMs: number;
  /** Rounds through the servers. */
  readonly attempts: number;
  /** Each question begins with another server. */
  readonly rotate: boolean;
}

/** The port of the domain name system. */
export const DNS_PORT = 53;

/** MAXNS, and how many domains older libraries searched. */
const MAX_SERVERS = 3;
const MAX_SEARCH = 6;

/** Of the options with a number: what it is when nothing is said, and the most that is believed. */
const OPTIONS = {
  ndots: { usual: 1, most: 15 },
  timeout: { usual: 5, most: 30 },
  attempts: { usual: 2, most: 5 },
} as const;

type NumberOption = keyof typeof OPTIONS;

/** `domain`: the local one, searched where the file says nothing of it. */
export function parseResolvConf(text: string, domain: string = hostDomain()): ResolvConf {
  const servers: NameServer[] = [];
  let search = domain === '' ? [] : [domain];
  const options = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'nameserver') servers.push(...parseServer(values[0] ?? ''));
    else if (keyword === 'search') search = values;
    else if (keyword === 'domain') search = values.slice(0, 1);
    else if (keyword === 'options') for (const value of values) setOption(options, value);
  }
  const number = (name: NumberOption): number => options.get(name) ?? OPTIONS[name].usual;
  return {
    // "If no nameserver entries are present, the default is to use the name server on the local machine."
    servers:
      servers.length === 0 ? [{ address: '127.0.0.1', port: DNS_PORT }] : servers.slice(0, MAX_SERVERS),
    search: search
      .slice(0, MAX_SEARCH)
      .flatMap(name => (name.length > MAX_NAME ? [] : name.replace(/\.$/, '') || [])),
    ndots: number('ndots'),
    timeoutMs: 1000 * Math.max(1, number('timeout')),
    attempts: Math.max(1, number('attempts')),
    rotate: options.has('rotate'),
  };
}

/** An address, or OpenBSD's `[address]:port`. */
function parseServer(text: string): NameServer[] {
  const [, bracketed, port] = /^\[(.*)\]:(\d{1,5})$/.exec(text) ?? [];
  const server = { address: bracketed ?? text, port: port === undefined ? DNS_PORT : Number(port) };
  return isIP(server.address) !== 0 && server.port > 0 && server.port <= 65535 ? [server] : [];
}

function setOption(options: Map<string, number>, text: string): void {
  const [name = '', value = ''] = text.split(':');
  if (name === 'rotate') options.set(name, 1);
  if (!Object.hasOwn(OPTIONS, name) || !/^\d+$/.test(value)) return;
  options.set(name, Math.min(Number(value), OPTIONS[name as NumberOption].most));
}

/** What follows the first dot of the host's own name. */
function hostDomain(): string {
  const [, ...domain] = hostname().split('.');
  return domain.join('.');
}

/** `ADDR`, `ADDR!PORT`, `[v6]!PORT` as the command line has it; undefined if it is not of that kind. */
export function parseNameServer(text: string): NameServer | undefined {
  const [host = '', port = String(DNS_PORT), ...more] = text.split('!');
  const [, bracketed] = /^\[(.*:.*)\]$/.exec(host) ?? [];
  const address = bracketed ?? host;
  const usable = isIP(address) !== 0 && /^\d{1,5}$/.test(port) && Number(port) > 0 && Number(port) <= 65535;
  return usable && more.length === 0 ? { address, port: Number(port) } : undefined;
}

/** The names that a name may mean, in the order to try them: one that ends in a dot means itself. */
export function candidates(name: string, { search, ndots }: ResolvConf): string[] {
  if (isRooted(name)) return [name];
  const searched = search.map(domain => `${name}.${domain}`);
  const dots = name.split('.').length - 1;
  return dots >= ndots ? [name, ...searched] : [...searched, name];
}
