/** Messages of the domain name system: a question in octets, and an answer taken apart. RFC 1035, 4. */
import { HEADER, Reader } from './reader.ts';
import { readValue } from './values.ts';

export interface Question {
  /** In octets: domainOctets. */
  readonly name: Uint8Array;
  readonly type: number;
}

export interface AnswerRecord {
  readonly name: string;
  readonly type: number;
  readonly ttl: number;
  /** As dns(8) writes it: values.ts. */
  readonly value: string;
}

export interface Answer {
  readonly rcode: number;
  /** The server has the zone; it asks others for who asks it. */
  readonly authoritative: boolean;
  readonly recursive: boolean;
  /** The answer section's records of class IN. */
  readonly records: readonly AnswerRecord[];
  /** Types of the authority section. */
  readonly authority: readonly number[];
}

/** RFC 1035, 4.1.1; RFC 6895, 2.3. */
export const RCODE = { ok: 0, format: 1, server: 2, name: 3, unimplemented: 4, refused: 5 } as const;

export const TYPE = {
  ip: 1,
  ns: 2,
  cname: 5,
  soa: 6,
  ptr: 12,
  hinfo: 13,
  mx: 15,
  txt: 16,
  ipv6: 28,
  srv: 33,
};

const IN = 1;
const OPT = 41;

/** Bits of the header's second 16. */
const FLAG = {
  response: 0x8000,
  authoritative: 0x0400,
  truncated: 0x0200,
  desired: 0x0100,
  available: 0x0080,
};
const OPCODE = 0x7800;

/** What arrives whole on any path (DNS Flag Day 2020): the most we take by UDP. */
const UDP_SIZE = 1232;

// ---- the question -----------------------------------------------------------------------------

/** A query for recursion. `edns` says that we take more than 512 octets (RFC 6891). */
export function encodeQuery({ name, type }: Question, id: number, edns: boolean): Buffer {
  const end = HEADER + name.length + 4;
  const query = Buffer.alloc(end + (edns ? 11 : 0));
  query.writeUInt16BE(id, 0);
  query.writeUInt16BE(FLAG.desired, 2);
  query.writeUInt16BE(1, 4);
  query.set(name, HEADER);
  query.writeUInt16BE(type, end - 4);
  query.writeUInt16BE(IN, end - 2);
  if (edns) {
    query.writeUInt16BE(1, 10);
    // The root's name, OPT, our size; no extended code, version 0, no flags, no options.
    query.writeUInt16BE(OPT, end + 1);
    query.writeUInt16BE(UDP_SIZE, end + 3);
  }
  return query;
}

// ---- the answer -------------------------------------------------------------------------------

/** Whether it has the query's id and question, in any case. A server that did not understand may leave the question out. */
export function isAnswerTo(message: Buffer, query: Buffer): boolean {
  if (message.length < HEADER || message.readUInt16BE(0) !== query.readUInt16BE(0)) return false;
  const flags = message.readUInt16BE(2);
  if ((flags & FLAG.response) === 0 || (flags & OPCODE) !== 0) return false;
  const questions = message.readUInt16BE(4);
  if (questions === 0) return isFailure(flags & 0xf);
  return questions === 1 && sameQuestion(message, query);
}

const isFailure = (rcode: number): boolean => rcode !== RCODE.ok && rcode !== RCODE.name;

function sameQuestion(message: Buffer, query: Buffer): boolean {
  const end = questionEnd(query);
  if (message.length < end) return false;
  for (let i = HEADER; i < end - 4; i++) if (lower(message[i]!) !== lower(query[i]!)) return false;
  return message.readUInt32BE(end - 4) === query.readUInt32BE(end - 4);
}

/** Of our own query: nothing in it is compressed. */
function questionEnd(query: Buffer): number {
  let at = HEADER;
  while (query[at] !== 0) at += query[at]! + 1;
  return at + 5;
}

/** The length of a label is no letter. */
const lower = (octet: number): number => (octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet);

/** Not all of it is here: ask by TCP. What is here may end anywhere. */
export const isTruncated = (message: Buffer): boolean => (message.readUInt16BE(2) & FLAG.truncated) !== 0;

/** Throws Malformed, whatever it is given, in time proportional to its length. */
export function decodeAnswer(message: Buffer): Answer {
  const reader = new Reader(message);
  reader.u16();
  const flags = reader.u16();
  const [questions, answers, authorities, more] = [reader.u16(), reader.u16(), reader.u16(), reader.u16()];
  for (let i = 0; i < questions; i++) {
    reader.skipName();
    reader.skip(4);
  }
  const records: AnswerRecord[] = [];
  for (let i = 0; i < answers; i++) {
    const record = readRecord(reader);
    if (record !== undefined) records.push(record);
  }
  const authority: number[] = [];
  for (let i = 0; i < authorities; i++) authority.push(skipRecord(reader).type);
  let rcode = flags & 0xf;
  for (let i = 0; i < more; i++) {
    const { type, ttl } = skipRecord(reader);
    // RFC 6891, 6.1.3: the upper eight bits of the code stand in OPT's TTL.
    if (type === OPT) rcode |= (ttl >>> 24) << 4;
  }
  return {
    rcode,
    authoritative: (flags & FLAG.authoritative) !== 0,
    recursive: (flags & FLAG.available) !== 0,
    records,
    authority,
  };
}

function readRecord(reader: Reader): AnswerRecord | undefined {
  const name = reader.name();
  const [type, class_, ttl, length] = [reader.u16(), reader.u16(), reader.u32(), reader.u16()];
  if (class_ !== IN) {
    reader.skip(length);
    return undefined;
  }
  const value = readValue(reader, type, length);
  reader.spend(value.length);
  // RFC 2181, 8: one with the uppermost bit set counts as 0.
  return { name, type, ttl: ttl > 0x7fffffff ? 0 : ttl, value };
}

function skipRecord(reader: Reader): { type: number; ttl: number } {
  reader.skipName();
  const type = reader.u16();
  reader.skip(2);
  const ttl = reader.u32();
  reader.skip(reader.u16());
  return { type, ttl };
}
