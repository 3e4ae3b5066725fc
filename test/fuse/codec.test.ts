/** The FUSE codec: what it reads and makes is what <linux/fuse.h> says, and what it cannot read it says so. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  decode,
  encodeReply,
  MalformedRequest,
  preamble,
  putHeader,
  sizeOf,
} from '../../src/server/fuse/codec.ts';
import {
  IN_HEADER,
  OUT_HEADER,
  REPLIES,
  REQUESTS,
  type Op,
  type ReplyBody,
  type ReplyName,
} from '../../src/server/fuse/kernel.ts';
import { formatRequest } from '../../src/server/fuse/trace.ts';
import { requestBytes } from './wire.ts';

const OPS = Object.keys(REQUESTS) as Op[];

/** sizeof of each struct, counted by a C compiler over <linux/fuse.h>. */
const SIZES: Partial<Record<Op, number>> = {
  FORGET: 8,
  GETATTR: 16,
  SETATTR: 88,
  MKNOD: 16,
  MKDIR: 8,
  RENAME: 8,
  RENAME2: 16,
  LINK: 8,
  OPEN: 8,
  OPENDIR: 8,
  CREATE: 16,
  READ: 40,
  READDIR: 40,
  READDIRPLUS: 40,
  WRITE: 40,
  RELEASE: 24,
  FSYNC: 16,
  FLUSH: 24,
  ACCESS: 8,
  INTERRUPT: 8,
  IOCTL: 32,
  POLL: 24,
  BATCH_FORGET: 8,
  FALLOCATE: 32,
};
const REPLY_SIZES = {
  attr: 104,
  entry: 128,
  open: 16,
  write: 8,
  statfs: 80,
  init: 64,
  poll: 8,
  pollWakeup: 8,
};

describe('the FUSE tables', () => {
  for (const [op, size] of Object.entries(SIZES)) {
    it(`give ${op} its ${size} bytes`, () => assert.equal(sizeOf(REQUESTS[op as Op].fields), size));
  }

  for (const [name, size] of Object.entries(REPLY_SIZES)) {
    it(`give the reply ${name} its ${size} bytes`, () => {
      assert.equal(sizeOf(REPLIES[name as keyof typeof REPLIES]), size);
    });
  }

  it('have each opcode once', () => {
    const opcodes = OPS.map(op => REQUESTS[op].opcode);
    assert.equal(new Set(opcodes).size, opcodes.length);
  });
});

