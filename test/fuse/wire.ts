/** FUSE requests as bytes, written without the code under test. */

export interface HeaderBytes {
  readonly unique?: number;
  readonly nodeid?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly pid?: number;
}

/** struct fuse_in_header and what follows it. */
export function requestBytes(opcode: number, header: HeaderBytes, parts: readonly Buffer[]): Buffer {
  const { unique = 1, nodeid = 1, uid = 0, gid = 0, pid = 1 } = header;
  const bytes = Buffer.concat([Buffer.alloc(40), ...parts]);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt32LE(opcode, 4);
  bytes.writeBigUInt64LE(BigInt(unique), 8);
  bytes.writeBigUInt64LE(BigInt(nodeid), 16);
  bytes.writeUInt32LE(uid, 24);
  bytes.writeUInt32LE(gid, 28);
  bytes.writeUInt32LE(pid, 32);
  return bytes;
}
