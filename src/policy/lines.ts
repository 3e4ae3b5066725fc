/**
 * The lines of a zone: `connect tcp!*.github.com!22,443`. Parsing is strict, for what is misread here
 * lets somebody out: what is not surely right is an error that says what would be.
 */
import { isUtf8 } from 'node:buffer';
import { formatIp, isUnspecified, parseHost, parseIp, type Ip } from '../netfs/address.ts';
import { FsError } from '../netfs/error.ts';
import { servicePort } from '../netfs/services.ts';
import { Edited } from './edited.ts';
import { networkAround, widthOf, type Network } from './network.ts';

export type Verb = 'connect' | 'announce' | 'accept' | 'resolve';

export type HostPattern =
  /** `*` */
  | { readonly kind: 'any' }
  /** In lower case, without a final dot. */
  | { readonly kind: 'name'; readonly name: string }
  /** `*.github.com`: `github.com`; all names below it, and not itself. */
  | { readonly kind: 'suffix'; readonly suffix: string }
  /** An address is a network of all its bits. */
  | ({ readonly kind: 'network' } & Network);

/** Both ends are in it; `*` is 0 to 65535. */
export interface PortRange {
  readonly low: number;
  readonly high: number;
}

export interface Line {
  readonly verb: Verb;
  /** `tcp`, `udp` or `*`; `*` of resolve. */
  readonly protocol: string;
  readonly host: HostPattern;
  /**
   * By low, then high end, each once. Others are not merged: the width of each says how specific it is.
   * Of resolve one from 0 to 65535.
   */
  readonly ports: readonly PortRange[];
  /** As formatLine writes it. */
  readonly text: string;
  /** From 1, in its zone. */
  readonly number: number;
  /** As it was written, comment and all. */
  readonly source: string;
}

/** The first thing wrong with a line; lines and columns (characters) count from 1. */
export class LineError extends FsError {
  readonly line: number;
  readonly column: number;
  readonly reason: string;

  constructor(line: number, column: number, reason: string) {
    super('Esyntax', `line ${line}, column ${column}: ${reason}`);
    this.line = line;
    this.column = column;
    this.reason = reason;
  }
}

/** Bytes of a line, without its end. */
const MAX_LINE = 1024;

const EVERY_PORT: readonly PortRange[] = [{ low: 0, high: 65535 }];
const ANY_HOST: HostPattern = { kind: 'any' };

/** An address for each verb, as its errors show it. */
const EXAMPLES: Readonly<Record<Verb, string>> = {
  connect: 'tcp!github.com!443',
  announce: 'tcp!127.0.0.1!8000-8999',
  accept: 'tcp!10.0.0.0/8!8080',
  resolve: '*.github.com',
};

const isVerb = (word: string): word is Verb => Object.hasOwn(EXAMPLES, word);

// ---- zones ------------------------------------------------------------------------------------

/**
 * All lines of a zone; LineError for the first bad one. Lines that also stand in `before` are not parsed
 * again and mean what they meant, the ports of services too; one with the same number is the same object.
 */
export function parseZone(text: Buffer, before: readonly Line[] = []): Line[] {
  const lines: Line[] = [];
  eachLine(
    text,
    before,
    line => lines.push(line),
    error => {
      throw error;
    },
  );
  return lines;
}

/** What is wrong with each bad line of a zone. */
export function zoneErrors(text: Buffer): LineError[] {
  const errors: LineError[] = [];
  eachLine(
    text,
    [],
    () => {},
    error => errors.push(error),
  );
  return errors;
}

function eachLine(
  text: Buffer,
  before: readonly Line[],
  good: (line: Line) => void,
  bad: (error: LineError) => void,
): void {
  const sources = text.toString('utf8').split('\n');
  const edited = new Edited(
    before.map(({ source }) => source),
    sources,
    isNoLine,
  );
  const portOf = rememberedServices();
  const undecodable = isUtf8(text) ? undefined : splitBytes(text);
  for (let i = 0; i < sources.length; i++) {
    try {
      if (undecodable !== undefined) checkUtf8(undecodable[i]!, i + 1);
      const known = edited.find(i);
      const line =
        known === undefined ? parse(copied(sources[i]!), i + 1, portOf) : numbered(before[known]!, i + 1);
      if (line !== undefined) good(line);
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      bad(error);
    }
  }
}

