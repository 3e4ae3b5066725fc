/**
 * Names as this /net knows them: what its own database says, or else what the host finds. Who may ask is
 * said by lookups.ts.
 */
import type { Signal } from '../abort.ts';
import { formatIp, parseIp } from './address.ts';
import { FsError } from './error.ts';
import { isNetwork, valuesOf, type Database } from './ndb/database.ts';
import type { Entry } from './ndb/parse.ts';
import { typeName, typeNumber, type HostAddress, type Resolver, type ResourceRecord } from './resolver.ts';
import { domainKey, isLocalhost, isRooted, reverseAddress, reverseName } from './domain.ts';
import type { Caller } from '../policy/identity.ts';

export interface NamesOptions {
  /** The database as it is now. */
  readonly database: () => Database;
  /** Knows what the database does not. */
  readonly resolver: Resolver;
}

/** Aliases of aliases in the database. */
const MOST_ALIASES = 8;

/** Domains of the database that a short name is looked for in: resolv.conf(5) has as many. */
const MOST_DOMAINS = 6;

/** What an editable file says is true until it is edited. */
const TTL = Infinity;

export class Names implements Resolver {
  private readonly options: NamesOptions;

  constructor(options: NamesOptions) {
    this.options = options;
  }

  async records(
    name: string,
    type: string,
    signal: Signal,
    asker: Caller,
  ): Promise<readonly ResourceRecord[]> {
    const number = typeNumber(type);
    const known = number === undefined ? type : typeName(number);
    const ask = (at: string): Promise<readonly ResourceRecord[]> =>
      this.options.resolver.records(at, known, signal, asker);
    return this.follow(name, known, ask, MOST_ALIASES);
  }

  private async follow(
    asked: string,
    type: string,
    ask: (name: string) => Promise<readonly ResourceRecord[]>,
    aliases: number,
  ): Promise<readonly ResourceRecord[]> {
    const entries = this.entriesOf(asked);
    const name = canonical(asked);
    const found = [...pointers(name, type, this.options.database()), ...recordsOf(entries, name, type)];
    if (found.length > 0) return found;
    const [alias] = recordsOf(entries, name, 'cname');
    if (alias === undefined) return ask(name);
    if (aliases === 0) throw new FsError('Edns', `${name}: too many aliases in ndb`);
    return [alias, ...(await this.follow(alias.value, type, ask, aliases - 1))];
  }

  /** The database's, then the host's. */
  domains(name: string): readonly string[] {
    return [...new Set([...this.ownDomains(), ...(this.options.resolver.domains?.(name) ?? [])])];
  }

  private ownDomains(): string[] {
    const all = this.options.database().entries.flatMap(entry => valuesOf(entry, 'dnsdomain'));
    return [...new Set(all)].slice(0, MOST_DOMAINS);
  }

  /** `searching`: what the database does not have may be found in the host's domains, too. */
  async addresses(
    name: string,
    signal: Signal,
    asker: Caller,
    searching = true,
  ): Promise<readonly HostAddress[]> {
    const ask = (at: string): Promise<readonly HostAddress[]> =>
      this.options.resolver.addresses(searching || isRooted(at) ? at : `${at}.`, signal, asker);
    return this.addressesOf(name, ask, MOST_ALIASES);
  }

  private async addressesOf(
    name: string,
    ask: (name: string) => Promise<readonly HostAddress[]>,
    aliases: number,
  ): Promise<readonly HostAddress[]> {
    const entries = this.entriesOf(name);
    const found = [...new Set(entries.flatMap(ipsOf))].flatMap(value => parseIp(value) ?? []);
    if (found.length > 0) {
      return found.sort((a, b) => a.family - b.family).map(ip => ({ ip, ttl: TTL, own: true }));
    }
    const alias = entries.flatMap(entry => valuesOf(entry, 'cname'))[0];
    if (alias === undefined) return ask(name);
    if (aliases === 0) throw new FsError('Edns', `${name}: too many aliases in ndb`);
    return this.addressesOf(alias, ask, aliases - 1);
  }

  /** A system's by its name, or a domain's; a short name also in the database's own domains, unless it ends in a dot. */
  private entriesOf(asked: string): readonly Entry[] {
    const name = domainKey(canonical(asked));
    if (isLocalhost(name)) return [];
    const database = this.options.database();
    const short = !asked.includes('.');
    const domains = short ? this.ownDomains() : [];
    const found = [
      ...(short ? database.search('sys', name) : []),
      ...[name, ...new Set(domains.map(domain => `${name}.${domain}`))].flatMap(full =>
        database.search('dom', full),
      ),
    ];
    return [...new Set(found)].filter(entry => !isNetwork(entry));
  }
}

/** Without its final dot; its case is the asker's. */
const canonical = (name: string): string => (name.length > 1 && isRooted(name) ? name.slice(0, -1) : name);

// ---- records that a database can say --------------------------------------------------------------

/** The values of an entry by type, as dns(8) writes them; the attributes are ndb(8)'s. */
const VALUES: Readonly<Record<string, (entry: Entry) => string[]>> = {
  ip: entry => ipsOf(entry).filter(value => parseIp(value)?.family === 4),
  ipv6: entry => ipsOf(entry).filter(value => parseIp(value)?.family === 6),
  cname: entry => valuesOf(entry, 'cname'),
  ns: entry => valuesOf(entry, 'ns'),
  txt: entry => [...valuesOf(entry, 'txt'), ...valuesOf(entry, 'txtrr')],
  mx: entry => onLines(entry, 'mx', ['pref']),
  srv: entry => onLines(entry, 'srv', ['pri', 'weight', 'port']),
};

function recordsOf(entries: readonly Entry[], name: string, type: string): ResourceRecord[] {
  const types = type === 'all' ? Object.keys(VALUES) : Object.hasOwn(VALUES, type) ? [type] : [];
  return types.flatMap(each => {
    const values = new Set(entries.flatMap(VALUES[each]!));
    return [...values].map(value => ({ name, type: each, value, ttl: TTL }));
  });
}

/** Every address, in one form. */
function ipsOf(entry: Entry): string[] {
  const written = [...valuesOf(entry, 'ip'), ...valuesOf(entry, 'ipv6')];
  return written.flatMap(value => {
    const ip = parseIp(value);
    return ip === undefined ? [] : [formatIp(ip)];
  });
}

/** `N M VALUE`: what stands on the line of a tuple; 0 where it does not. */
function onLines(entry: Entry, attr: string, others: readonly string[]): string[] {
  return entry.flatMap(line => {
    const values = valuesOf([line], attr);
    if (values.length === 0) return [];
    const before = others.map(other => valuesOf([line], other)[0] ?? '0');
    return values.map(value => [...before, value].join(' '));
  });
}

/** Whose an address is. */
function pointers(name: string, type: string, database: Database): ResourceRecord[] {
  if (type !== 'ptr' && type !== 'all') return [];
  const ip = parseIp(name) ?? reverseAddress(name);
  if (ip === undefined) return [];
  const hosts = database.search('ip', formatIp(ip)).filter(entry => !isNetwork(entry));
  const values = new Set(hosts.flatMap(entry => valuesOf(entry, 'dom')));
  return [...values].map(value => ({ name: reverseName(ip), type: 'ptr', value, ttl: TTL }));
}
