/** What the ctl messages of all protocols have in common: their words, and how a connect tries addresses. */
import { FsError, type ErrorName } from './error.ts';
import {
  formatEndpoint,
  formatIp,
  isUnspecified,
  parseDestination,
  parseLocal,
  type Destination,
  type Endpoint,
  type Ip,
} from './address.ts';
import type { Destination as Found, Lookups } from './lookups.ts';
import type { Awaitable, Req } from './node.ts';
import type { Caller } from '../policy/identity.ts';
import type { Naming } from '../policy/judge.ts';
import type { Signal } from '../abort.ts';

const DEFAULT_TTL = 255;

/** The ctl messages of a protocol, by their first word. */
export type Verbs<C> = Readonly<
  Record<string, (conversation: C, args: readonly string[], req: Req) => Awaitable<void>>
>;

/** Does what a message says; Ebadctl where there is no such message. */
export function obey<C>(
  verbs: Verbs<C>,
  conversation: C,
  [verb = '', ...args]: readonly string[],
  req: Req,
): Awaitable<void> {
  if (!Object.hasOwn(verbs, verb)) {
    throw new FsError('Ebadctl', `'${verb}'; there are: ${Object.keys(verbs).join(', ')}`);
  }
  return verbs[verb]!(conversation, args, req);
}

/** `connect HOST!PORT[!r] [LOCAL]`; without LOCAL the local end is undefined. */
export function connectEnds(
  [remote, from, ...more]: readonly string[],
  protocol: string,
): { to: Destination; local: Endpoint | undefined; reserved: boolean } {
  if (remote === undefined || more.length > 0) {
    throw new FsError('Econnectargs', 'write connect HOST!PORT [LOCAL]');
  }
  const to = parseDestination(remote, protocol);
  if (from === undefined) return { to, local: undefined, reserved: to.reserved };
  const { local, reserved } = localEnd(from, protocol);
  return { to, local, reserved: to.reserved || reserved };
}

/** `[IP!]PORT[!r]`, the near end of a connect. */
function localEnd(text: string, protocol: string): { local: Endpoint; reserved: boolean } {
  const reserved = text.endsWith('!r');
  return { local: parseLocal(reserved ? text.slice(0, -2) : text, protocol), reserved };
}

/** `[IP!]PORT` to announce; `*` for all ports at once is Plan 9's, for its owner. */
export function announcedEnd(text: string, protocol: string, owner: boolean): Endpoint {
  if (text === '*' || text.endsWith('!*')) {
    // A host's socket has one port.
    throw new FsError(owner ? 'Enoannounce' : 'Eperm', 'all ports at once; name one port');
  }
  return parseLocal(text, protocol);
}

/** `bind [IP!]PORT`. Bell Labs' APE writes `*` alone where any port will do. */
export function boundEnd(args: readonly string[], protocol: string): Endpoint {
  if (args.length !== 1) throw new FsError('Ebindargs', 'write bind [IP!]PORT');
  return parseLocal(args[0] === '*' ? '0' : args[0]!, protocol);
}

/** A decimal number in a range; Ebadarg otherwise. */
export function integer(text: string, least: number, most: number): number {
  const n = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(n >= least && n <= most))
    throw new FsError('Ebadarg', `'${text}' is no number from ${least} to ${most}`);
  return n;
}

export function ttlArg([n]: readonly string[]): { ttl: number } {
  return { ttl: n === undefined ? DEFAULT_TTL : integer(n, 1, 255) };
}

export function tosArg([n]: readonly string[]): { tos: number } {
  return { tos: n === undefined ? 0 : integer(n, 0, 255) };
}

/** Addresses of addmulti, delmulti; `missing` is the error where there are none. */
export function ipArgs(args: readonly string[], missing: ErrorName): Ip[] {
  if (args.length === 0) throw new FsError(missing);
  return args.map(arg => parseLocal(`${arg}!0`, 'udp').ip);
}

/** The addresses that a destination stands for; one that is a name needs the right to ask for it. */
export async function destinationsOf(
  { host }: Destination,
  lookups: Lookups,
  caller: Caller,
  signal: Signal,
): Promise<readonly Found[]> {
  if (typeof host === 'string') return lookups.destinations(host, caller, signal);
  return [{ ip: host, names: [], trusted: false }];
}

/** As it was asked for: `tcp!github.com!443` */
export const destOf = (protocol: string, { host, port }: Destination): string =>
  `${protocol}!${typeof host === 'string' ? host : formatIp(host)}!${port}`;

/** Tries each address in turn; the last one's failure is the answer, and names the address. */
export async function firstThatWorks<T>(
  hosts: readonly Found[],
  port: number,
  signal: Signal,
  attempt: (to: Endpoint, naming: Naming) => Promise<T>,
): Promise<T> {
  let failure: unknown;
  for (const { ip, names, trusted } of hosts) {
    const to = { ip, port };
    try {
      // What a name resolved to is judged as an address: 0.0.0.0 is this machine to the kernel.
      if (isUnspecified(ip)) throw new FsError('Ebadip', `${formatEndpoint(to)} is no destination`);
      return await attempt(to, { names, trusted });
    } catch (error) {
      if (signal.aborted) throw error;
      failure = naming(error, to);
    }
  }
  throw failure;
}

/** An error that says nothing but its name is told with the address that it is about. */
export function naming(error: unknown, at: Endpoint): unknown {
  if (!(error instanceof FsError) || error.detail !== undefined) return error;
  return new FsError(error.name, formatEndpoint(at));
}
