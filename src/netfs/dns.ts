/**
 * /net/dns: write `NAME TYPE`, read a record at a time as `NAME TYPE\tVALUE`; behind `!` as attributes of
 * ndb(6). dns(8).
 */
import { parseIp } from './address.ts';
import { domainOctets, reverseName } from './domain.ts';
import { FsError } from './error.ts';
import type { DirNode, Req } from './node.ts';
import { DIRECTORIES, ROOT_FILES, type Qids } from './qid.ts';
import { QueryFile } from './query.ts';
import type { Lookups } from './lookups.ts';
import { ALL, firstOf, typeName, typeNumber, type ResourceRecord } from './resolver.ts';
import type { Authority } from '../policy/permissions.ts';
import type { Quota } from '../policy/quota.ts';

/** Maxrequest of 9front's dns. */
const MAX_REQUEST = 1024;

/** ERRMAX of 9front, with its final NUL: longer texts are cut. */
const MAX_ERROR = 127;

/** What dns(8) does for the owner of its server; nothing is kept here that could be shown or be dropped. */
const OWNERS_WORDS = /^(debug|dump|refresh|stats|target .*)$/;

/** `since`: seconds since the epoch. */
export function dnsFile(
  parent: DirNode,
  { since, authority, qids, unread }: { since: number; authority: Authority; qids: Qids; unread: Quota },
  lookups: Lookups,
): QueryFile {
  const path = qids.path(DIRECTORIES.root, undefined, ROOT_FILES.dns);
  return new QueryFile(
    parent,
    'dns',
    { path, since, authority, permissions: lookups.permissions, unread },
    (bytes, req) => {
      const text = requestText(bytes);
      if (authority.isOwner(req.caller) && OWNERS_WORDS.test(text)) return [];
      return answers(parseRequest(text), lookups, req);
    },
    () => new FsError('Ednsbusy'),
  );
}

/** What was asked, understood. */
interface Request {
  /** With a final dot it means itself. */
  readonly name: string;
  /** The type's name. */
  readonly type: string;
  /** As attributes of ndb. */
  readonly ndb: boolean;
}

function requestText(bytes: Buffer): string {
  if (bytes.length >= MAX_REQUEST) {
    throw new FsError('Ednslong', `at most ${MAX_REQUEST - 1} bytes; write NAME TYPE`);
  }
  return bytes.toString('utf8').replace(/\n$/, '');
}

function parseRequest(text: string): Request {
  const [, bang, asked, type] = /^(!?)([^ ]*) (.*)$/s.exec(text) ?? [];
  if (asked === undefined || type === undefined) {
    throw quoting('Ednsrequest', text, 'write NAME TYPE, for example example.com mx');
  }
  const number = typeNumber(type);
  if (number === undefined) {
    throw quoting('Ednstype', type, 'write ip, ipv6, mx ..., all, or a number; one blank before it');
  }
  const ip = typeName(number) === 'ptr' ? parseIp(asked) : undefined;
  const name = ip === undefined ? asked : `${reverseName(ip)}.`;
  if (!isName(name)) throw quoting('Ednsrequest', text, 'that is no domain name');
  return { name, type: typeName(number), ndb: bang === '!' };
}

/** The text of a name that is asked about stands in answers, which are lines. */
const isName = (text: string): boolean => !/[\p{Cc} \ufffd]/u.test(text) && domainOctets(text) !== undefined;

/** An error whose text says what it is about, on one line and no longer than others are. */
function quoting(error: 'Ednsrequest' | 'Ednstype', what: string, detail: string): FsError {
  const shown = what.replace(/\p{Cc}/gu, '?');
  const text = `${new FsError(error).message} ${shown}`;
  return new FsError(
    error,
    detail,
    Buffer.from(text)
      .subarray(0, MAX_ERROR)
      .toString()
      .replace(/\ufffd+$/, ''),
  );
}

/** The records of the type that was asked for, under the name that has them: aliases on the way are not shown. */
async function answers(request: Request, lookups: Lookups, { signal, caller }: Req): Promise<string[]> {
  const { type, ndb } = request;
  const records = await lookUp(lookups.candidates(request.name, caller), name =>
    lookups.records(name, type, signal, caller, request.name),
  );
  const shown = typeNumber(type) === ALL ? records : records.filter(record => record.type === type);
  return shown.map(ndb ? asAttributes : asLine);
}

async function lookUp(
  names: readonly string[],
  find: (name: string) => Promise<readonly ResourceRecord[]>,
): Promise<readonly ResourceRecord[]> {
  try {
    return await firstOf(names, find);
  } catch (error) {
    throw error instanceof FsError && RESOLVERS.has(error.name) ? prefixed(error) : error;
  }
}

/** Errors that a resolver has. */
const RESOLVERS = new Set<FsError['name']>(['Enoname', 'Enorecord', 'Edns']);

const prefixed = ({ name, detail, message }: FsError): FsError =>
  new FsError(name, detail, `dns: ${message}`);

// ---- a record as text -------------------------------------------------------------------------

const asLine = ({ name, type, value }: ResourceRecord): string => `${name} ${type}\t${value}`;

/** 9front's names of what a record holds. */
const ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  ip: ['ip'],
  ipv6: ['ip'],
  cname: ['cname'],
  ns: ['ns'],
  ptr: ['dom'],
  mx: ['pref', 'mx'],
  soa: ['ns', 'mbox', 'serial', 'refresh', 'retry', 'expire', 'ttl'],
  srv: ['pri', 'weight', 'port', 'target'],
};

/** `dom=NAME ip=ADDRESS` */
function asAttributes({ name, type, value }: ResourceRecord): string {
  const owner = `${type === 'ptr' ? 'ptr' : 'dom'}=${name}`;
  const attributes = ATTRIBUTES[type];
  if (attributes === undefined) return `${owner} ${type}=${quoted(value)}`;
  const values = value.split(' ');
  return [owner, ...attributes.map((attribute, i) => `${attribute}=${values[i] ?? ''}`)].join(' ');
}

/** ndb(6): a value with blanks stands in double quotes, and none has a quote of its own. */
function quoted(value: string): string {
  const inner = value.replaceAll('"', '\\034');
  return /[\s'#]|^$/.test(inner) ? `"${inner}"` : inner;
}
