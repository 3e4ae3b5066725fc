/** Addresses as names of the domain name system: RFC 1035, 3.5, and RFC 3596, 2.5. */
import { parseIp, type Ip } from './address.ts';

/** `7.2.0.192.in-addr.arpa` */
export function reverseName({ family, bytes }: Ip): string {
  if (family === 4) return `${[...bytes].reverse().join('.')}.in-addr.arpa`;
  const digits = Buffer.from(bytes).toString('hex');
  return `${[...digits].reverse().join('.')}.ip6.arpa`;
}

/** The address that such a name is of; also of one that is written as an address. */
export function parseReverse(name: string): Ip | undefined {
  const v4 = /^((?:\d{1,3}\.){4})in-addr\.arpa$/.exec(name);
  if (v4 !== null) return parseIp(v4[1]!.split('.').filter(Boolean).reverse().join('.'));
  const v6 = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name);
  if (v6 === null) return parseIp(name);
  const digits = v6[1]!.replaceAll('.', '').split('').reverse().join('');
  return parseIp(digits.replace(/(.{4})(?!$)/g, '$1:'));
}
