/**
 * The connection server, ndb(8): where to dial a name, as `/net/tcp/clone 192.0.2.7!80`.
 *
 *     NET!HOST!SERVICE[!OPTIONS]    tcp, udp, net (whichever has the service), or any other, which stays as it is
 *     !ATTR=VALUE ATTR=VALUE ...    the lines of the entry of the database that has all of these
 *     !ipinfo [ATTR=VALUE] ATTR ... what a system, this one unless another is named, has or inherits
 */
import { isUtf8 } from 'node:buffer';
import { ERRORS, FsError, type ErrorName } from './error.ts';
import { reverseName } from './domain.ts';
import { formatIp, isLinkLocal, isLoopback, isUnspecified, parseHost, parseIp, type Ip } from './address.ts';
import type { HostFacts, Interface } from './hostfacts.ts';
import { MOST_ADDRESSES, type Lookups } from './lookups.ts';
import { commonDatabase } from './ndb/common.ts';
import { valuesOf, type Database } from './ndb/database.ts';
import { inNetwork } from './ndb/masks.ts';
import type { Entry, Tuple } from './ndb/parse.ts';
import { interfacesUp, ownAddresses } from './ndb/prefill.ts';
import type { DirNode, Req } from './node.ts';
import { DIRECTORIES, ROOT_FILES, type Qids } from './qid.ts';
import { QueryFile } from './query.ts';
import { isMissing, type ResourceRecord } from './resolver.ts';
import { servicePort } from './services.ts';
import type { Caller } from '../policy/identity.ts';
import type { Authority } from '../policy/permissions.ts';
import type { Quota } from '../policy/quota.ts';

export interface ConnectionServerOptions {
  readonly qids: Qids;
  /** What answers begin with: `/net` */
  readonly netdir: () => string;
  readonly authority: Authority;
  readonly lookups: Lookups;
  /** The database as it is now, for who may know what it says. */
  readonly database: (caller: Caller) => Database;
  readonly facts: HostFacts;
  /** QueryFileOptions */
  readonly unread?: Quota;
}

/** The file cs; `since` in seconds since the epoch. */
export function connectionServerFile(
  parent: DirNode,
  since: number,
  options: ConnectionServerOptions,
): QueryFile {
  const cs = new ConnectionServer(options);
  return new QueryFile(
    parent,
    'cs',
    {
      path: options.qids.path(DIRECTORIES.root, undefined, ROOT_FILES.cs),
      since,
      authority: options.authority,
      ...(options.unread && { unread: options.unread }),
    },
    (question, req) => cs.ask(question, req),
    () => failure('Einprogress', 'read the answers, or open cs once more'),
  );
}

/** 9front's Maxrequest counts a final NUL. */
const LONGEST = 127;

/** Networks whose hosts and services are translated, in the order in which `net` tries them. */
const NETWORKS = ['tcp', 'udp'];

interface Question {
  readonly net: string;
  readonly host: string;
  readonly service: string | undefined;
  /** Passed on: `!r` */
  readonly options: string;
}

export class ConnectionServer {
  private readonly options: ConnectionServerOptions;
  /** Families that are answered; `ipv4` and `ipv6` change it. */
  private readonly families = new Set<4 | 6>([4, 6]);

  constructor(options: ConnectionServerOptions) {
    this.options = options;
  }

  /** The answers to what was written, in the order to try them; errors in cs(8)'s words. */
  async ask(written: Buffer, req: Req): Promise<readonly string[]> {
    const text = questionText(written);
    if (this.options.authority.isOwner(req.caller) && this.control(text)) return [];
    try {
      const answers = text.startsWith('!')
        ? await this.general(text.slice(1), req)
        : await this.translate(parseQuestion(text), req);
      return [...new Set(answers)].slice(0, MOST_ADDRESSES);
    } catch (error) {
      throw inWords(error);
    }
  }

  /** What the owner of the server tells it; the networks, the host and the log need no telling here. */
  private control(text: string): boolean {
    const [word] = text.split(' ');
    if (word === 'ipv4') this.toggle(4);
    else if (word === 'ipv6') this.toggle(6);
    else return word === 'add' || word === 'debug' || word === 'refresh';
    return true;
  }