const isNoLine = (source: string): boolean => /^[ \t\r]*(#|$)/.test(source);

/** What is cut out of a text keeps all of that text in memory. */
const copied = (text: string): string => Buffer.from(text).toString();

function numbered(known: Line, number: number): Line {
  const { verb, protocol, host, ports, text, source } = known;
  return known.number === number ? known : { verb, protocol, host, ports, text, number, source };
}

/** Cut where toString and split cut: a newline is never part of another character. */
function splitBytes(text: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let start = 0;
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
    lines.push(text.subarray(start, end));
    start = end + 1;
  }
  lines.push(text.subarray(start));
  return lines;
}

function checkUtf8(bytes: Buffer, number: number): void {
  if (isUtf8(bytes)) return;
  if (bytes.length > MAX_LINE) throw tooLong(bytes.toString('latin1'), number);
  let good = bytes.length;
  while (!isUtf8(bytes.subarray(0, good))) good--;
  // The bytes of a character that is not whole are no character before the bad one.
  const column = [...bytes.toString('utf8', 0, good)].length + 1;
  throw new LineError(number, column, 'these bytes are no UTF-8; write names in ASCII, as xn--...');
}

/** The file of services is looked at once for each, and not for each line. */
function rememberedServices(): typeof servicePort {
  const ports = new Map<string, number | undefined>();
  return (name, protocol) => {
    const key = `${name}/${protocol}`;
    if (!ports.has(key)) ports.set(key, servicePort(name, protocol));
    return ports.get(key);
  };
}

// ---- a line -----------------------------------------------------------------------------------

/**
 * One line, without its newline; undefined where it is blank or a comment. `portOf` says the port of a
 * service for a protocol. Throws LineError.
 */
export const parseLine = (text: string, number = 1, portOf = servicePort): Line | undefined =>
  parse(text, number, portOf);

/** A part of a line, and the column where it begins. */
interface Part {
  readonly text: string;
  readonly column: number;
}

function parse(source: string, number: number, portOf: typeof servicePort): Line | undefined {
  checkCharacters(source, number);
  const [verb, address, extra] = wordsOf(source);
  if (verb === undefined) return undefined;
  try {
    return parseWords(verb, address, extra, { source, number, portOf });
  } catch (error) {
    if (error instanceof Wrong) throw error.at(source, number);
    throw error;
  }
}

/** What is wrong in a line whose number its finder does not know. */
class Wrong {
  readonly column: number;
  readonly reason: string;

  constructor({ column }: Part, reason: string) {
    this.column = column;
    this.reason = reason;
  }

  at(source: string, number: number): LineError {
    return new LineError(number, columnOf(source, this.column - 1), this.reason);
  }
}

/** A character beyond the first 65536 takes two places of a string. */
const columnOf = (source: string, index: number): number => [...source.slice(0, index)].length + 1;

interface Place {
  readonly source: string;
  readonly number: number;
  readonly portOf: typeof servicePort;
}

function parseWords(
  verb: Part,
  address: Part | undefined,
  extra: Part | undefined,
  { source, number, portOf }: Place,
): Line {
  if (!isVerb(verb.text)) throw new Wrong(verb, notVerb(verb.text));
  if (address === undefined) {
    const behind = { text: '', column: verb.column + verb.text.length };
    throw new Wrong(behind, `${verb.text} needs an address; write ${verb.text} ${EXAMPLES[verb.text]}`);
  }
  const parts = verb.text === 'resolve' ? parseResolve(address) : parseAddress(verb.text, address, portOf);
  if (extra !== undefined) {
    throw new Wrong(
      extra,
      `'${shown(extra.text)}' is too much: a line has one address; write # before a comment`,
    );
  }
  const line = { verb: verb.text, ...parts };
  const text = formatLine(line);
  // One string where both are the same.
  return { ...line, text, number, source: source === text ? text : source };
}