describe('a FUSE request', () => {
  it('brings its header', () => {
    const frame = requestBytes(
      15,
      { unique: 2 ** 40 + 8, nodeid: 2 ** 33 + 1, uid: 1000, gid: 1001, pid: 77 },
      [...[9, 2 ** 40].map(u64), u32(4096), u32(0), u64(0), u32(0o4000), u32(0)],
    );
    assert.deepEqual(decode(frame), {
      op: 'READ',
      header: { unique: 2 ** 40 + 8, nodeid: 2 ** 33 + 1, uid: 1000, gid: 1001, pid: 77 },
      body: {
        fh: 9,
        offset: 2 ** 40,
        size: 4096,
        readFlags: 0,
        lockOwner: 0,
        flags: 0o4000,
        padding: 0,
      },
    });
  });

  it('brings a name', () => {
    assert.deepEqual(body(requestBytes(1, {}, [Buffer.from('clöne\0')])), { name: 'clöne' });
  });

  it('brings two names', () => {
    const found = body(requestBytes(12, {}, [u64(3), Buffer.from('a\0bc\0')]));
    assert.deepEqual(found, { newdir: 3, name: 'a', newname: 'bc' });
  });

  it('brings the bytes of a write, which may hold NUL', () => {
    const data = Buffer.from('a\0b');
    const fields = [u64(1), u64(0), u32(3), u32(0), u64(0), u32(0), u32(0), data];
    assert.deepEqual((body(requestBytes(16, {}, fields)) as { data: Buffer }).data, data);
  });

  it('brings what to forget', () => {
    const found = body(requestBytes(42, {}, [u32(2), u32(0), u64(5), u64(1), u64(6), u64(2 ** 33)]));
    assert.deepEqual((found as { forgets: unknown }).forgets, [
      { nodeid: 5, nlookup: 1 },
      { nodeid: 6, nlookup: 2 ** 33 },
    ]);
  });

  it('of a later kernel may have fields and extensions behind those that are known', () => {
    const longer = requestBytes(3, {}, [u32(0), u32(0), u64(7), Buffer.alloc(32, 1)]);
    assert.deepEqual(body(longer), { getattrFlags: 0, dummy: 0, fh: 7 });
    const extended = requestBytes(1, {}, [Buffer.from('clone\0'), Buffer.alloc(10, 1)]);
    extended.writeUInt16LE(1, 36);
    assert.deepEqual(body(extended), { name: 'clone' });
  });

  it('that is not known is told from one that is malformed', () => {
    assert.equal(decode(requestBytes(4095, {}, [])), undefined);
    assert.equal(decode(requestBytes(0, {}, [Buffer.alloc(99)])), undefined);
  });

  const malformed: [string, Buffer][] = [
    ['that is shorter than a header', requestBytes(26, {}, []).subarray(0, 39)],
    [
      'that says another length than it has',
      Buffer.concat([requestBytes(1, {}, [Buffer.from('a\0')]), u32(0)]),
    ],
    ['whose name has no end', requestBytes(1, {}, [Buffer.from('clone')])],
    ['whose second name has no end', requestBytes(12, {}, [u64(3), Buffer.from('a\0bc')])],
    [
      'of a write that says more bytes than it brings',
      requestBytes(16, {}, [Buffer.alloc(16), u32(9), Buffer.alloc(20)]),
    ],
    ['that forgets more than it lists', requestBytes(42, {}, [u32(0xffffffff), u32(0), u64(5), u64(1)])],
  ];
  for (const [what, frame] of malformed) {
    it(`${what} is malformed`, () => assert.throws(() => decode(frame), MalformedRequest));
  }

  it('whose extensions are longer than itself is malformed', () => {
    const frame = requestBytes(1, {}, [Buffer.from('a\0')]);
    frame.writeUInt16LE(0xffff, 36);
    assert.throws(() => decode(frame), MalformedRequest);
  });

  it('cut anywhere is malformed or complete, and never anything else', () => {
    for (const op of OPS) {
      const whole = requestBytes(REQUESTS[op].opcode, {}, [Buffer.alloc(200, 0)]);
      for (let end = 0; end < whole.length; end++) {
        const cut = Buffer.from(whole.subarray(0, end));
        if (end >= 4) cut.writeUInt32LE(end, 0);
        readsOrSays(cut);
      }
    }
  });

  it('of random bytes is read or said to be malformed', () => {
    const opcodes = fc.constantFrom(...OPS.map(op => REQUESTS[op].opcode));
    fc.assert(
      fc.property(opcodes, fc.uint8Array({ maxLength: 300 }), fc.nat(0xffff), (opcode, bytes, extensions) => {
        const frame = requestBytes(opcode, {}, [Buffer.from(bytes)]);
        frame.writeUInt16LE(extensions % 4 === 0 ? extensions : extensions % 3, 36);
        readsOrSays(frame);
        readsOrSays(Buffer.from(bytes));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a FUSE reply', () => {
  it('has a header with its length, its error and the number of its request', () => {
    const frame = Buffer.alloc(OUT_HEADER);
    putHeader(frame, 16, -13, 2 ** 40 + 6);
    assert.deepEqual(frame, Buffer.concat([u32(16), i32(-13), u64(2 ** 40 + 6)]));
  });

  it('has its fields where the header file has them, and 0 for those left out', () => {
    const frame = replyOf('write', { size: 0x01020304 }, 7, Buffer.alloc(64, 0xff));
    assert.deepEqual(frame, Buffer.concat([u32(24), i32(0), u64(7), u32(0x01020304), u32(0)]));
    const open = replyOf('open', { fh: 2 ** 33 + 5, openFlags: 17 }, 8, Buffer.alloc(64, 0xff));
    assert.deepEqual(open, Buffer.concat([u32(32), i32(0), u64(8), u64(2 ** 33 + 5), u32(17), u32(0)]));
  });

  it('of a file has an attribute for each of stat(2)', () => {
    const values = { ino: 1, size: 2, blocks: 3, atime: 4, mtime: 5, ctime: 6 };
    const more = { mode: 0o100644, nlink: 1, uid: 1000, gid: 1001, blksize: 4096 };
    const frame = replyOf('attr', { ...values, ...more }, 1, Buffer.alloc(200, 0xff));
    const attr = Buffer.concat([
      ...[1, 2, 3, 4, 5, 6].map(u64),
      ...[0, 0, 0, 0o100644, 1, 1000, 1001, 0, 4096, 0].map(u32),
    ]);
    assert.deepEqual(frame.subarray(OUT_HEADER + 16), attr);
  });
});

/** The whole reply. */
function replyOf<N extends ReplyName>(name: N, body: ReplyBody<N>, unique: number, into: Buffer): Buffer {
  return into.subarray(0, encodeReply(name, body, unique, into));
}

function readsOrSays(frame: Buffer): void {
  try {
    const incoming = decode(frame);
    if (incoming === undefined) assert(!OPS.some(op => REQUESTS[op].opcode === preamble(frame).opcode));
    else assert(formatRequest(incoming).startsWith(incoming.op));
  } catch (error) {
    if (!(error instanceof MalformedRequest)) throw error;
  }
}

const body = (frame: Buffer): unknown => decode(frame)!.body;

function u32(n: number): Buffer {
  const b = Buffer.alloc(4);
  b.writeUInt32LE(n);
  return b;
}

function i32(n: number): Buffer {
  const b = Buffer.alloc(4);
  b.writeInt32LE(n);
  return b;
}

function u64(n: number): Buffer {
  const b = Buffer.alloc(8);
  b.writeBigUInt64LE(BigInt(n));
  return b;
}

assert.equal(IN_HEADER, 40);
