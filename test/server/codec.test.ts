/** The codec: what it makes is what the specifications say, and what it cannot read it says so. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { codecFor, encodeMessage, MalformedMessage, tagOf, type Codec } from '../../src/server/9p/codec.ts';
import {
  MAXU64,
  MESSAGES,
  STAT,
  type Body,
  type Conditional,
  type Dialect,
  type Fields,
  type Kind,
  type Message,
  type MessageName,
  type WireStat,
} from '../../src/server/9p/messages.ts';
import * as b from './bytes.ts';
import { DIALECTS } from './bytes.ts';

const NAMES = Object.keys(MESSAGES) as MessageName[];

const namesOf = (dialect: Dialect): MessageName[] =>
  NAMES.filter(name => (MESSAGES[name].in as readonly Dialect[]).includes(dialect));

// ---- arbitrary messages, made from the table ------------------------------------------------------

/** A 64-bit number that a double holds exactly, or "don't touch". */
const u64 = fc.oneof(
  fc.maxSafeNat(),
  fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 63, 2 ** 64 - 2048, MAXU64),
);
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.constantFrom('', 'x'.repeat(65535), 'ü'.repeat(32767)),
);
const qid = fc.record({ type: fc.nat(255), vers: fc.nat(0xffffffff), path: u64 }, { noNullPrototype: true });
const data = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes)),
  fc.constant(Buffer.alloc(100_000, 7)),
);

function value(kind: Kind, dialect: Dialect): fc.Arbitrary<unknown> {
  switch (kind) {
    case 'u8':
      return fc.nat(0xff);
    case 'u16':
      return fc.nat(0xffff);
    case 'u32':
      return fc.oneof(fc.nat(0xffffffff), fc.constantFrom(0, 0x7fffffff, 0x80000000, 0xffffffff));
    case 'u64':
      return u64;
    case 'str':
      return text;
    case 'names':
      return fc.array(fc.string({ unit: 'grapheme', maxLength: 10 }), { maxLength: 20 });
    case 'qid':
      return qid;
    case 'qids':
      return fc.array(qid, { maxLength: 20 });
    case 'data':
      return data;
    case 'stat':
      // A stat entry has at most 65535 bytes.
      return fields(STAT, dialect, fc.string({ unit: 'grapheme', maxLength: 40 }));
  }
}

function fields(
  of: Fields,
  dialect: Dialect,
  str?: fc.Arbitrary<string>,
): fc.Arbitrary<Record<string, unknown>> {
  const each = (field: Kind | Conditional): fc.Arbitrary<unknown> => {
    if (typeof field === 'object' && !field.in.includes(dialect)) return fc.constant(field.absent);
    const kind = typeof field === 'object' ? field.kind : field;
    return kind === 'str' && str !== undefined ? str : value(kind, dialect);
  };
  const entries = Object.entries(of).map(([name, field]) => [name, each(field)] as const);
  return fc.record(Object.fromEntries(entries), { noNullPrototype: true });
}

function messages(dialect: Dialect, name: MessageName): fc.Arbitrary<Message> {
  return fc
    .tuple(fc.nat(0xffff), fields(MESSAGES[name].fields, dialect))
    .map(([tag, body]) => ({ type: name, tag, ...body }) as unknown as Message);
}

// ---- messages whose bytes are known -----------------------------------------------------------------

/** Every field different, so that two that change places show. */
const STAT_VALUE: WireStat = {
  type: 0x0102,
  dev: 0x03040506,
  qid: { type: 0x80, vers: 7, path: 2 ** 40 + 8 },
  mode: 0x800001ed,
  atime: 9,
  mtime: 0xfffffffe,
  length: 2 ** 33 + 1,
  name: 'näme',
  uid: 'user',
  gid: 'group',
  muid: 'last',
  extension: 'ext',
  nUid: 1000,
  nGid: 1001,
  nMuid: 1002,
};

function statBytes(dialect: Dialect): Buffer {
  const entry = Buffer.concat([
    b.u16(0x0102),
    b.u32(0x03040506),
    b.qid(0x80, 7, 2 ** 40 + 8),
    b.u32(0x800001ed),
    b.u32(9),
    b.u32(0xfffffffe),
    b.u64(2 ** 33 + 1),
    ...['näme', 'user', 'group', 'last'].map(b.str),
    ...(dialect === '9P2000.u' ? [b.str('ext'), b.u32(1000), b.u32(1001), b.u32(1002)] : []),
  ]);
  return Buffer.concat([b.u16(entry.length), entry]);
}