function notVerb(word: string): string {
  if (word.includes('!')) return `a line begins with what it allows; write connect ${shown(word)}`;
  const lower = word.toLowerCase();
  if (isVerb(lower)) return `'${shown(word)}' is no verb; write ${lower}`;
  return `'${shown(word)}' is no verb; write connect, announce, accept or resolve`;
}

function parseResolve(address: Part): Pick<Line, 'protocol' | 'host' | 'ports'> {
  const example = `write resolve ${EXAMPLES.resolve}`;
  if (address.text.includes('!')) {
    throw new Wrong(address, `resolve has a name and no protocol and ports; ${example}`);
  }
  if (isAddress(address.text)) {
    throw new Wrong(address, `resolve judges names, and '${shown(address.text)}' is an address; ${example}`);
  }
  return { protocol: '*', host: parsePattern(address), ports: EVERY_PORT };
}

const isAddress = (text: string): boolean =>
  text.includes('/') || parseIp(text.replace(/^\[(.*)\]$/, '$1')) !== undefined;

function parseAddress(
  verb: Exclude<Verb, 'resolve'>,
  address: Part,
  portOf: typeof servicePort,
): Pick<Line, 'protocol' | 'host' | 'ports'> {
  const [protocol, host, ports, more] = cutAt(address, '!');
  if (host === undefined) {
    throw new Wrong(
      address,
      `'${shown(address.text)}' is no PROTOCOL!HOST!PORTS; write ${verb} ${EXAMPLES[verb]}`,
    );
  }
  if (ports === undefined) {
    const behind = { text: '', column: address.column + address.text.length };
    throw new Wrong(behind, `the ports are missing; write ${shown(address.text)}!443, or !* for every port`);
  }
  if (more !== undefined) throw new Wrong(more, 'nothing follows the ports; write PROTOCOL!HOST!PORTS');
  return {
    protocol: parseProtocol(protocol!),
    host: judgedHost(verb, host),
    ports: parsePorts(ports, protocol!.text, portOf),
  };
}

function parseProtocol(part: Part): string {
  if (part.text === 'tcp' || part.text === 'udp' || part.text === '*') return part.text;
  if (part.text === 'net') throw new Wrong(part, "'net' is no protocol here; write * for every protocol");
  throw new Wrong(part, `'${shown(part.text)}' is no protocol; write tcp, udp or *`);
}

// ---- hosts ------------------------------------------------------------------------------------

/** What a listener has on either side are addresses; whose names they are nobody knows for sure. */
function judgedHost(verb: Verb, part: Part): HostPattern {
  const host = parsePattern(part);
  if (verb === 'connect' || host.kind === 'any') return host;
  if (host.kind !== 'network') {
    throw new Wrong(part, `${verb} judges addresses, not names; write an address, a network or *`);
  }
  if (verb === 'announce' && host.prefix === widthOf(host.ip.family) && isUnspecified(host.ip)) {
    throw new Wrong(part, `'${shown(part.text)}' stands for every address of the host; write *`);
  }
  return host;
}

function parsePattern(part: Part): HostPattern {
  const { text } = part;
  if (text === '*') return ANY_HOST;
  if (text === '')
    throw new Wrong(part, 'the host is missing; write a name, *.NAME, an address, a network or *');
  if (text.includes('/')) return parseNetwork(part);
  if (text.startsWith('*.')) return { kind: 'suffix', suffix: suffixOf(part) };
  if (text.includes('*')) {
    throw new Wrong(
      part,
      `'${shown(text)}': * stands alone, or for the first labels of a name; write *.github.com`,
    );
  }
  const host = hostOf(part, text);
  if (typeof host === 'string') return { kind: 'name', name: copied(withoutDot(host)) };
  return { kind: 'network', ip: host, prefix: widthOf(host.family) };
}

