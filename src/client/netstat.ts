/** What conversations there are in a /net: netstat. */
import type { CallOptions, Client } from './client.ts';
import { NinepError } from './error.ts';
import { mapSome } from './some.ts';
import type { Stat } from './stat.ts';

export interface ConversationStatus {
  /** `tcp` */
  readonly protocol: string;
  readonly number: number;
  /** A name, or the number where the server gives none. */
  readonly owner: string;
  /** The first word of `status`: `Established`, `Listen`, `Closed` ... */
  readonly state: string;
  /** `ADDRESS!PORT`; `::!0` when unset. */
  readonly local: string;
  readonly remote: string;
  /** Bytes read and written in all; undefined where the server does not count. */
  readonly bytesIn: number | undefined;
  readonly bytesOut: number | undefined;
  /** When it began, in seconds since the epoch. */
  readonly since: number;
}

export interface NetstatOptions extends CallOptions {
  /** Where the directories of the protocols lie under the attached tree; default the attached tree itself. */
  readonly netdir?: string | undefined;
  /** Those that are closed, too. */
  readonly all?: boolean | undefined;
}

/** Conversations that are asked about at the same time. */
const AT_ONCE = 64;

/**
 * The conversations of every protocol that the caller may see, in the order of protocols and numbers.
 * Those that end meanwhile are closed, or left out.
 */
export async function netstat(client: Client, options: NetstatOptions = {}): Promise<ConversationStatus[]> {
  const { netdir = '', signal } = options;
  const dirs = (await client.ls(netdir, { signal })).filter(({ isDirectory }) => isDirectory);
  const found: ConversationStatus[][] = [];
  for (const { name } of dirs) found.push(await conversationsOf(client, name, options));
  return found.flat();
}

async function conversationsOf(
  client: Client,
  protocol: string,
  options: NetstatOptions,
): Promise<ConversationStatus[]> {
  const { netdir = '', signal } = options;
  const dir = netdir === '' ? protocol : `${netdir}/${protocol}`;
  const stats = await ifThere(() => client.ls(dir, { signal }));
  // A protocol has conversations, as Plan 9's netstat knows it; an interface is none.
  if (protocol === 'ipifc' || stats === undefined) return [];
  const numbered = stats
    .filter(({ name, isDirectory }) => isDirectory && /^\d{1,15}$/.test(name))
    .sort((a, b) => Number(a.name) - Number(b.name));
  const all = await mapSome(numbered, AT_ONCE, stat =>
    ifThere(() => statusOf(client, protocol, `${dir}/${stat.name}`, stat, options)),
  );
  return all.filter(one => one !== undefined);
}

/** Undefined of one that is closed and not wanted. */
async function statusOf(
  client: Client,
  protocol: string,
  dir: string,
  { name, owner, uid, mtime }: Stat,
  { all, signal }: NetstatOptions,
): Promise<ConversationStatus | undefined> {
  const text = (file: string): Promise<string> => readLine(client, `${dir}/${file}`, signal);
  const status = (await text('status')).split(' ');
  const [state = ''] = status;
  if (state === 'Closed' && all !== true) return undefined;
  const [local, remote] = await Promise.all([text('local'), text('remote')]);
  return {
    protocol,
    number: Number(name),
    owner: owner ?? String(uid ?? '?'),
    state,
    local,
    remote,
    bytesIn: numberAfter(status, 'in'),
    bytesOut: numberAfter(status, 'out'),
    since: mtime,
  };
}

/** A line is one read. */
async function readLine(client: Client, path: string, signal: AbortSignal | undefined): Promise<string> {
  const file = await client.open(path, 'r', { signal });
  try {
    return (await file.read(undefined, undefined, signal)).toString().trimEnd();
  } finally {
    void file.close();
  }
}

function numberAfter(words: readonly string[], word: string): number | undefined {
  const text = words[words.indexOf(word, 1) + 1];
  return words.includes(word, 1) && text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** Undefined where there is no such file, or none for this user. */
async function ifThere<T>(get: () => Promise<T>): Promise<T | undefined> {
  try {
    return await get();
  } catch (error) {
    if (error instanceof NinepError && (error.code === 'ENOENT' || error.code === 'EACCES')) return undefined;
    throw error;
  }
}