const Q = { type: 0x80, vers: 5, path: 2 ** 40 + 6 };
const QB = b.qid(0x80, 5, 2 ** 40 + 6);

interface Known {
  readonly in: readonly Dialect[];
  readonly message: Message;
  readonly bytes: Buffer;
}

const ALL = DIALECTS;
const OLD = ['9P2000', '9P2000.u'] as const;
const PLAIN = ['9P2000'] as const;
const U = ['9P2000.u'] as const;
const L = ['9P2000.L'] as const;
const UL = ['9P2000.u', '9P2000.L'] as const;

const known: Known[] = [];

function add<N extends MessageName>(
  dialects: readonly Dialect[],
  type: N,
  body: Body<N>,
  bytes: Buffer,
): void {
  const tag = bytes.readUInt16LE(5);
  known.push({ in: dialects, message: { type, tag, ...body } as unknown as Message, bytes });
}

// intro(5) and the sections behind it
add(ALL, 'Tversion', { msize: 8192, version: '9P2000' }, b.Tversion(8192, '9P2000'));
add(ALL, 'Rversion', { msize: 512, version: 'unknown' }, b.frame(101, 0xffff, b.u32(512), b.str('unknown')));
add(PLAIN, 'Tauth', { afid: 1, uname: 'u', aname: 'a', nUname: b.NOFID }, b.Tauth('9P2000', 2, 1, 'u', 'a'));
add(UL, 'Tauth', { afid: 1, uname: 'u', aname: 'a', nUname: b.NOFID }, b.Tauth('9P2000.u', 2, 1, 'u', 'a'));
add(ALL, 'Rauth', { aqid: Q }, b.frame(103, 2, QB));
add(
  PLAIN,
  'Tattach',
  { fid: 1, afid: b.NOFID, uname: 'glenda', aname: 'tcp', nUname: b.NOFID },
  b.Tattach('9P2000', 3, 1, { uname: 'glenda', aname: 'tcp' }),
);
add(
  UL,
  'Tattach',
  { fid: 1, afid: 2, uname: 'glenda', aname: '', nUname: 1000 },
  b.Tattach('9P2000.L', 3, 1, { afid: 2, uname: 'glenda', nUname: 1000 }),
);
add(ALL, 'Rattach', { qid: Q }, b.frame(105, 3, QB));
add(PLAIN, 'Rerror', { ename: 'no', errno: 0 }, b.frame(107, 4, b.str('no')));
add(U, 'Rerror', { ename: 'no', errno: 13 }, b.frame(107, 4, b.str('no'), b.u32(13)));
add(ALL, 'Tflush', { oldtag: 0xfffe }, b.Tflush(5, 0xfffe));
add(ALL, 'Rflush', {}, b.frame(109, 5));
add(ALL, 'Twalk', { fid: 1, newfid: 2, names: ['tcp', '', 'ü'] }, b.Twalk(6, 1, 2, 'tcp', '', 'ü'));
add(ALL, 'Twalk', { fid: 1, newfid: 0xfffffffe, names: [] }, b.Twalk(6, 1, 0xfffffffe));
add(ALL, 'Rwalk', { qids: [Q, Q] }, b.frame(111, 6, b.u16(2), QB, QB));
add(ALL, 'Rwalk', { qids: [] }, b.frame(111, 6, b.u16(0)));
add(OLD, 'Topen', { fid: 0x80000001, mode: 0x52 }, b.Topen(7, 0x80000001, 0x52));
add(OLD, 'Ropen', { qid: Q, iounit: 8168 }, b.frame(113, 7, QB, b.u32(8168)));
const create = { fid: 1, name: 'new', perm: 0x800001ff, mode: 2, extension: '' };
add(PLAIN, 'Tcreate', create, b.Tcreate('9P2000', 8, 1, 'new', 0x800001ff, 2));
add(U, 'Tcreate', create, b.Tcreate('9P2000.u', 8, 1, 'new', 0x800001ff, 2));
add(OLD, 'Rcreate', { qid: Q, iounit: 0 }, b.frame(115, 8, QB, b.u32(0)));
add(ALL, 'Tread', { fid: 1, offset: 2 ** 40 + 1, count: 0xffffffff }, b.Tread(9, 1, 2 ** 40 + 1, 0xffffffff));
add(ALL, 'Rread', { data: Buffer.from('bytes') }, b.frame(117, 9, b.data('bytes')));
add(ALL, 'Rread', { data: Buffer.alloc(0) }, b.frame(117, 9, b.data('')));
add(
  ALL,
  'Twrite',
  { fid: 1, offset: 2 ** 53 - 1, data: Buffer.from('x\0y') },
  b.Twrite(10, 1, 2 ** 53 - 1, 'x\0y'),
);
add(ALL, 'Rwrite', { count: 70_000 }, b.frame(119, 10, b.u32(70_000)));
add(ALL, 'Tclunk', { fid: 1 }, b.Tclunk(11, 1));
add(ALL, 'Rclunk', {}, b.frame(121, 11));
add(ALL, 'Tremove', { fid: 1 }, b.Tremove(12, 1));
add(ALL, 'Rremove', {}, b.frame(123, 12));
add(OLD, 'Tstat', { fid: 1 }, b.Tstat(13, 1));
for (const dialect of OLD) {
  const absent = dialect === '9P2000' ? { extension: '', nUid: b.NOFID, nGid: b.NOFID, nMuid: b.NOFID } : {};
  const stat = { ...STAT_VALUE, ...absent };
  const bytes = statBytes(dialect);
  add([dialect], 'Rstat', { stat }, b.frame(125, 13, b.u16(bytes.length), bytes));
  add([dialect], 'Twstat', { fid: 1, stat }, b.frame(126, 14, b.u32(1), b.u16(bytes.length), bytes));
  const touchNone: WireStat = {
    type: 0xffff,
    dev: b.NOFID,
    qid: { type: 0xff, vers: b.NOFID, path: MAXU64 },
    mode: b.NOFID,
    atime: b.NOFID,
    mtime: b.NOFID,
    length: MAXU64,
    name: '',
    uid: '',
    gid: '',
    muid: '',
    extension: '',
    nUid: b.NOFID,
    nGid: b.NOFID,
    nMuid: b.NOFID,
  };
  add([dialect], 'Twstat', { fid: 1, stat: touchNone }, b.Twstat(dialect, 14, 1));
}
add(OLD, 'Rwstat', {}, b.frame(127, 14));

