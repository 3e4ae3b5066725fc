/**
 * Addresses as /net writes them: `192.0.2.7!80`, `2001:db8::1!443`, `*!7`. Parsing is strict: a host
 * that looks like an address is an address or an error, never a name, so that what was judged is
 * what is dialled.
 */
import { FsError } from './error.ts';
import { servicePort } from './services.ts';

/** An IP address in network byte order: 4 or 16 bytes. A v4-mapped IPv6 address is held as IPv4. */
export interface Ip {
  readonly family: 4 | 6;
  readonly bytes: Uint8Array;
}

/** One end of a conversation. */
export interface Endpoint {
  readonly ip: Ip;
  readonly port: number;
}

export const ANY: Ip = { family: 6, bytes: new Uint8Array(16) };
export const UNSET: Endpoint = { ip: ANY, port: 0 };

/** `::` and `0.0.0.0` */
export function isUnspecified(ip: Ip): boolean {
  return ip.bytes.every(byte => byte === 0);
}

export function sameIp(a: Ip, b: Ip): boolean {
  return a.family === b.family && a.bytes.every((byte, i) => byte === b.bytes[i]);
}

/** 127.0.0.0/8 and ::1 */
export function isLoopback(ip: Ip): boolean {
  if (ip.family === 4) return ip.bytes[0] === 127;
  return ip.bytes[15] === 1 && ip.bytes.subarray(0, 15).every(byte => byte === 0);
}

/** An address in any of its strict forms, or undefined: no octal, no short forms, no zone. */
export function parseIp(text: string): Ip | undefined {
  if (text.includes(':')) {
    const bytes = parseIp6(text);
    return bytes === undefined ? undefined : unmap(bytes);
  }
  const bytes = parseIp4(text);
  return bytes === undefined ? undefined : { family: 4, bytes };
}

function parseIp4(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  if (!parts.every(part => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return undefined;
  return Uint8Array.from(parts, Number);
}

function parseIp6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1]!, true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  return Uint8Array.from(groups.flatMap(group => [group >> 8, group & 0xff]));
}

/** 16-bit groups of one side of `::`; the last two may be written as IPv4 where `v4Last` allows. */
function parseGroups(text: string, v4Last: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(parseInt(part, 16));
    else {
      const v4 = v4Last && i === parts.length - 1 ? parseIp4(part) : undefined;
      if (v4 === undefined) return undefined;
      groups.push((v4[0]! << 8) | v4[1]!, (v4[2]! << 8) | v4[3]!);
    }
  }
  return groups;
}

/** An address of 4 or 16 bytes, which are copied. */
export function ipFromBytes(bytes: Uint8Array): Ip {
  return bytes.length === 4 ? { family: 4, bytes: Uint8Array.from(bytes) } : unmap(Uint8Array.from(bytes));
}

const V4_MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** An address in 16 bytes, IPv4 as v4-mapped IPv6. */
export function bytes16({ family, bytes }: Ip): Uint8Array {
  return family === 6 ? bytes : Uint8Array.from([...V4_MAPPED, ...bytes]);
}

/** 0.0.0.0 or :: */
export const anyOf = (family: 4 | 6): Ip => ({ family, bytes: new Uint8Array(family === 4 ? 4 : 16) });

/** 224.0.0.0/4 and ff00::/8 */
export function isMulticast({ family, bytes }: Ip): boolean {
  return family === 4 ? bytes[0]! >> 4 === 14 : bytes[0] === 0xff;
}

/** fe80::/10 and 169.254.0.0/16: they mean something on one link, and which that is they do not say. */
export function isLinkLocal({ family, bytes }: Ip): boolean {
  if (family === 4) return bytes[0] === 169 && bytes[1] === 254;
  return bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80;
}

/** ::ffff:a.b.c.d is the IPv4 address a.b.c.d (RFC 4291, 2.5.5.2). */
function unmap(bytes: Uint8Array): Ip {
  const mapped = V4_MAPPED.every((byte, i) => bytes[i] === byte);
  return mapped ? { family: 4, bytes: bytes.slice(12) } : { family: 6, bytes };
}

/** As Plan 9's %I: dotted IPv4; else lower-case groups, the first longest run of zeros as `::`. */
export function formatIp(ip: Ip): string {
  if (ip.family === 4) return ip.bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => (ip.bytes[2 * i]! << 8) | ip.bytes[2 * i + 1]!);
  const { start, length } = longestZeroRun(groups);
  const hex = (part: number[]): string => part.map(group => group.toString(16)).join(':');
  if (length === 0) return hex(groups);
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

