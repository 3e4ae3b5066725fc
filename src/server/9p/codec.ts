/**
 * Decoding and encoding, generated from the message table when a dialect is first used.
 *
 * For each message one straight-line function is compiled (`new Function` over text that is made of
 * the table alone), so that a table costs nothing at run time: bytes are fetched by index, a check
 * covers each run of fixed-size fields, a payload is a view of its frame and never copied.
 */
import {
  MESSAGES,
  STAT,
  type Conditional,
  type Dialect,
  type Fields,
  type Kind,
  type Message,
  type MessageName,
  type WireStat,
} from './messages.ts';

/** size[4] type[1] tag[2] */
export const HEADER = 7;
/** Where the payload of a Rread begins. */
export const RREAD_DATA = HEADER + 4;

/** A frame that does not hold what its type says. The tag is known, so it can be answered. */
export class MalformedMessage extends Error {}

export interface Codec {
  readonly dialect: Dialect;
  /**
   * The message in `frame`, which holds exactly one, its size field already checked. Throws
   * MalformedMessage; undefined for a type that is not of this dialect.
   */
  decode(frame: Buffer): Message | undefined;
  /** Bytes of the whole message on the wire. */
  size(message: Message): number;
  /** Writes the message at `at`, where there must be size(message) bytes; returns its end. */
  encode(message: Message, into: Buffer, at: number): number;
  /** The same without the bytes of its payload: those are in place, or are sent from where they lie. */
  encodeHead(message: Message, into: Buffer, at: number): number;
  /** One stat entry with its own size[2], as directory reads hold it. */
  statSize(stat: WireStat): number;
  encodeStat(stat: WireStat, into: Buffer, at: number): number;
  decodeStat(from: Buffer, at: number): { stat: WireStat; end: number };
}

interface Compiled {
  decode: (b: Buffer, p: number, end: number) => Message;
  size: (m: Message) => number;
  head: (b: Buffer, p: number, m: Message) => number;
}

const cache = new Map<Dialect, Codec>();

export function codecFor(dialect: Dialect): Codec {
  let codec = cache.get(dialect);
  if (codec === undefined) {
    codec = compile(dialect);
    cache.set(dialect, codec);
  }
  return codec;
}

/** The type byte and tag of a frame, for answering what could not be decoded. */
export function tagOf(frame: Buffer): number {
  return frame.readUInt16LE(5);
}

/** The whole message as a new buffer. */
export function encodeMessage(codec: Codec, message: Message): Buffer {
  const frame = Buffer.allocUnsafe(codec.size(message));
  codec.encode(message, frame, 0);
  return frame;
}

function compile(dialect: Dialect): Codec {
  const stat = compileStat(dialect);
  const byType: (Compiled | undefined)[] = new Array<undefined>(256).fill(undefined);
  const byName = {} as Record<MessageName, Compiled>;
  for (const name of Object.keys(MESSAGES) as MessageName[]) {
    const { type, in: dialects, fields } = MESSAGES[name];
    if (!dialects.includes(dialect)) continue;
    const compiled = compileMessage(name, type, fields, dialect, stat);
    byType[type] = compiled;
    byName[name] = compiled;
  }
  const encodeHead = (m: Message, into: Buffer, at: number): number => byName[m.type].head(into, at, m);
  return {
    dialect,
    decode(frame) {
      return byType[frame[4]!]?.decode(frame, HEADER, frame.length);
    },
    size: m => byName[m.type].size(m),
    encodeHead,
    encode(m, into, at) {
      const end = encodeHead(m, into, at);
      return 'data' in m ? end + m.data.copy(into, end) : end;
    },
    statSize: stat.size,
    encodeStat: (s, into, at) => stat.encode(into, at, s),
    decodeStat(from, at) {
      const decoded = stat.decode(from, at, from.length);
      return { stat: decoded, end: at + 2 + from.readUInt16LE(at) };
    },
  };
}

// ---- what the generated code calls ------------------------------------------------------------

const runtime = {
  short(): never {
    throw new MalformedMessage('the message is shorter than its fields');
  },
  long(): never {
    throw new MalformedMessage('the message is longer than its fields');
  },
  utf8Length: (s: string): number => Buffer.byteLength(s, 'utf8'),
  /** length[2] and the bytes; returns the end. */
  putStr(b: Buffer, p: number, s: string): number {
    const n = b.write(s, p + 2, 'utf8');
    b[p] = n;
    b[p + 1] = n >>> 8;
    return p + 2 + n;
  },
  /** A double as 8 bytes; 2^64 and more is all ones. */
  putU64(b: Buffer, p: number, v: number): void {
    const lo = v >= 2 ** 64 ? 0xffffffff : v % 2 ** 32;
    const hi = v >= 2 ** 64 ? 0xffffffff : Math.floor(v / 2 ** 32);
    b.writeUInt32LE(lo, p);
    b.writeUInt32LE(hi, p + 4);
  },
};