// diod's protocol.md, in its order
add(L, 'Rlerror', { ecode: 111 }, b.frame(7, 20, b.u32(111)));
add(L, 'Tstatfs', { fid: 1 }, b.Tstatfs(21, 1));
add(
  L,
  'Rstatfs',
  { fstype: 1, bsize: 2, blocks: 3, bfree: 4, bavail: 5, files: 6, ffree: 7, fsid: 8, namelen: 9 },
  b.frame(9, 21, b.u32(1), b.u32(2), ...[3, 4, 5, 6, 7, 8].map(b.u64), b.u32(9)),
);
add(L, 'Tlopen', { fid: 1, flags: 0o100002 }, b.Tlopen(22, 1, 0o100002));
add(L, 'Rlopen', { qid: Q, iounit: 4096 }, b.frame(13, 22, QB, b.u32(4096)));
add(
  L,
  'Tlcreate',
  { fid: 1, name: 'n', flags: 0o102, mode: 0o100644, gid: 5 },
  b.Tlcreate(23, 1, 'n', 0o102, 0o100644, 5),
);
add(L, 'Rlcreate', { qid: Q, iounit: 1 }, b.frame(15, 23, QB, b.u32(1)));
add(L, 'Tsymlink', { fid: 1, name: 'n', symtgt: 'to', gid: 5 }, b.Tsymlink(24, 1, 'n', 'to', 5));
add(L, 'Rsymlink', { qid: Q }, b.frame(17, 24, QB));
add(
  L,
  'Tmknod',
  { dfid: 1, name: 'n', mode: 0o10644, major: 1, minor: 2, gid: 0 },
  b.Tmknod(25, 1, 'n', 0o10644),
);
add(L, 'Rmknod', { qid: Q }, b.frame(19, 25, QB));
add(L, 'Trename', { fid: 1, dfid: 2, name: 'n' }, b.Trename(26, 1, 2, 'n'));
add(L, 'Rrename', {}, b.frame(21, 26));
add(L, 'Treadlink', { fid: 1 }, b.Treadlink(27, 1));
add(L, 'Rreadlink', { target: 'to' }, b.frame(23, 27, b.str('to')));
add(L, 'Tgetattr', { fid: 1, requestMask: 0x17ff }, b.Tgetattr(28, 1, 0x17ff));
add(
  L,
  'Rgetattr',
  {
    valid: 0x7ff,
    qid: Q,
    mode: 0o100600,
    uid: 1,
    gid: 2,
    nlink: 3,
    rdev: 4,
    size: 5,
    blksize: 6,
    blocks: 7,
    atimeSec: 8,
    atimeNsec: 9,
    mtimeSec: 10,
    mtimeNsec: 11,
    ctimeSec: 12,
    ctimeNsec: 13,
    btimeSec: 14,
    btimeNsec: 15,
    gen: 16,
    dataVersion: 17,
  },
  b.frame(
    25,
    28,
    b.u64(0x7ff),
    QB,
    b.u32(0o100600),
    b.u32(1),
    b.u32(2),
    ...[3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17].map(b.u64),
  ),
);
const times = { atimeSec: 0, atimeNsec: 0, mtimeSec: 0, mtimeNsec: 0 };
add(
  L,
  'Tsetattr',
  { fid: 1, valid: 0xf, mode: 0o600, uid: 2, gid: 3, size: 2 ** 33, ...times },
  b.Tsetattr(29, 1, { valid: 0xf, mode: 0o600, uid: 2, gid: 3, size: 2 ** 33 }),
);
add(
  L,
  'Tsetattr',
  {
    fid: 1,
    valid: 0x1b0,
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    atimeSec: 4,
    atimeNsec: 5,
    mtimeSec: 6,
    mtimeNsec: 7,
  },
  b.frame(
    26,
    29,
    b.u32(1),
    b.u32(0x1b0),
    b.u32(0),
    b.u32(0),
    b.u32(0),
    b.u64(0),
    b.u64(4),
    b.u64(5),
    b.u64(6),
    b.u64(7),
  ),
);
add(L, 'Rsetattr', {}, b.frame(27, 29));
add(L, 'Txattrwalk', { fid: 1, newfid: 2, name: 'user.x' }, b.Txattrwalk(30, 1, 2, 'user.x'));
add(L, 'Rxattrwalk', { size: 3 }, b.frame(31, 30, b.u64(3)));
add(
  L,
  'Txattrcreate',
  { fid: 1, name: 'user.x', attrSize: 2, flags: 3 },
  b.Txattrcreate(31, 1, 'user.x', 2, 3),
);
add(L, 'Rxattrcreate', {}, b.frame(33, 31));
add(L, 'Treaddir', { fid: 1, offset: 2 ** 34, count: 9 }, b.Treaddir(32, 1, 2 ** 34, 9));
add(L, 'Rreaddir', { data: Buffer.from('entries') }, b.frame(41, 32, b.data('entries')));
add(L, 'Tfsync', { fid: 1, datasync: 1 }, b.Tfsync(33, 1, 1));
add(L, 'Rfsync', {}, b.frame(51, 33));
const lock = { kind: 1, start: 2 ** 35, length: 4, procId: 5, clientId: 'here' };
add(L, 'Tlock', { fid: 1, flags: 3, ...lock }, b.Tlock(34, 1, { flags: 3, ...lock }));
add(L, 'Rlock', { status: 2 }, b.frame(53, 34, b.u8(2)));
add(L, 'Tgetlock', { fid: 1, ...lock }, b.Tgetlock(35, 1, lock));
add(L, 'Rgetlock', lock, b.frame(55, 35, b.u8(1), b.u64(2 ** 35), b.u64(4), b.u32(5), b.str('here')));
add(L, 'Tlink', { dfid: 1, fid: 2, name: 'n' }, b.Tlink(36, 1, 2, 'n'));
add(L, 'Rlink', {}, b.frame(71, 36));
add(L, 'Tmkdir', { dfid: 1, name: 'n', mode: 0o755, gid: 4 }, b.Tmkdir(37, 1, 'n', 0o755, 4));
add(L, 'Rmkdir', { qid: Q }, b.frame(73, 37, QB));
add(
  L,
  'Trenameat',
  { olddirfid: 1, oldname: 'a', newdirfid: 2, newname: 'b' },
  b.Trenameat(38, 1, 'a', 2, 'b'),
);
add(L, 'Rrenameat', {}, b.frame(75, 38));
add(L, 'Tunlinkat', { dirfid: 1, name: 'n', flags: 0x200 }, b.Tunlinkat(39, 1, 'n', 0x200));
add(L, 'Runlinkat', {}, b.frame(77, 39));