  private toggle(family: 4 | 6): void {
    if (!this.families.delete(family)) this.families.add(family);
  }

  // ---- NET!HOST!SERVICE ---------------------------------------------------------------------------

  private async translate(question: Question, req: Req): Promise<string[]> {
    const { net, host, service, options } = question;
    if (net !== 'net' && !NETWORKS.includes(net)) {
      return [this.answer(net, [host, ...(service === undefined ? [] : [service])].join('!') + options)];
    }
    // The service first: it is the likeliest to fail and costs nothing.
    const candidates = net === 'net' ? NETWORKS : [net];
    const ports = candidates.map(network => this.port(network, service, req));
    const at = ports.findIndex(port => port !== undefined);
    if (at < 0) throw failure('Enoservice', service === undefined ? 'write NET!HOST!SERVICE' : service);
    const hosts = await this.hosts(this.attribute(host, req), req);
    return hosts.map(ip => this.answer(candidates[at]!, `${ip}${ports[at]!}${options}`));
  }

  private answer(network: string, address: string): string {
    return `${this.options.netdir()}/${network}/clone ${address}`;
  }

  /** `$auth` is what this machine's database says, or inherits, of auth; the text itself where it says nothing. */
  private attribute(host: string, req: Req): string {
    return host.startsWith('$') ? (this.own([host.slice(1)], req)[0]?.value ?? host) : host;
  }

  /** Each with its `!`; an empty one for any address. */
  private async hosts(host: string, req: Req): Promise<string[]> {
    if (host === '*' || host === '::' || host === '[::]') return [''];
    const to = parseHost(host);
    if (typeof to !== 'string') return [`${formatIp(to)}!`];
    const found = await this.options.lookups.lookup(to, req.caller, req.signal);
    return this.reachable(found.map(({ ip }) => ip)).map(ip => `${formatIp(ip)}!`);
  }

  /** A port, `*`, or undefined; with `!r` for what is dialled from a port below 1024. */
  private port(protocol: string, service: string | undefined, req: Req): string | undefined {
    if (service === undefined) return undefined;
    if (service === '*') return service;
    const number = /^\d+$/.test(service) ? Number(service) : this.portOf(protocol, service, req);
    if (number === undefined || number > 65535) return undefined;
    return `${number}${this.isRestricted(protocol, number, req) ? '!r' : ''}`;
  }

  private portOf(protocol: string, name: string, req: Req): number | undefined {
    if (!SERVICE.test(name)) return undefined;
    const local = this.options.database(req.caller).values(protocol, name, 'port')[0];
    if (local !== undefined && /^\d{1,5}$/.test(local)) return Number(local);
    return servicePort(name, protocol);
  }

  private isRestricted(protocol: string, port: number, req: Req): boolean {
    if (protocol !== 'tcp' || port >= 1024) return false;
    const has = (entry: Entry, attr: string): boolean => entry.flat().some(tuple => tuple.attr === attr);
    return this.search('port', String(port), req).some(
      entry => has(entry, protocol) && has(entry, 'restricted'),
    );
  }

  // ---- the order of answers -----------------------------------------------------------------------

  /** What can be reached from here: attached networks first, IPv4 before IPv6. */
  private reachable(ips: readonly Ip[]): readonly Ip[] {
    const up = interfacesUp(this.options.facts);
    const asked = ips.filter(ip => this.families.has(ip.family));
    const usable = asked.filter(ip => hasFamily(up, ip));
    const rank = new Map(ips.map(ip => [ip, (isAttached(up, ip) ? 0 : 10) + ip.family]));
    // Where nothing seems to be of use, nobody knows better than who dials.
    const chosen = usable.length > 0 ? usable : asked.length > 0 ? asked : ips;
    return [...chosen].sort((a, b) => rank.get(a)! - rank.get(b)!);
  }

  // ---- !ATTR=VALUE and !ipinfo --------------------------------------------------------------------