type Runtime = typeof runtime;

// ---- code generation --------------------------------------------------------------------------

const FIXED: Partial<Record<Kind, number>> = { u8: 1, u16: 2, u32: 4, u64: 8, qid: 13 };

/** Bytes that a variable field needs before its length is known. */
const PREFIX: Partial<Record<Kind, number>> = { str: 2, names: 2, qids: 2, data: 4, stat: 2 };

interface WireField {
  name: string;
  kind: Kind;
  lax: boolean;
}

const isConditional = (field: Kind | Conditional): field is Conditional => typeof field === 'object';

/** The fields that this dialect has on the wire, in order. */
function wireFields(fields: Fields, dialect: Dialect): WireField[] {
  const present: WireField[] = [];
  for (const [name, field] of Object.entries(fields)) {
    if (!isConditional(field)) present.push({ name, kind: field, lax: false });
    else if (field.in.includes(dialect)) {
      present.push({ name, kind: field.kind, lax: field.lax === true });
    }
  }
  return present;
}

/** `name: value` for an object literal: the decoded local, or what stands for a field not on the wire. */
function literal(fields: Fields, dialect: Dialect): string {
  return Object.entries(fields)
    .map(([name, field]) => {
      const present = !isConditional(field) || field.in.includes(dialect);
      return present ? `${name}: f_${name}` : `${name}: ${JSON.stringify(field.absent)}`;
    })
    .join(', ');
}

const u16 = (at: string) => `(b[${at}] | b[${at} + 1] << 8)`;
const u32 = (at: string) =>
  `((b[${at}] | b[${at} + 1] << 8 | b[${at} + 2] << 16 | b[${at} + 3] << 24) >>> 0)`;
const u64 = (at: string) => `(${u32(at)} + ${u32(`${at} + 4`)} * 4294967296)`;
const qid = (at: string) => `{ type: b[${at}], vers: ${u32(`${at} + 1`)}, path: ${u64(`${at} + 5`)} }`;
const need = (n: number | string) => `if (p + ${n} > end) rt.short();`;

/** Statements that leave each field in a local f_NAME and `p` behind the last one. */
function decodeFields(fields: WireField[]): string {
  const out: string[] = [];
  let checked = 0; // bytes from p on that were checked and not consumed yet
  fields.forEach((field, i) => {
    const local = `f_${field.name}`;
    if (field.lax) {
      out.push(`var ${local} = 0; if (p < end) { ${need(4)} ${local} = ${u32('p')}; p += 4; }`);
      return;
    }
    const bytes = FIXED[field.kind] ?? PREFIX[field.kind]!;
    if (checked === 0) {
      checked = runLength(fields, i);
      out.push(need(checked));
    }
    checked -= bytes;
    out.push(decodeField(field.kind, local));
  });
  return out.join('\n');
}

/** Bytes of the fixed-size fields from `from` on, up to and with the prefix of the next variable one. */
function runLength(fields: WireField[], from: number): number {
  let bytes = 0;
  for (const field of fields.slice(from)) {
    if (field.lax) break;
    const fixed = FIXED[field.kind];
    if (fixed === undefined) return bytes + PREFIX[field.kind]!;
    bytes += fixed;
  }
  return bytes;
}

function decodeField(kind: Kind, local: string): string {
  switch (kind) {
    case 'u8':
      return `var ${local} = b[p]; p += 1;`;
    case 'u16':
      return `var ${local} = ${u16('p')}; p += 2;`;
    case 'u32':
      return `var ${local} = ${u32('p')}; p += 4;`;
    case 'u64':
      return `var ${local} = ${u64('p')}; p += 8;`;
    case 'qid':
      return `var ${local} = ${qid('p')}; p += 13;`;
    case 'str':
      return `n = ${u16('p')}; p += 2; ${need('n')} var ${local} = b.toString('utf8', p, p + n); p += n;`;
    case 'names':
      return `var ${local} = []; k = ${u16('p')}; p += 2;
        while (k-- > 0) { ${need(2)} n = ${u16('p')}; p += 2; ${need('n')} ${local}.push(b.toString('utf8', p, p + n)); p += n; }`;
    case 'qids':
      return `var ${local} = []; k = ${u16('p')}; p += 2;
        while (k-- > 0) { ${need(13)} ${local}.push(${qid('p')}); p += 13; }`;
    case 'data':
      return `n = ${u32('p')}; p += 4; ${need('n')} var ${local} = b.subarray(p, p + n); p += n;`;
    case 'stat':
      return `n = ${u16('p')}; p += 2; ${need('n')}
        if (n < 2) rt.short();
        if (${u16('p')} + 2 !== n) rt.long();
        var ${local} = stat.decode(b, p, p + n); p += n;`;
  }
}