/** A frame cut or grown to a length, its size field saying so. */
function resized(frame: Buffer, length: number): Buffer {
  const cut = Buffer.alloc(length);
  frame.copy(cut);
  cut.writeUInt32LE(length, 0);
  return cut;
}

for (const dialect of DIALECTS) {
  describe(`the codec of ${dialect}`, () => {
    let codec: Codec;
    before(() => (codec = codecFor(dialect)));

    const mine = known.filter(each => each.in.includes(dialect));

    it('has a message of known bytes for each in its table', () => {
      assert.deepEqual([...new Set(mine.map(({ message }) => message.type))].sort(), namesOf(dialect).sort());
    });

    for (const { message, bytes } of mine) {
      it(`writes and reads ${message.type} as the specification says`, () => {
        assert.equal(encodeMessage(codec, message).toString('hex'), bytes.toString('hex'));
        assert.deepEqual(codec.decode(bytes), message);
        assert.equal(tagOf(bytes), message.tag);
      });

      it(`refuses every ${message.type} that is cut short`, () => {
        for (let length = 7; length < bytes.length; length++) {
          // Tfsync may end before its datasync.
          if (message.type === 'Tfsync' && length === bytes.length - 4) continue;
          assert.throws(() => codec.decode(resized(bytes, length)), MalformedMessage, `${length} bytes`);
        }
      });

      it(`refuses ${message.type} with bytes behind it`, () => {
        for (const more of [1, 2, 4, 100]) {
          assert.throws(() => codec.decode(resized(bytes, bytes.length + more)), MalformedMessage);
        }
      });
    }

    for (const name of namesOf(dialect)) {
      it(`reads any ${name} back as it was written`, () => {
        fc.assert(
          fc.property(messages(dialect, name), message => {
            const frame = encodeMessage(codec, message);
            assert.equal(frame.readUInt32LE(0), frame.length);
            assert.equal(frame[4], MESSAGES[name].type);
            assert.deepEqual(codec.decode(frame), message);
          }),
          { numRuns: 50 },
        );
      });
    }

    it('writes at any place of a buffer, and not beside it', () => {
      for (const { message, bytes } of mine) {
        const into = Buffer.alloc(bytes.length + 20, 0xaa);
        assert.equal(codec.encode(message, into, 10), 10 + bytes.length);
        assert(into.subarray(10, 10 + bytes.length).equals(bytes));
        const beside = Buffer.concat([into.subarray(0, 10), into.subarray(10 + bytes.length)]);
        assert(beside.equals(Buffer.alloc(20, 0xaa)));
      }
    });

    it('writes the head of a payload message without touching the payload', () => {
      const message: Message = { type: 'Rread', tag: 1, data: Buffer.from('fresh') };
      const into = Buffer.alloc(16, 'z');
      assert.equal(codec.encodeHead(message, into, 0), 11);
      assert.equal(into.toString('latin1', 11), 'zzzzz');
      assert.equal(into.readUInt32LE(7), 5);
    });

    it('gives a payload as a view of its frame', () => {
      const frame = b.Twrite(1, 2, 3, 'payload');
      const message = codec.decode(frame) as Message<'Twrite'>;
      frame.write('PAYLOAD', 23);
      assert.equal(message.data.toString(), 'PAYLOAD');
    });

    it('does not know the types that its table has not', () => {
      const types = new Set(namesOf(dialect).map(name => MESSAGES[name].type as number));
      for (let type = 0; type < 256; type++) {
        if (!types.has(type)) assert.equal(codec.decode(b.frame(type, 1, Buffer.alloc(50))), undefined);
      }
    });

    it('reads random bytes, or says MalformedMessage, and nothing else', () => {
      fc.assert(
        fc.property(fc.nat(255), fc.uint8Array({ maxLength: 100 }), (type, rest) => {
          const frame = b.frame(type, 1, Buffer.from(rest));
          try {
            const message = codec.decode(frame);
            // Bytes that are no UTF-8 come back as others; all else does not.
            if (message !== undefined) codec.size(message);
          } catch (error) {
            assert(error instanceof MalformedMessage, `${String(error)}`);
          }
        }),
        { numRuns: 5000 },
      );
    });

    it('reads messages with flipped bytes, or says MalformedMessage, and nothing else', () => {
      fc.assert(
        fc.property(
          fc.nat(mine.length - 1),
          fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
          (i, flips) => {
            const frame = Buffer.from(mine[i]!.bytes);
            for (const [at, byte] of flips) if (frame.length > 7) frame[7 + (at % (frame.length - 7))] = byte;
            try {
              codec.decode(frame);
            } catch (error) {
              assert(error instanceof MalformedMessage, `${String(error)}`);
            }
          },
        ),
        { numRuns: 5000 },
      );
    });

    it('shows 64-bit numbers as doubles: exact to 2^53, beyond it near, all ones as 2^64', () => {
      const offset = (value: bigint): number =>
        (codec.decode(b.Tread(1, 2, value, 3)) as Message<'Tread'>).offset;
      for (const value of [0n, 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n]) {
        assert.equal(offset(value), Number(value));
      }
      for (const value of [2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 64n - 1025n]) {
        assert(!Number.isSafeInteger(offset(value)));
        assert.equal(offset(value), Number(value));
      }
      assert.equal(offset(2n ** 64n - 1n), MAXU64);
      const again = encodeMessage(codec, { type: 'Tread', tag: 1, fid: 2, offset: MAXU64, count: 3 });
      assert.equal(again.readBigUInt64LE(11), 2n ** 64n - 1n);
    });
  });
}

