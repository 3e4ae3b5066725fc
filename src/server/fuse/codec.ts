/**
 * Between bytes and the requests and replies of kernel.ts, by code that is generated from its tables:
 * one straight-line function for each struct.
 */
import {
  IN_HEADER,
  OUT_HEADER,
  REPLIES,
  REQUESTS,
  type Body,
  type Fields,
  type Header,
  type Kind,
  type Op,
  type ReplyBody,
  type ReplyName,
  type Tail,
} from './kernel.ts';

export interface Incoming<N extends Op = Op> {
  readonly op: N;
  readonly header: Header;
  readonly body: Body<N>;
}

/** A request that does not hold what its opcode says; the kernel sends none, a bad fd may. */
export class MalformedRequest extends Error {}

const SIZES: Readonly<Record<Kind, number>> = { u16: 2, u32: 4, u64: 8 };

/** Bytes of a struct. */
export function sizeOf(fields: Fields): number {
  return Object.values(fields).reduce((sum, kind) => sum + SIZES[kind], 0);
}

// ---- decoding -----------------------------------------------------------------------------------

/** The length that a frame says it has, its opcode and its number: readable even where the rest is not. */
export function preamble(
  frame: Buffer,
  size = frame.length,
): { length: number; opcode: number; unique: number } {
  if (size < IN_HEADER) throw new MalformedRequest(`a request of ${size} bytes has no header`);
  return { length: frame.readUInt32LE(0), opcode: frame.readUInt32LE(4), unique: readU64(frame, 8) };
}

/** The request in the first `size` bytes of `frame`; undefined for an opcode that is not in the table. */
export function decode(frame: Buffer, size = frame.length): Incoming | undefined {
  const { length, opcode } = preamble(frame, size);
  if (length !== size) throw new MalformedRequest(`a request that says ${length} bytes has ${size}`);
  const decoder = DECODERS.get(opcode);
  if (decoder === undefined) return undefined;
  const end = size - 8 * frame.readUInt16LE(36); // total_extlen, in units of 8 bytes
  if (end < IN_HEADER + decoder.size) throw new MalformedRequest(`${decoder.op}: shorter than its fields`);
  return { op: decoder.op, header: header(frame), body: decoder.body(frame, end) };
}

function header(frame: Buffer): Header {
  return {
    unique: readU64(frame, 8),
    nodeid: readU64(frame, 16),
    uid: frame.readUInt32LE(24),
    gid: frame.readUInt32LE(28),
    pid: frame.readUInt32LE(32),
  };
}

/** Ids are small: only what is not makes a number that V8 keeps outside of its object. */
function readU64(b: Buffer, at: number): number {
  const high = b.readUInt32LE(at + 4);
  return high === 0 ? b.readUInt32LE(at) : b.readUInt32LE(at) + high * 2 ** 32;
}

interface Decoder {
  readonly op: Op;
  readonly size: number;
  body(frame: Buffer, end: number): Body<Op>;
}

const GETTERS: Readonly<Record<Kind, (at: number) => string>> = {
  u16: at => `b.readUInt16LE(${at})`,
  u32: at => `b.readUInt32LE(${at})`,
  u64: at => `rt.u64(b, ${at})`,
};

const TAILS: Readonly<Record<Tail, string>> = {
  none: '',
  name: 'name: rt.name(b, p, end)',
  names: 'name: rt.name(b, p, end), newname: rt.secondName(b, p, end)',
  data: 'data: rt.data(b, p, end)',
  forgets: 'forgets: rt.forgets(b, p, end)',
};

