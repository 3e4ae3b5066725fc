/** Messages of rtnetlink(7), written by hand: what the decoder is tried with must not come from its own encoder. */

/** struct nlattr: length, type, the value padded to 4 bytes. */
export function attribute(type: number, value: Buffer | readonly number[]): Buffer {
  const bytes = Buffer.from(value);
  const padded = Buffer.alloc(4 + Math.ceil(bytes.length / 4) * 4);
  padded.writeUInt16LE(4 + bytes.length, 0);
  padded.writeUInt16LE(type, 2);
  bytes.copy(padded, 4);
  return padded;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** struct nlmsghdr and what follows. */
export function message(type: number, flags: number, sequence: number, ...body: Buffer[]): Buffer {
  const length = 16 + body.reduce((sum, part) => sum + part.length, 0);
  const header = Buffer.alloc(16);
  header.writeUInt32LE(length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(flags, 6);
  header.writeUInt32LE(sequence, 8);
  return Buffer.concat([header, ...body, Buffer.alloc((4 - (length % 4)) % 4)]);
}

/** struct ifinfomsg */
export function ifinfomsg(index: number, flags: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeInt32LE(index, 4);
  bytes.writeUInt32LE(flags, 8);
  return bytes;
}

/** struct ifaddrmsg */
export function ifaddrmsg(family: number, prefix: number, index: number): Buffer {
  return Buffer.concat([Buffer.from([family, prefix, 0, 0]), u32(index)]);
}

/** struct rtmsg; the flags are 0. */
export function rtmsg(
  family: number,
  prefix: number,
  { table = 254, type = 1, sourcePrefix = 0, flags = 0 } = {},
): Buffer {
  return Buffer.concat([Buffer.from([family, prefix, sourcePrefix, 0, table, 3, 0, type]), u32(flags)]);
}

/** struct ndmsg */
export function ndmsg(family: number, index: number, state: number): Buffer {
  return Buffer.concat([Buffer.from([family, 0, 0, 0]), u32(index), Buffer.from([state, 0, 0, 0])]);
}

/** struct rtnexthop */
export function nexthop(index: number, ...attributes: Buffer[]): Buffer {
  const rest = Buffer.concat(attributes);
  const head = Buffer.alloc(8);
  head.writeUInt16LE(8 + rest.length, 0);
  head.writeUInt32LE(index, 4);
  return Buffer.concat([head, rest]);
}
