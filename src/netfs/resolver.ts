/** What the tree needs of names: records of the domain name system, and the addresses of a host. */
import type { Signal } from '../abort.ts';
import type { Caller } from '../policy/identity.ts';
import type { Ip } from './address.ts';
import { FsError } from './error.ts';

/** One resource record, in the words of ndb(8). */
export interface ResourceRecord {
  /** Whose it is, without a final dot: behind an alias not the name that was asked for. */
  readonly name: string;
  /** `ip`, `ipv6`, `mx` ...: RECORD_TYPES has them; for a type without a name the decimal number. */
  readonly type: string;
  /**
   * The value as dns(8) writes it: `192.0.2.7`, `10 mx.example.org`; of types beside ip, ns, cname, soa,
   * ptr, mx, txt, ipv6 and srv the data, `\\# LENGTH HEX` (RFC 3597, 5).
   */
  readonly value: string;
  /** Seconds for which it may be kept. */
  readonly ttl: number;
}

/** An address of a host, and the seconds for which that is true (Infinity: until a file is edited). */
export interface HostAddress {
  readonly ip: Ip;
  readonly ttl: number;
  /** The name in full under which it was found, where that is not the one that was asked for. */
  readonly name?: string;
  /** This machine's own files say so: no stranger. */
  readonly own?: boolean;
}

/**
 * Errors of both: Enoname (there is no such name), Enorecord (none of this type), Edns (no answer that
 * could be used). Both heed the signal and fail with its reason. `asker` is on whose behalf: what one
 * user asks must not keep others from asking.
 */
export interface Resolver {
  /**
   * The records of exactly this name and type, aliases on the way first; at least one. `type` is what
   * typeNumber takes; for ptr the name may be an address. One with a final dot is looked for in no domain.
   * A file of hosts answers before the network, as the host has it.
   */
  records(name: string, type: string, signal: Signal, asker: Caller): Promise<readonly ResourceRecord[]>;
  /** The addresses of a host as this machine's programs find them: hosts, search domains; at least one, IPv4 first. */
  addresses(name: string, signal: Signal, asker: Caller): Promise<readonly HostAddress[]>;
  /**
   * Domains in which a name of one label may be meant, in the order to try them; none for a name that is known
   * as it is. Absent: none.
   */
  domains?(name: string): readonly string[];
}

/**
 * What is found by the first of several names that has something. A name that is there without it tells
 * more than one that is not. Other errors end the search.
 */
export async function firstOf<T>(names: readonly string[], find: (name: string) => Promise<T>): Promise<T> {
  let missing: FsError | undefined;
  for (const name of names) {
    try {
      return await find(name);
    } catch (error) {
      if (!isMissing(error)) throw error;
      if (missing?.name !== 'Enorecord') missing = error;
    }
  }
  throw missing ?? new FsError('Enoname');
}

/** There is nothing of that kind; which is not to be had where nobody answers. */
export const isMissing = (error: unknown): error is FsError =>
  error instanceof FsError && (error.name === 'Enoname' || error.name === 'Enorecord');

/** What is asked for when every type is: QTYPE *, RFC 1035, 3.2.3. */
export const ALL = 255;

/** Record types by the names of dns(8), which are the field's own in lower case but for ip and ipv6 (IANA: Resource Record TYPEs). */
export const RECORD_TYPES: Readonly<{ [name: string]: number }> = {
  ip: 1,
  ns: 2,
  md: 3,
  mf: 4,
  cname: 5,
  soa: 6,
  mb: 7,
  mg: 8,
  mr: 9,
  null: 10,
  wks: 11,
  ptr: 12,
  hinfo: 13,
  minfo: 14,
  mx: 15,
  txt: 16,
  rp: 17,
  afsdb: 18,
  'x.25': 19,
  isdn: 20,
  rt: 21,
  nsap: 22,
  'nsap-ptr': 23,
  sig: 24,
  key: 25,
  px: 26,
  gpos: 27,
  ipv6: 28,
  loc: 29,
  nxt: 30,
  eid: 31,
  nimrod: 32,
  srv: 33,
  atma: 34,
  naptr: 35,
  kx: 36,
  cert: 37,
  a6: 38,
  dname: 39,
  sink: 40,
  apl: 42,
  ds: 43,
  sshfp: 44,
  ipseckey: 45,
  rrsig: 46,
  nsec: 47,
  dnskey: 48,
  dhcid: 49,
  nsec3: 50,
  nsec3param: 51,
  tlsa: 52,
  smimea: 53,
  hip: 55,
  cds: 59,
  cdnskey: 60,
  openpgpkey: 61,
  csync: 62,
  zonemd: 63,
  svcb: 64,
  https: 65,
  spf: 99,
  uinfo: 100,
  uid: 101,
  gid: 102,
  unspec: 103,
  eui48: 108,
  eui64: 109,
  uri: 256,
  caa: 257,
  all: ALL,
};

/** Names by which the types above are also known: 9front's, the field's, and those of dig(1). */
const SYNONYMS: Readonly<{ [name: string]: number }> = { any: ALL, a: 1, aaaa: 28, x25: 19 };

const NAMES = new Map(Object.entries(RECORD_TYPES).map(([name, type]) => [type, name]));

/** A type's number, from its name in any case, `65`, or `TYPE65` (RFC 3597, 5); undefined if there is none. */
export function typeNumber(text: string): number | undefined {
  const name = text.toLowerCase();
  for (const table of [RECORD_TYPES, SYNONYMS]) if (Object.hasOwn(table, name)) return table[name];
  const digits = /^(?:type)?(\d{1,5})$/.exec(name)?.[1];
  return digits !== undefined && isRecordType(Number(digits)) ? Number(digits) : undefined;
}

/** RFC 6895, 3.1: 0, OPT and 128 to 255 are types that no record has, but * may be asked. */
const isRecordType = (type: number): boolean =>
  type === ALL || (type > 0 && type <= 65535 && type !== 41 && (type < 128 || type > 255));

/** As an answer calls it: its name, or the decimal number of one that has none. */
export const typeName = (type: number): string => NAMES.get(type) ?? String(type);