  private async general(text: string, req: Req): Promise<string[]> {
    const words = text.split(' ').filter(word => word !== '');
    if (words[0] === 'ipinfo') return this.ipinfo(words.slice(1), req);
    const pairs = words.map(parsePair);
    const key = pairs[0];
    if (key === undefined) throw failure('Ebadquery', 'write !ATTR=VALUE ...');
    const found = this.search(key.attr, key.value, req).find(entry => hasAll(entry, pairs));
    const entry = found ?? (await this.fromNames(key, req));
    if (entry === undefined || !hasAll(entry, pairs.slice(1))) throw failure('Enomatch', text);
    return entry.map(format);
  }

  private search(attr: string, value: string, req: Req): Entry[] {
    return [this.options.database(req.caller), commonDatabase()].flatMap(each => each.search(attr, value));
  }

  /** A domain or an address that no database has; undefined where nobody has it. */
  private async fromNames({ attr, value }: Tuple, req: Req): Promise<Entry | undefined> {
    if (attr !== 'dom' && attr !== 'ip') return undefined;
    const { lookups } = this.options;
    const host = parseHost(value);
    lookups.check(req.caller);
    if (typeof host !== 'string') {
      const pointers = await found(lookups.records(reverseName(host), 'ptr', req.signal, req.caller));
      return asEntry(pointers.map(record => pair('ptr', record.name, 'dom', record.value)));
    }
    const asked = ['ip', 'ipv6'].map(type => found(lookups.records(host, type, req.signal, req.caller)));
    const records = (await Promise.all(asked)).flat().filter(record => record.type !== 'cname');
    return asEntry(records.map(record => pair('dom', record.name, 'ip', record.value)));
  }

  private async ipinfo(words: readonly string[], req: Req): Promise<string[]> {
    const named = words[0]?.includes('=') === true ? parsePair(words[0]) : undefined;
    const wanted = named === undefined ? words : words.slice(1);
    if (wanted.length === 0) throw failure('Ebadquery', 'write !ipinfo [ATTR=VALUE] ATTR ...');
    const attrs = wanted.map(word => word.replace(/^@/, ''));
    const tuples =
      named === undefined
        ? this.own(attrs, req)
        : this.options.database(req.caller).ipinfo(named.attr, named.value, attrs);
    if (tuples.length === 0) throw failure('Enomatch', words.join(' '));
    const resolved = new Set(wanted.filter(word => word.startsWith('@')).map(word => word.slice(1)));
    const all = await Promise.all(
      tuples.map(tuple => (resolved.has(tuple.attr) ? this.resolved(tuple, req) : [tuple])),
    );
    return [format(all.flat())];
  }

  /** A name's addresses in its place; what is none stays. */
  private async resolved(tuple: Tuple, req: Req): Promise<Tuple[]> {
    if (parseIp(tuple.value) !== undefined) return [tuple];
    const hosts = await this.hosts(tuple.value, req);
    return hosts.map(host => ({ attr: tuple.attr, value: host.replace(/!$/, '') }));
  }

  /** What this machine has or inherits, by the first of its addresses that knows, or by its name. */
  private own(attrs: readonly string[], req: Req): Tuple[] {
    const database = this.options.database(req.caller);
    for (const { ip } of ownAddresses(this.options.facts)) {
      const tuples = database.ipinfo('ip', formatIp(ip), attrs);
      if (tuples.length > 0) return tuples;
    }
    const self = database.entries.find(entry => valuesOf(entry, 'sys').length > 0);
    return self?.flat().filter(tuple => attrs.includes(tuple.attr)) ?? [];
  }
}

// ---- questions ------------------------------------------------------------------------------------

/** One line of text; a final newline is the shell's. */
function questionText(written: Buffer): string {
  const ended = written.at(-1) === 0x0a ? written.subarray(0, -1) : written;
  if (ended.length > LONGEST) throw failure('Ereqlong', `${ended.length} bytes; at most ${LONGEST}`);
  const text = ended.toString();
  if (text === '') throw failure('Ebadquery', 'it is empty; write NET!HOST!SERVICE');
  if (!isUtf8(ended) || CONTROL.test(text)) throw failure('Ebadquery', 'one line of text in a write');
  return text;
}

