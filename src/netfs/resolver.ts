/** What the tree needs of names: records of the domain name system, and the addresses of a host. */
import type { Signal } from '../abort.ts';
import type { Ip } from './address.ts';

/** One resource record, in the words of ndb(8). */
export interface ResourceRecord {
  /** Whose it is, without a final dot: behind an alias not the name that was asked for. */
  readonly name: string;
  /** `ip`, `ipv6`, `mx` ...: RECORD_TYPES has them; for other types the decimal number. */
  readonly type: string;
  /** The value as dns(8) writes it: `192.0.2.7`, `10 mx.example.org`. */
  readonly value: string;
  /** Seconds for which it may be kept. */
  readonly ttl: number;
}

/** An address of a host, and the seconds for which that is true (Infinity: until a file is edited). */
export interface HostAddress {
  readonly ip: Ip;
  readonly ttl: number;
}

/**
 * Errors of both: Enoname (there is no such name), Enorecord (none of this type), Edns (no answer that
 * could be used). Both heed the signal and fail with its reason.
 */
export interface Resolver {
  /**
   * The records of exactly this name and type, aliases on the way first; at least one. `type` is a name of
   * RECORD_TYPES, `all`, or a decimal number. A file of hosts answers before the network, as the host has it.
   */
  records(name: string, type: string, signal: Signal): Promise<readonly ResourceRecord[]>;
  /** The addresses of a host as this machine's programs find them: hosts, search domains; at least one, IPv4 first. */
  addresses(name: string, signal: Signal): Promise<readonly HostAddress[]>;
  /** Domains in which a name of one label may be meant, in the order to try them. Absent: none. */
  domains?(): readonly string[];
}

/** Record types by the names of ndb(8), and beside them the field's own: RFC 1035, 3596, 2782 ... */
export const RECORD_TYPES: Readonly<{ [name: string]: number }> = {
  ip: 1,
  ns: 2,
  cname: 5,
  soa: 6,
  ptr: 12,
  mx: 15,
  txt: 16,
  ipv6: 28,
  srv: 33,
};