/** What the generated code calls. */
const runtime = {
  u64: readU64,
  name(b: Buffer, at: number, end: number): string {
    return b.toString('utf8', at, nul(b, at, end));
  },
  secondName(b: Buffer, at: number, end: number): string {
    return runtime.name(b, nul(b, at, end) + 1, end);
  },
  /** Of a WRITE: as many bytes as its size says. */
  data(b: Buffer, at: number, end: number): Buffer {
    const size = b.readUInt32LE(IN_HEADER + 16);
    if (at + size !== end) throw new MalformedRequest(`WRITE of ${size} bytes brings ${end - at}`);
    return b.subarray(at, end);
  },
  forgets(b: Buffer, at: number, end: number): { nodeid: number; nlookup: number }[] {
    const count = b.readUInt32LE(IN_HEADER);
    if (at + 16 * count > end) throw new MalformedRequest(`BATCH_FORGET of ${count} is cut short`);
    return Array.from({ length: count }, (_, i) => ({
      nodeid: readU64(b, at + 16 * i),
      nlookup: readU64(b, at + 16 * i + 8),
    }));
  },
};

/** Where the string at `at` ends. */
function nul(b: Buffer, at: number, end: number): number {
  const found = b.indexOf(0, at);
  if (found < 0 || found >= end) throw new MalformedRequest('a name without its NUL');
  return found;
}

function compileDecoder(op: Op): Decoder {
  const { fields, tail } = REQUESTS[op];
  let at = IN_HEADER;
  const members = Object.entries<Kind>(fields).map(([name, kind]) => {
    const member = `${name}: ${GETTERS[kind](at)}`;
    at += SIZES[kind];
    return member;
  });
  if (tail !== 'none') members.push(TAILS[tail]);
  const source = `return function (b, end) { var p = ${at}; return { ${members.join(', ')} }; };`;
  const make = new Function('rt', source) as (rt: typeof runtime) => Decoder['body'];
  return { op, size: at - IN_HEADER, body: make(runtime) };
}

const DECODERS = new Map<number, Decoder>(
  (Object.keys(REQUESTS) as Op[]).map(op => [REQUESTS[op].opcode, compileDecoder(op)]),
);

// ---- encoding -----------------------------------------------------------------------------------

/** Puts a struct at `at`, where there must be room, and returns its end. */
export function encode<N extends ReplyName>(name: N, body: ReplyBody<N>, into: Buffer, at: number): number {
  return ENCODERS[name](into, at, body as Record<string, number | undefined>);
}

/** struct fuse_out_header; `error` is 0, a negative errno, or the code of a notification. */
export function putHeader(into: Buffer, length: number, error: number, unique: number): void {
  into.writeUInt32LE(length, 0);
  into.writeInt32LE(error, 4);
  writeU64(into, 8, unique);
}

/** The number that a reply's header has. */
export function uniqueOf(reply: Buffer): number {
  return readU64(reply, 8);
}

/** A header and one struct, whole; returns its length. */
export function encodeReply<N extends ReplyName>(
  name: N,
  body: ReplyBody<N>,
  unique: number,
  into: Buffer,
): number {
  const end = encode(name, body, into, OUT_HEADER);
  putHeader(into, end, 0, unique);
  return end;
}

export function writeU64(into: Buffer, at: number, value: number): void {
  into.writeUInt32LE(value >>> 0, at);
  into.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

type Encoder = (into: Buffer, at: number, body: Record<string, number | undefined>) => number;

const SETTERS: Readonly<Record<Kind, (value: string, at: string) => string>> = {
  u16: (value, at) => `b.writeUInt16LE(${value}, ${at});`,
  u32: (value, at) => `b.writeUInt32LE(${value}, ${at});`,
  u64: (value, at) => `rt.writeU64(b, ${at}, ${value});`,
};

function compileEncoder(fields: Fields): Encoder {
  let at = 0;
  const lines = Object.entries(fields).map(([name, kind]) => {
    const line = SETTERS[kind](`m.${name} || 0`, `p + ${at}`);
    at += SIZES[kind];
    return line;
  });
  const source = `return function (b, p, m) { ${lines.join('\n')} return p + ${at}; };`;
  return (new Function('rt', source) as (rt: { writeU64: typeof writeU64 }) => Encoder)({ writeU64 });
}

const ENCODERS = Object.fromEntries(
  Object.entries(REPLIES).map(([name, fields]) => [name, compileEncoder(fields)]),
) as Record<ReplyName, Encoder>;