describe('the codec of 9P2000.L', () => {
  it('reads a Tfsync of an older client, which has no datasync', () => {
    const codec = codecFor('9P2000.L');
    assert.deepEqual(codec.decode(b.Tfsync(1, 2)), { type: 'Tfsync', tag: 1, fid: 2, datasync: 0 });
    for (const length of [12, 13, 14]) {
      assert.throws(() => codec.decode(resized(b.Tfsync(1, 2, 0), length)), MalformedMessage);
    }
  });
});

for (const dialect of OLD) {
  describe(`a stat entry of ${dialect}`, () => {
    const codec = codecFor(dialect);
    const stat = codec.decodeStat(statBytes(dialect), 0).stat;

    it('is written and read one behind the other, as in a directory', () => {
      const bytes = statBytes(dialect);
      assert.equal(codec.statSize(stat), bytes.length);
      const into = Buffer.alloc(2 * bytes.length);
      assert.equal(codec.encodeStat(stat, into, codec.encodeStat(stat, into, 0)), into.length);
      assert.equal(into.toString('hex'), bytes.toString('hex').repeat(2));
      const { stat: first, end } = codec.decodeStat(into, 0);
      assert.deepEqual([first, end], [stat, bytes.length]);
      assert.deepEqual(codec.decodeStat(into, end), { stat, end: into.length });
    });

    it('that is cut short, or whose size does not fit its fields, is malformed', () => {
      const bytes = statBytes(dialect);
      for (let length = 0; length < bytes.length; length++) {
        assert.throws(
          () => codec.decodeStat(bytes.subarray(0, length), 0),
          MalformedMessage,
          `${length} bytes`,
        );
      }
      for (const by of [-3, -1, 1, 3]) {
        const other = Buffer.concat([bytes, Buffer.alloc(8)]);
        other.writeUInt16LE(bytes.length - 2 + by, 0);
        assert.throws(() => codec.decodeStat(other, 0), MalformedMessage, `${by} bytes more`);
      }
    });

    it('in a Twstat or Rstat whose count is another is malformed', () => {
      const bytes = statBytes(dialect);
      for (const by of [-1, 1, 2, 7]) {
        const padded = resized(bytes, Math.max(bytes.length, bytes.length + by));
        bytes.copy(padded);
        const wstat = b.frame(126, 1, b.u32(1), b.u16(bytes.length + by), padded);
        assert.throws(() => codec.decode(wstat), MalformedMessage, `Twstat, ${by} bytes more`);
        const rstat = b.frame(125, 1, b.u16(bytes.length + by), padded);
        assert.throws(() => codec.decode(rstat), MalformedMessage, `Rstat, ${by} bytes more`);
      }
    });
  });
}
