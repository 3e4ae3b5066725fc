/** Names as this host knows them: its file of hosts, then its name servers. */
import type { Signal } from '../../abort.ts';
import { formatIp, parseIp, type Ip } from '../../netfs/address.ts';
import { canonicalName, domainKey, domainOctets, isLocalhost, reverseName } from '../../netfs/domain.ts';
import { FsError } from '../../netfs/error.ts';
import type { ResolverSettings } from '../../netfs/ndb/prefill.ts';
import { NOBODY, type Caller } from '../../policy/identity.ts';
import {
  ALL,
  firstOf,
  typeName,
  typeNumber,
  type HostAddress,
  type Resolver,
  type ResourceRecord,
} from '../../netfs/resolver.ts';
import { Exchange, type ExchangeOptions } from './exchange.ts';
import { HOSTS, LOCALHOST, parseHosts, type Hosts } from './hosts.ts';
import { RCODE, TYPE, type Answer, type AnswerRecord } from './message.ts';
import { Reread } from '../../reread.ts';
import { candidates, parseResolvConf, RESOLV_CONF, type NameServer, type ResolvConf } from './resolvconf.ts';

export interface ResolverOptions extends ExchangeOptions {
  /** Asked in place of those in resolv.conf. */
  readonly servers?: readonly NameServer[] | undefined;
  readonly resolvConf?: string;
  readonly hosts?: string;
}

/** Who asks, and until when. Users share what is out at a time by their numbers. */
interface Inquiry {
  readonly signal: Signal;
  readonly asker: number;
}

const inquiry = (signal: Signal, asker: Caller | undefined): Inquiry => ({
  signal,
  asker: asker?.uid ?? NOBODY,
});

/** Aliases on the way to a record; more are a circle. */
const MAX_ALIASES = 12;

/** RFC 8482, 4.2: a HINFO of this CPU and no system, as data. */
const RFC8482 = `\\# 9 07${Buffer.from('RFC8482').toString('hex')}00`;

/** What is asked, one by one, of a server that does not say all it knows. */
const COMMON_TYPES = ['ip', 'ipv6', 'cname', 'ns', 'soa', 'ptr', 'mx', 'txt', 'srv', 'caa', 'https'].map(
  type => typeNumber(type)!,
);

export class HostResolver implements Resolver {
  private readonly hosts: Reread<Hosts>;
  private readonly conf: Reread<ResolvConf>;
  private readonly servers: readonly NameServer[] | undefined;
  private readonly exchange: Exchange;

  constructor({ servers, resolvConf = RESOLV_CONF, hosts = HOSTS, ...options }: ResolverOptions = {}) {
    this.servers = servers;
    this.conf = new Reread(resolvConf, text => parseResolvConf(text));
    this.hosts = new Reread(hosts, parseHosts);
    this.exchange = new Exchange(options);
  }

  /** Whom it asks, and where it searches. */
  settings(): ResolverSettings {
    const { servers, search } = this.conf.get();
    return { servers: (this.servers ?? servers).map(({ address }) => address), search };
  }

  domains(name: string): readonly string[] {
    return this.knownAddresses(name).length > 0 ? [] : this.conf.get().search;
  }

  async records(
    name: string,
    type: string,
    signal: Signal,
    asker?: Caller,
  ): Promise<readonly ResourceRecord[]> {
    const number = typeNumber(type);
    if (number === undefined) throw new FsError('Enorecord', `there is no type ${type}`);
    const ip = number === TYPE.ptr ? parseIp(name) : undefined;
    const plain = ip === undefined ? checked(name) : reverseName(ip);
    const known = this.known(plain, number);
    if (known.length > 0) return known.map(written);
    if (isLocalhost(domainKey(plain))) throw new FsError('Enorecord', `${plain} is this machine`);
    const by = inquiry(signal, asker);
    const found = number === ALL ? this.everything(plain, by) : this.follow(plain, number, by);
    return (await found).map(written);
  }

  async addresses(name: string, signal: Signal, asker?: Caller): Promise<readonly HostAddress[]> {
    const ip = parseIp(name);
    if (ip !== undefined) return [{ ip, ttl: Infinity }];
    const known = this.knownAddresses(checked(name));
    if (known.length > 0) return known.map(ip => ({ ip, ttl: Infinity, own: true }));
    return firstOf(candidates(name, this.conf.get()), async candidate => {
      const found = await this.hostAddresses(checked(candidate), inquiry(signal, asker));
      return found.map(address => ({ ...address, name: domainKey(checked(candidate)) }));
    });
  }

  // ---- what the host knows by itself ------------------------------------------------------------

  private knownAddresses(name: string): readonly Ip[] {
    const key = domainKey(name);
    return this.hosts.get().names.get(key) ?? (isLocalhost(key) ? LOCALHOST : []);
  }

  private known(name: string, type: number): AnswerRecord[] {
    const record = (type: number, value: string): AnswerRecord => ({ name, type, ttl: Infinity, value });
    const pointer = type === TYPE.ptr ? this.hosts.get().reverse.get(domainKey(name)) : undefined;
    if (pointer !== undefined) return [record(type, pointer)];
    if (type !== TYPE.ip && type !== TYPE.ipv6 && type !== ALL) return [];
    return this.knownAddresses(name)
      .map(ip => record(ip.family === 4 ? TYPE.ip : TYPE.ipv6, formatIp(ip)))
      .filter(known => type === ALL || known.type === type);
  }