function suffixOf(part: Part): string {
  const rest = part.text.slice(2);
  if (isAddress(rest) || /^[\d.]+$/.test(rest)) {
    throw new Wrong(
      part,
      `'${shown(part.text)}': *. stands before names; write a network such as 10.0.0.0/8`,
    );
  }
  if (rest.includes('*') || rest === '' || rest === '.') {
    throw new Wrong(part, `'${shown(part.text)}' has no name behind its *.; write *.github.com`);
  }
  const suffix = hostOf(part, rest);
  return copied(withoutDot(suffix as string));
}

function hostOf(part: Part, text: string): Ip | string {
  try {
    return parseHost(text);
  } catch (error) {
    if (error instanceof FsError) throw new Wrong(part, error.detail!);
    throw error;
  }
}

const withoutDot = (name: string): string => name.replace(/\.$/, '');

function parseNetwork(part: Part): HostPattern {
  const [address, length, more] = cutAt(part, '/');
  const bracketed = /^\[(.*:.*)\]$/.exec(address!.text);
  const ip = parseIp(bracketed?.[1] ?? address!.text);
  if (ip === undefined || more !== undefined) {
    throw new Wrong(part, `'${shown(part.text)}' is no network; write 10.0.0.0/8 or 2001:db8::/32`);
  }
  const prefix = parsePrefix(length!, ip, address!.text.includes(':'));
  const network = networkAround(ip, prefix);
  if (network.ip.bytes.some((byte, i) => byte !== ip.bytes[i])) {
    throw new Wrong(
      part,
      `'${shown(part.text)}' has bits behind its prefix; write ${formatNetwork(network)}`,
    );
  }
  return { kind: 'network', ip, prefix };
}

/** Bits of the address as it is held: v4-mapped ones have 96 less than were written. */
function parsePrefix(part: Part, ip: Ip, colons: boolean): number {
  const most = colons ? 128 : 32;
  if (!/^(0|[1-9]\d{0,2})$/.test(part.text) || Number(part.text) > most) {
    throw new Wrong(part, `'${shown(part.text)}' is no length of a prefix; write 0 to ${most}`);
  }
  const prefix = Number(part.text);
  if (!colons || ip.family === 6) return prefix;
  if (prefix < 96) {
    throw new Wrong(part, 'v4-mapped addresses are IPv4, whose prefixes begin at 96 here; write 10.0.0.0/8');
  }
  return prefix - 96;
}

const formatNetwork = ({ ip, prefix }: Network): string => `${formatIp(ip)}/${prefix}`;

// ---- ports ------------------------------------------------------------------------------------

function parsePorts(part: Part, protocol: string, portOf: typeof servicePort): readonly PortRange[] {
  if (part.text === '*') return EVERY_PORT;
  if (part.text === '') throw new Wrong(part, 'the ports are missing; write 443, 8000-8999, https or *');
  const ranges = cutAt(part, ',').map(each => parseRange(each, protocol, portOf));
  ranges.sort((a, b) => a.low - b.low || a.high - b.high);
  return ranges.filter(({ low, high }, i) => low !== ranges[i - 1]?.low || high !== ranges[i - 1]?.high);
}

function parseRange(part: Part, protocol: string, portOf: typeof servicePort): PortRange {
  if (part.text === '') throw new Wrong(part, 'a port is missing; write lists without blanks, 22,443');
  if (part.text === '*') throw new Wrong(part, '* is every port and stands alone; write * or the ports');
  const ends = /^(\d+)-(\d+)$/.exec(part.text);
  if (ends === null) {
    const port = /^\d+$/.test(part.text) ? numberOf(part, part.text) : serviceOf(part, protocol, portOf);
    return { low: port, high: port };
  }
  const [low, high] = [numberOf(part, ends[1]!), numberOf(part, ends[2]!)];
  if (low > high) throw new Wrong(part, `'${shown(part.text)}' is no range; write ${high}-${low}`);
  return { low, high };
}