const CONTROL = /\p{Cc}/u;

/** As in address.ts, which judges ports. */
const SERVICE = /^[a-z0-9_+.$-]*[a-z$][a-z0-9_+.$-]*$/i;

/** A directory of /net that there could be. */
const NETWORK = /^[a-z0-9_-][a-z0-9_.-]*$/i;

function parseQuestion(text: string): Question {
  const fields = text.split('!');
  const [net, host] = fields.length === 1 ? ['net', text] : [fields[0]!, fields[1]!];
  const [service, ...options] = fields.slice(2);
  if (/\s/.test(text) || !NETWORK.test(net)) throw failure('Ebadquery', 'write NET!HOST!SERVICE');
  if (host === '') throw failure('Enotrans', 'the host is empty; write NET!HOST!SERVICE');
  return { net, host, service, options: options.map(option => `!${option}`).join('') };
}

function parsePair(word: string): Tuple {
  const at = word.indexOf('=');
  if (at < 1) throw failure('Ebadquery', `'${word}'; write ATTR=VALUE`);
  return { attr: word.slice(0, at), value: word.slice(at + 1) };
}

// ---- entries --------------------------------------------------------------------------------------

/** `*` stands for any value. */
function hasAll(entry: Entry, pairs: readonly Tuple[]): boolean {
  return pairs.every(({ attr, value }) => {
    const values = valuesOf(entry, attr);
    return value === '*' ? values.length > 0 : values.some(each => sameValue(attr, each, value));
  });
}

/** Names in any case, addresses in any form; the search has judged the rest. */
function sameValue(attr: string, a: string, b: string): boolean {
  if (attr !== 'ip' && attr !== 'ipv6') return a.toLowerCase() === b.toLowerCase().replace(/\.$/, '');
  const [left, right] = [parseIp(a), parseIp(b)];
  return left === undefined || right === undefined ? a === b : formatIp(left) === formatIp(right);
}

const format = (tuples: readonly Tuple[]): string =>
  tuples.map(({ attr, value }) => `${attr}=${value}`).join(' ');

const pair = (...[a, x, b, y]: [string, string, string, string]): Tuple[] => [
  { attr: a, value: x },
  { attr: b, value: y },
];

const asEntry = (lines: Tuple[][]): Entry | undefined => (lines.length > 0 ? lines : undefined);

/** None where there is no such name, or none of this type. */
function found(records: Promise<readonly ResourceRecord[]>): Promise<readonly ResourceRecord[]> {
  return records.catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
}

// ---- interfaces -----------------------------------------------------------------------------------

/** Whether an interface has addresses of this one's family; the loopback's are for loopback addresses. */
function hasFamily(up: readonly Interface[], ip: Ip): boolean {
  const counts = (own: Ip): boolean => isLoopback(ip) || !(isLoopback(own) || isLinkLocal(own));
  return up.some(({ addresses }) =>
    addresses.some(own => own.ip.family === ip.family && !isUnspecified(own.ip) && counts(own.ip)),
  );
}

function isAttached(up: readonly Interface[], ip: Ip): boolean {
  return up.some(({ addresses }) => addresses.some(own => inNetwork(ip, own.ip, own.prefix)));
}

// ---- errors ---------------------------------------------------------------------------------------

/** In the words of cs(8): `cs: can't translate service` */
function failure(name: ErrorName, detail?: string, text: string = ERRORS[name].text): FsError {
  return new FsError(name, detail, `cs: ${text}`);
}

/** What goes wrong with addresses and names; what has its words already, or is not about these, stays. */
function inWords(error: unknown): unknown {
  if (!(error instanceof FsError) || error.message.startsWith('cs: ')) return error;
  const { name, message, detail } = error;
  switch (name) {
    case 'Enoname':
    case 'Enorecord':
      return failure('Enotrans', detail, `${ERRORS.Enotrans.text}: dns: ${message}`);
    case 'Edns':
      return failure('Edns', detail, `temporary problem: dns: ${message}`);
    case 'Ebadip':
    case 'Ebadaddr':
      return failure('Enotrans', error.sentence);
    default:
      return error;
  }
}