function encodeField({ name, kind }: WireField): string {
  const v = `m.${name}`;
  switch (kind) {
    case 'u8':
      return `b[p] = ${v}; p += 1;`;
    case 'u16':
      return `b[p] = ${v}; b[p + 1] = ${v} >>> 8; p += 2;`;
    case 'u32':
      return putU32(v);
    case 'u64':
      return `rt.putU64(b, p, ${v}); p += 8;`;
    case 'qid':
      return putQid(v);
    case 'str':
      return `p = rt.putStr(b, p, ${v});`;
    case 'names':
      return `${putCount(v)} for (i = 0; i < ${v}.length; i++) p = rt.putStr(b, p, ${v}[i]);`;
    case 'qids':
      return `${putCount(v)} for (i = 0; i < ${v}.length; i++) { ${putQid(`${v}[i]`)} }`;
    case 'data':
      return putU32(`${v}.length`);
    case 'stat':
      return `n = stat.size(${v}); b[p] = n; b[p + 1] = n >>> 8; p = stat.encode(b, p + 2, ${v});`;
  }
}

const putU32 = (v: string) =>
  `n = ${v}; b[p] = n; b[p + 1] = n >>> 8; b[p + 2] = n >>> 16; b[p + 3] = n >>> 24; p += 4;`;
const putCount = (v: string) => `n = ${v}.length; b[p] = n; b[p + 1] = n >>> 8; p += 2;`;
const putQid = (v: string) =>
  `b[p] = ${v}.type; p += 1; ${putU32(`${v}.vers`)} rt.putU64(b, p, ${v}.path); p += 8;`;

/** An expression for the bytes of all fields of `m`. */
function sizeOf(fields: WireField[]): string {
  const terms = fields.map(({ name, kind }) => {
    const v = `m.${name}`;
    switch (kind) {
      case 'str':
        return `2 + rt.utf8Length(${v})`;
      case 'names':
        return `2 + ${v}.reduce(function (sum, s) { return sum + 2 + rt.utf8Length(s); }, 0)`;
      case 'qids':
        return `2 + 13 * ${v}.length`;
      case 'data':
        return `4 + ${v}.length`;
      case 'stat':
        return `2 + stat.size(${v})`;
      default:
        return String(FIXED[kind]);
    }
  });
  return ['0', ...terms].join(' + ');
}

interface StatCodec {
  decode: (b: Buffer, p: number, end: number) => WireStat;
  size: (m: WireStat) => number;
  encode: (b: Buffer, p: number, m: WireStat) => number;
}

/** Compiles generated text whose free names are `rt` and, for messages, `stat`. */
function make<T>(source: string, stat?: StatCodec): T {
  return (new Function('rt', 'stat', source) as (rt: Runtime, stat: StatCodec | undefined) => T)(
    runtime,
    stat,
  );
}

function compileStat(dialect: Dialect): StatCodec {
  const fields = wireFields(STAT, dialect);
  return make<StatCodec>(`return {
    decode: function (b, p, end) {
      var n, k;
      ${need(2)} n = ${u16('p')}; p += 2; ${need('n')} end = p + n;
      ${decodeFields(fields)}
      if (p !== end) rt.long();
      return { ${literal(STAT, dialect)} };
    },
    size: function (m) { return 2 + ${sizeOf(fields)}; },
    encode: function (b, p, m) {
      var n, i, start = p; p += 2;
      ${fields.map(encodeField).join('\n')}
      n = p - start - 2; b[start] = n; b[start + 1] = n >>> 8;
      return p;
    },
  };`);
}

function compileMessage(
  name: MessageName,
  type: number,
  all: Fields,
  dialect: Dialect,
  stat: StatCodec,
): Compiled {
  const fields = wireFields(all, dialect);
  const rest = Object.keys(all).length > 0 ? `, ${literal(all, dialect)}` : '';
  return make<Compiled>(
    `return {
    decode: function (b, p, end) {
      var n, k, tag = ${u16('5')};
      ${decodeFields(fields)}
      if (p !== end) rt.long();
      return { type: ${JSON.stringify(name)}, tag: tag${rest} };
    },
    size: function (m) { return ${HEADER} + ${sizeOf(fields)}; },
    head: function (b, p, m) {
      var n, i, start = p; p += 4;
      b[p] = ${type}; b[p + 1] = m.tag; b[p + 2] = m.tag >>> 8; p += 3;
      ${fields.map(encodeField).join('\n')}
      n = p - start${all['data'] === 'data' ? ' + m.data.length' : ''};
      b[start] = n; b[start + 1] = n >>> 8; b[start + 2] = n >>> 16; b[start + 3] = n >>> 24;
      return p;
    },
  };`,
    stat,
  );
}