function numberOf(part: Part, digits: string): number {
  const port = Number(digits);
  if (port > 65535) throw new Wrong(part, `'${shown(digits)}' is no port; write 1 to 65535`);
  if (port === 0) throw new Wrong(part, 'port 0 is no port; write 1 to 65535, or * for every port');
  if (digits.startsWith('0')) throw new Wrong(part, `'${shown(digits)}' is no port; write ${port}`);
  return port;
}

function serviceOf(part: Part, protocol: string, portOf: typeof servicePort): number {
  const protocols = protocol === '*' ? ['tcp', 'udp'] : [protocol];
  const found = protocols.map(each => portOf(part.text, each)).filter(port => port !== undefined);
  const [port, other] = found;
  if (port === undefined) {
    throw new Wrong(
      part,
      `'${shown(part.text)}' is no port; write 1 to 65535, a range, or a service such as https`,
    );
  }
  if (other !== undefined && other !== port) {
    throw new Wrong(part, `'${shown(part.text)}' is ${port} of tcp and ${other} of udp; write the number`);
  }
  if (port === 0)
    throw new Wrong(part, `'${shown(part.text)}' is port 0, which is no port; write the number`);
  return port;
}

// ---- text -------------------------------------------------------------------------------------

/** The line in its one form: lower case, numbers of ports, addresses as /net writes them. */
export function formatLine({
  verb,
  protocol,
  host,
  ports,
}: Pick<Line, 'verb' | 'protocol' | 'host' | 'ports'>): string {
  if (verb === 'resolve') return `resolve ${formatHost(host)}`;
  return `${verb} ${protocol}!${formatHost(host)}!${ports.map(formatRange).join(',')}`;
}

export function formatHost(host: HostPattern): string {
  if (host.kind === 'any') return '*';
  if (host.kind === 'name') return host.name;
  if (host.kind === 'suffix') return `*.${host.suffix}`;
  return host.prefix === widthOf(host.ip.family) ? formatIp(host.ip) : formatNetwork(host);
}

function formatRange({ low, high }: PortRange): string {
  if (low === high) return String(low);
  return low === 0 && high === 65535 ? '*' : `${low}-${high}`;
}

/** Blanks between; what follows # is a comment; the CR of a CRLF is a blank. */
function wordsOf(source: string): Part[] {
  const comment = source.indexOf('#');
  const text = comment < 0 ? source : source.slice(0, comment);
  const words: Part[] = [];
  for (const match of text.matchAll(/[^ \t\r]+/g)) {
    words.push({ text: match[0], column: match.index + 1 });
    if (words.length === 3) break;
  }
  return words;
}

function cutAt(part: Part, separator: string): Part[] {
  let column = part.column;
  return part.text.split(separator).map(text => {
    const piece = { text, column };
    column += text.length + 1;
    return piece;
  });
}

/** Printable ASCII and tabs, maybe a CR at the end. */
const PLAIN = /^[\t\x20-\x7e]*\r?$/;

/** Controls but for tabs, halves of characters, and what changes how a text looks: marks of order and direction. */
const HIDDEN = /(?!\t)(?!\r$)[\p{Cc}\p{Cs}\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/u;

function checkCharacters(source: string, number: number): void {
  if (source.length > MAX_LINE || Buffer.byteLength(source) > MAX_LINE) throw tooLong(source, number);
  if (PLAIN.test(source)) return;
  const hidden = HIDDEN.exec(source);
  if (hidden !== null) {
    const code = hidden[0].codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
    throw new LineError(
      number,
      columnOf(source, hidden.index),
      `U+${code} is not seen where it stands; leave it out`,
    );
  }
}

function tooLong(source: string, number: number): LineError {
  let bytes = 0;
  let column = 1;
  for (const character of source) {
    bytes += Buffer.byteLength(character);
    if (bytes > MAX_LINE) break;
    column++;
  }
  return new LineError(number, column, `a line has at most ${MAX_LINE} bytes; write several`);
}

/** Part of a message: no more than a glance takes in, and no character that a terminal obeys. */
function shown(text: string): string {
  const printable = text.replace(/[^\x20-\x7e]/g, '?');
  return printable.length > 60 ? `${printable.slice(0, 57)}...` : printable;
}
