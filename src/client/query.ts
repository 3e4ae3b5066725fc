/** The files that are asked: cs(8), which translates addresses; dns(8); and explain. */
import { parseIp } from '../netfs/address.ts';
import { reverseName } from '../netfs/domain.ts';
import type { CallOptions, Client } from './client.ts';
import { NinepError, ProtocolError } from './error.ts';

export interface QueryOptions extends CallOptions {
  /** Where the tree that holds `cs` and `dns` lies under the attached one; default the attached one itself. */
  readonly netdir?: string | undefined;
}

/** A record as dns answers it: `example.org mx\t10 mail.example.org`. */
export interface ResourceRecord {
  readonly name: string;
  /** `ip`, `ipv6`, `mx` ... */
  readonly type: string;
  readonly value: string;
}

/** More than any question has for answers: a server that goes on and on is broken. */
const MOST_ANSWERS = 65_536;
const MOST_BYTES = 16 * 1024 * 1024;

/** A name that cannot be asked about; the message says what would be right. */
export class QuestionError extends Error {}

/**
 * Writes a question to a file and reads the answers, one a read, to their end. Fails with NinepError:
 * the server's word, such as `dns: name does not exist`.
 */
export async function ask(
  client: Client,
  path: string,
  question: string,
  { signal }: CallOptions = {},
): Promise<string[]> {
  const file = await client.open(path, 'rw', { signal }).catch((error: unknown) => {
    // Not to be taken for an answer.
    if (error instanceof NinepError && error.code === 'ENOENT')
      error.detail = `${error.text}: ${path}; there is none to ask`;
    throw error;
  });
  try {
    await file.write(question, 0, signal);
    const answers: string[] = [];
    for (let offset = 0; ;) {
      const answer = await file.fid.read(offset, file.fid.iounit, signal);
      if (answer.length === 0) return answers;
      if (answers.length >= MOST_ANSWERS || offset + answer.length > MOST_BYTES)
        throw new ProtocolError(`${path} answers and answers`);
      answers.push(answer.toString());
      offset += answer.length;
    }
  } finally {
    await file.close();
  }
}

/**
 * The records of a name, such as `mx`. Without a type its addresses, of which there may be only IPv4's
 * or only IPv6's; of an address its names.
 */
export async function lookup(
  client: Client,
  name: string,
  type?: string,
  options: QueryOptions = {},
): Promise<ResourceRecord[]> {
  const ip = parseIp(name);
  if (ip !== undefined && (type ?? 'ptr') === 'ptr') return records(client, reverseName(ip), 'ptr', options);
  if (type !== undefined) return records(client, name, type, options);
  const found = await Promise.allSettled(
    ['ip', 'ipv6'].map(family => records(client, name, family, options)),
  );
  const all = found.flatMap(each => (each.status === 'fulfilled' ? each.value : []));
  for (const each of found) {
    if (each.status === 'rejected' && (all.length === 0 || !hasNoSuchRecord(each.reason))) throw each.reason;
  }
  return unique(all);
}

async function records(
  client: Client,
  name: string,
  type: string,
  options: QueryOptions,
): Promise<ResourceRecord[]> {
  for (const word of [name, type]) {
    if (!WORD.test(word)) throw new QuestionError(`${JSON.stringify(word)} is no name; write one word`);
  }
  return (await ask(client, pathOf('dns', options), `${name} ${type}`, options)).map(parseRecord);
}

/** A question is split at blanks. */
const WORD = /^[^\s\0]+$/;

function parseRecord(answer: string): ResourceRecord {
  const [, name, type, value] = /^(\S+) (\S+)\t(.*)$/s.exec(answer) ?? [];
  if (name === undefined || type === undefined || value === undefined)
    throw new ProtocolError(`dns answered ${JSON.stringify(answer)}, not NAME TYPE and a value`);
  return { name, type, value };
}

/** There is the name, but nothing of this type. */
function hasNoSuchRecord(error: unknown): boolean {
  return (
    error instanceof NinepError && (error.code === 'ENODATA' || /resource does not exist/.test(error.text))
  );
}

/** Aliases on the way are told with each type. */
function unique(all: readonly ResourceRecord[]): ResourceRecord[] {
  const seen = new Map(all.map(record => [JSON.stringify(record), record]));
  return [...seen.values()];
}

/** What dial(2) makes of an address: lines such as `/net/tcp/clone 192.0.2.7!80`, to be tried in turn. */
export function translate(client: Client, address: string, options: QueryOptions = {}): Promise<string[]> {
  return ask(client, pathOf('cs', options), address, options);
}

export interface Explanation {
  readonly allowed: boolean;
  /** The sentence behind yes or no: who, where to, and what decided. */
  readonly reason: string;
}

export interface ExplainOptions extends QueryOptions {
  /** Somebody else: only who governs the /net may ask of him. */
  readonly user?: string | undefined;
  readonly verb?: 'connect' | 'announce' | 'accept' | 'resolve' | undefined;
}

/** Whether somebody may - connect, by default - and why; nothing is done. */
export async function explain(
  client: Client,
  destination: string,
  options: ExplainOptions = {},
): Promise<Explanation> {
  const { user, verb = 'connect' } = options;
  for (const word of [destination, ...(user === undefined ? [] : [user])]) {
    if (!WORD.test(word)) throw new QuestionError(`${JSON.stringify(word)}: write one word`);
  }
  const question = `${user === undefined ? '' : `user ${user} `}${verb} ${destination}`;
  const [answer = ''] = await ask(client, pathOf('explain', options), question, options);
  const [, word, reason] = /^(yes|no): (.*)$/s.exec(answer) ?? [];
  if (reason === undefined) throw new ProtocolError(`explain answered ${JSON.stringify(answer)}`);
  return { allowed: word === 'yes', reason };
}

const pathOf = (file: string, { netdir = '' }: QueryOptions): string =>
  netdir === '' ? file : `${netdir}/${file}`;
