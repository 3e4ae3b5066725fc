/** What a record holds, as text. */
import { formatIp } from '../../netfs/address.ts';
import { domainOctets, escapeOctet } from '../../netfs/domain.ts';
import { Malformed, type Reader } from './reader.ts';

type Field = 'name' | 'u16' | 'u32' | 'string';

/** Fields that are written one behind the other: RFC 1035, 3.3; RFC 2782. */
const WRITTEN: Readonly<Record<number, readonly Field[]>> = {
  2: ['name'], // ns
  5: ['name'], // cname
  6: ['name', 'name', 'u32', 'u32', 'u32', 'u32', 'u32'], // soa
  12: ['name'], // ptr
  15: ['u16', 'name'], // mx
  33: ['u16', 'u16', 'u16', 'name'], // srv
};

/**
 * Types that are given as data and have names in it, which a server may have compressed (RFC 3597, 4):
 * outside its message such data would mean nothing.
 */
const WITH_NAMES: Readonly<Record<number, readonly Field[]>> = {
  3: ['name'], // md
  4: ['name'], // mf
  7: ['name'], // mb
  8: ['name'], // mg
  9: ['name'], // mr
  14: ['name', 'name'], // minfo
  17: ['name', 'name'], // rp
  18: ['u16', 'name'], // afsdb
  21: ['u16', 'name'], // rt
  26: ['u16', 'name', 'name'], // px
  35: ['u16', 'u16', 'string', 'string', 'string', 'name'], // naptr
  36: ['u16', 'name'], // kx
  39: ['name'], // dname
};

const IP = 1;
const TXT = 16;
const IPV6 = 28;

/** Reads `length` octets of data, exactly. */
export function readValue(reader: Reader, type: number, length: number): string {
  const end = reader.at + length;
  if (end > reader.message.length) throw new Malformed('it ends too early');
  const value = valueOf(reader, type, length);
  if (reader.at !== end) throw new Malformed(`data of type ${type} that is not as long as it says`);
  return value;
}

function valueOf(reader: Reader, type: number, length: number): string {
  if (type === IP) return formatIp({ family: 4, bytes: reader.bytes(4) });
  if (type === IPV6) return formatIp({ family: 6, bytes: reader.bytes(16) });
  if (type === TXT) return text(reader, length);
  const written = WRITTEN[type];
  if (written !== undefined) return written.map(field => readField(reader, field)).join(' ');
  const fields = WITH_NAMES[type];
  if (fields === undefined || length === 0) return data(reader.bytes(length));
  return data(Buffer.concat(fields.map(field => expanded(reader, field))));
}

function readField(reader: Reader, field: Field): string | number {
  switch (field) {
    case 'name':
      return reader.name();
    case 'u16':
      return reader.u16();
    case 'u32':
      return reader.u32();
    case 'string':
      return reader.bytes(reader.u8()).toString('latin1');
  }
}

/** A field's own octets, a name's without compression. */
function expanded(reader: Reader, field: Field): Uint8Array {
  const start = reader.at;
  const value = readField(reader, field);
  return field === 'name' ? domainOctets(String(value))! : reader.message.subarray(start, reader.at);
}

/** RFC 3597, 5: `\# 4 c0000207`. */
const data = (bytes: Buffer): string =>
  bytes.length === 0 ? '\\# 0' : `\\# ${bytes.length} ${bytes.toString('hex')}`;

/**
 * What no line should hold, and what a terminal or a reader would obey: controls, those of C1 too, ends of
 * lines and of paragraphs, and what turns the direction of writing.
 */
const UNFIT = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** Its strings, one behind the other: it is UTF-8 or it is octets, and what is unfit is `\DDD` an octet. */
function text(reader: Reader, length: number): string {
  const end = reader.at + length;
  const parts: Buffer[] = [];
  while (reader.at < end) parts.push(reader.bytes(reader.u8()));
  const whole = Buffer.concat(parts);
  const decoded = whole.toString('utf8');
  return Buffer.from(decoded).equals(whole)
    ? decoded.replace(/\\/g, '\\\\').replace(UNFIT, escapeOctets)
    : whole
        .toString('latin1')
        .replace(/\\/g, '\\\\')
        .replace(/[^ -~]/g, escapeOctet);
}

const escapeOctets = (char: string): string =>
  Buffer.from(char).toString('latin1').replace(/[^]/g, escapeOctet);