  // ---- what the name servers know ---------------------------------------------------------------

  private ask(name: string, type: number, { signal, asker }: Inquiry): Promise<Answer> {
    const conf = this.conf.get();
    const manner = this.servers === undefined ? conf : { ...conf, servers: this.servers };
    return this.exchange.ask({ name: domainOctets(name)!, type }, manner, signal, asker);
  }

  /** The records behind a name's aliases, and the aliases first. An answer may hold several, or the next must be asked for. */
  private async follow(name: string, type: number, by: Inquiry): Promise<AnswerRecord[]> {
    const aliases: AnswerRecord[] = [];
    for (;;) {
      const asked = aliases.length;
      const at = aliases.at(-1)?.value ?? name;
      const answer = await this.ask(at, type, by);
      const found = chain(answer.records, at, type, aliases);
      if (found.length > 0) return [...aliases, ...found];
      if (answer.rcode === RCODE.name) throw new FsError('Enoname', `${aliases.at(-1)?.value ?? at}`);
      if (aliases.length === asked) throw new FsError('Enorecord', `${at} has no ${typeName(type)}`);
    }
  }

  /** RFC 8482: a server may answer such a question with one type, or a HINFO that says so, or not at all. */
  private async everything(name: string, by: Inquiry): Promise<readonly AnswerRecord[]> {
    const said = await this.of(name, ALL, by).catch((error: unknown) => orNothing(error, 'Edns'));
    const records = said.filter(({ type, value }) => type !== TYPE.hinfo || value !== RFC8482);
    const types = new Set(records.map(({ type }) => type));
    if (types.size > 1) return records;
    const answers = await Promise.all(
      COMMON_TYPES.filter(type => !types.has(type)).map(type => this.of(name, type, by)),
    );
    const distinct = new Map(
      [...records, ...answers.flat()].map(record => [`${record.type} ${record.value}`, record]),
    );
    if (distinct.size === 0) throw new FsError('Enorecord', `${name} has no records`);
    return [...distinct.values()];
  }

  /** A name's own records in an answer. */
  private async of(name: string, type: number, by: Inquiry): Promise<AnswerRecord[]> {
    const { rcode, records } = await this.ask(name, type, by);
    const own = records.filter(record => domainKey(record.name) === domainKey(name));
    if (rcode === RCODE.name && own.length === 0) throw new FsError('Enoname', name);
    return own;
  }

  /** Both families are asked at the same time; one is enough. IPv4 before IPv6, as cs(8) orders them. */
  private async hostAddresses(name: string, by: Inquiry): Promise<HostAddress[]> {
    const answers = await Promise.allSettled([TYPE.ip, TYPE.ipv6].map(type => this.follow(name, type, by)));
    if (by.signal.aborted) throw by.signal.reason;
    const found = answers.flatMap(answer => (answer.status === 'fulfilled' ? addressesIn(answer.value) : []));
    if (found.length > 0) return found;
    const errors = answers.flatMap(answer => (answer.status === 'rejected' ? [answer.reason as Error] : []));
    throw errors.find(({ name }) => name !== 'Enoname' && name !== 'Enorecord') ?? errors[0]!;
  }
}

/**
 * Goes on from alias to alias within an answer, adding each; returns the records of the type where they
 * end. A CNAME that was asked for is a record, no alias.
 */
function chain(
  records: readonly AnswerRecord[],
  from: string,
  type: number,
  aliases: AnswerRecord[],
): AnswerRecord[] {
  for (let at = domainKey(from); ;) {
    const own = records.filter(record => domainKey(record.name) === at);
    const found = own.filter(record => record.type === type);
    const alias = own.find(record => record.type === TYPE.cname);
    if (found.length > 0 || alias === undefined) return found;
    if (aliases.length === MAX_ALIASES)
      throw new FsError('Edns', `more than ${MAX_ALIASES} aliases, at ${at}`);
    aliases.push(alias);
    at = domainKey(alias.value);
  }
}

const written = ({ type, ...record }: AnswerRecord): ResourceRecord => ({ ...record, type: typeName(type) });

/** Behind aliases an address is good for as long as the shortest of them. */
function addressesIn(records: readonly AnswerRecord[]): HostAddress[] {
  const ttl = Math.min(...records.map(record => record.ttl));
  return records
    .filter(({ type }) => type === TYPE.ip || type === TYPE.ipv6)
    .map(({ value }) => ({ ip: parseIp(value)!, ttl }));
}

function orNothing(error: unknown, name: FsError['name']): AnswerRecord[] {
  if (error instanceof FsError && error.name === name) return [];
  throw error;
}

/** As the network writes it. */
function checked(name: string): string {
  const canonical = canonicalName(name);
  if (canonical === undefined) throw new FsError('Enoname', `'${name}' is no domain name`);
  return canonical;
}
