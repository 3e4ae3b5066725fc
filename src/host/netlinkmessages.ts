/**
 * The framing of netlink(7): a header of 16 bytes, a body, attributes of type and length inside. All in
 * the host's byte order, everything padded to 4 bytes. Whatever the bytes are, reading them ends and
 * stays inside.
 */

export const NLM_F_REQUEST = 0x1;
/** The tables changed under the dump: what it says was never true at one time. */
export const NLM_F_DUMP_INTR = 0x10;
/** NLM_F_ROOT and NLM_F_MATCH: all there is. */
export const NLM_F_DUMP = 0x300;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
/** Types below are netlink's own. */
export const NLMSG_MIN_TYPE = 16;

const HEADER = 16;
const ATTRIBUTE = 4;
/** NLA_F_NESTED and NLA_F_NET_BYTEORDER are no part of the type. */
const TYPE_MASK = 0x3fff;

export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** A view of what was read. */
  readonly body: Buffer;
}

const aligned = (length: number): number => (length + 3) & ~3;

export function encodeMessage(type: number, flags: number, sequence: number, body: Buffer): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(HEADER + body.length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(flags, 6);
  header.writeUInt32LE(sequence, 8);
  return Buffer.concat([header, body]);
}

/** The messages of one datagram; one that is cut off ends them. */
export function* decodeMessages(datagram: Buffer): Iterable<Message> {
  for (let at = 0; at + HEADER <= datagram.length;) {
    const length = datagram.readUInt32LE(at);
    if (length < HEADER || at + length > datagram.length) return;
    yield {
      type: datagram.readUInt16LE(at + 4),
      flags: datagram.readUInt16LE(at + 6),
      sequence: datagram.readUInt32LE(at + 8),
      body: datagram.subarray(at + HEADER, at + length),
    };
    at += aligned(length);
  }
}

export type Attributes = ReadonlyMap<number, Buffer>;

/** The attributes of a body behind its fixed part; the last of a type counts, one that is cut off ends them. */
export function decodeAttributes(body: Buffer, from: number): Attributes {
  const found = new Map<number, Buffer>();
  for (let at = from; at + ATTRIBUTE <= body.length;) {
    const length = body.readUInt16LE(at);
    if (length < ATTRIBUTE || at + length > body.length) break;
    found.set(body.readUInt16LE(at + 2) & TYPE_MASK, body.subarray(at + ATTRIBUTE, at + length));
    at += aligned(length);
  }
  return found;
}

/** A u32; undefined where there is none. */
export function u32(value: Buffer | undefined, at = 0): number | undefined {
  return value !== undefined && value.length >= at + 4 ? value.readUInt32LE(at) : undefined;
}

/** A u64 as a double. */
export function u64(value: Buffer | undefined, at: number): number | undefined {
  return value !== undefined && value.length >= at + 8 ? Number(value.readBigUInt64LE(at)) : undefined;
}

/** A string that ends with NUL or with the attribute. */
export function text(value: Buffer | undefined): string | undefined {
  if (value === undefined) return undefined;
  const end = value.indexOf(0);
  return value.toString('utf8', 0, end < 0 ? value.length : end);
}