function longestZeroRun(groups: number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let i = 0; i < groups.length; i++) {
    let end = i;
    while (groups[end] === 0) end++;
    if (end - i > best.length) best = { start: i, length: end - i };
    if (end > i) i = end;
  }
  return best;
}

export function formatEndpoint({ ip, port }: Endpoint): string {
  return `${formatIp(ip)}!${port}`;
}

// ---- what ctl messages hold -------------------------------------------------------------------

/** Where a connect goes: an address, or a name to be resolved. */
export interface Destination {
  readonly host: Ip | string;
  readonly port: number;
  /** `!r`: from a local port below 1024. */
  readonly reserved: boolean;
}

/** Options after the port that 9front's tcp knows; only `r` means something to a host's socket. */
const CONNECT_OPTIONS = new Set(['r', 'fasttimeout']);

/** `HOST!PORT[!r]`: HOST an address or a name, PORT a number or a service of `protocol`. */
export function parseDestination(text: string, protocol: string): Destination {
  const [host, port, ...options] = text.split('!');
  if (host === undefined || host === '' || port === undefined) {
    throw new FsError('Ebadaddr', `'${text}' is no address; write HOST!PORT`);
  }
  if (options.length > 0 && (host === protocol || host === 'net')) {
    throw new FsError('Ebadaddr', `leave out '${host}!', the protocol is known: write HOST!PORT`);
  }
  const unknown = options.find(option => !CONNECT_OPTIONS.has(option));
  if (unknown !== undefined) throw new FsError('Ebadaddr', `unknown option '!${unknown}'; there is !r`);
  const to = parseHost(host);
  if (typeof to !== 'string' && isUnspecified(to)) {
    throw new FsError('Ebadip', `${host} is no destination; for this machine write 127.0.0.1 or ::1`);
  }
  const destination = { host: to, port: parsePort(port, protocol), reserved: options.includes('r') };
  if (destination.port === 0) throw new FsError('Ebadport', 'port 0 is no destination');
  return destination;
}

/**
 * `[IP!]PORT` of announce and bind, or a bare port: `*` and `::` are any address, port 0 picks one.
 */
export function parseLocal(text: string, protocol: string): Endpoint {
  const fields = text.split('!');
  if (fields.length > 2) throw new FsError('Ebadaddr', `'${text}' is no local address; write [IP!]PORT`);
  const port = parsePort(fields.at(-1)!, protocol);
  const host = fields.length === 2 ? fields[0]! : '*';
  if (host === '*') return { ip: ANY, port };
  const ip = parseIp(unbracket(host));
  if (ip === undefined) throw new FsError('Ebadip', `'${host}' is no IP address; write one, or * for any`);
  return { ip, port };
}

const unbracket = (host: string): string => host.replace(/^\[(.*)\]$/, '$1');

/** An address, or a well-formed host name in lower case; one with a final dot is looked for nowhere else. */
export function parseHost(text: string): Ip | string {
  const bracketed = text.startsWith('[');
  const ip = parseIp(unbracket(text));
  if (ip !== undefined && (!bracketed || text.includes(':'))) return ip;
  const name = text.toLowerCase();
  const labels = name.replace(/\.$/, '').split('.');
  if (text.includes(':') || isNumeric(labels.at(-1)!)) {
    throw new FsError('Ebadip', `'${text}' is no IP address; write 192.0.2.7 or 2001:db8::1`);
  }
  if (name.length > (name.endsWith('.') ? 254 : 253) || !labels.every(label => LABEL.test(label))) {
    throw new FsError('Ebadaddr', `'${printable(text)}' is neither an IP address nor a host name`);
  }
  return name;
}

/** RFC 1123, 2.1, and the underscore that is in use. */
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** A last label that other parsers would take for part of an address (WHATWG URL, "ends in a number"). */
const isNumeric = (label: string): boolean => /^(\d+|0x[0-9a-f]*)$/.test(label);

const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?');

/** RFC 6335, 5.1, and what /etc/services holds beside it: a letter somewhere, maybe not first. */
const isService = (text: string): boolean => /^[a-z0-9_+.-]+$/i.test(text) && /[a-z]/i.test(text);

/** 0 to 65535, or the name of a service. */
function parsePort(text: string, protocol: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65535) return Number(text);
  const named = isService(text) ? servicePort(text, protocol) : undefined;
  if (named !== undefined) return named;
  throw new FsError(
    'Ebadport',
    `'${printable(text)}' is no port; write 0 to 65535 or a service such as http`,
  );
}
