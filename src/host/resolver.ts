/**
 * Host names by /etc/hosts, then by the resolvers of this host. c-ares is asked and not getaddrinfo:
 * a query can be cancelled, and a resolver that never answers holds no thread that others wait for.
 */
import { readFileSync, statSync } from 'node:fs';
import { Resolver } from 'node:dns';
import { FsError } from '../netfs/error.ts';
import { parseIp, type Ip } from '../netfs/address.ts';
import { onAbort, type Signal } from '../abort.ts';

const HOSTS = '/etc/hosts';

/** Per try, with as many tries as c-ares makes: 10 s in all for a resolver that is silent. */
const TIMEOUT_MS = 2500;
const TRIES = 2;

export async function resolve(name: string, signal: Signal): Promise<readonly Ip[]> {
  const known = hosts().get(name) ?? reserved(name);
  if (known !== undefined) return known;
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
  const stop = onAbort(signal, () => resolver.cancel());
  try {
    const answers = await Promise.all([query(resolver, 'resolve4', name), query(resolver, 'resolve6', name)]);
    if (signal.aborted) throw signal.reason;
    return addresses(name, answers);
  } finally {
    stop();
  }
}

/** RFC 6761, 6.3: localhost and all below it are this machine, whatever a resolver says. */
function reserved(name: string): readonly Ip[] | undefined {
  if (name !== 'localhost' && !name.endsWith('.localhost')) return undefined;
  return [parseIp('127.0.0.1')!, parseIp('::1')!];
}

interface Answer {
  readonly addresses: readonly string[];
  readonly code: string | undefined;
}

function query(resolver: Resolver, how: 'resolve4' | 'resolve6', name: string): Promise<Answer> {
  return new Promise(resolve => {
    resolver[how](name, (error, addresses) => {
      resolve({ addresses: error === null ? addresses : [], code: error?.code });
    });
  });
}

/** IPv4 before IPv6, as cs(8) orders them. */
function addresses(name: string, answers: readonly Answer[]): readonly Ip[] {
  const found = answers.flatMap(answer => answer.addresses.map(text => parseIp(text)));
  const usable = found.filter(ip => ip !== undefined);
  if (usable.length > 0) return usable;
  const missing = answers.every(({ code }) => code === 'ENOTFOUND' || code === 'ENODATA');
  if (missing) throw new FsError('Enotrans', `${name} does not exist`);
  throw new FsError('Edns', `no answer about ${name} (${answers.map(({ code }) => code).join(', ')})`);
}

// ---- /etc/hosts -------------------------------------------------------------------------------

let cached: { stamp: string; names: Map<string, readonly Ip[]> } | undefined;

/** The file's names, read again when it changed. */
function hosts(): Map<string, readonly Ip[]> {
  const stamp = stampOf(HOSTS);
  if (cached?.stamp !== stamp) {
    cached = { stamp, names: stamp === '' ? new Map() : parseHosts(readFileSync(HOSTS, 'utf8')) };
  }
  return cached.names;
}

function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.mtimeMs} ${stat.size} ${stat.ino}`;
}

/** hosts(5): `address name alias...`; a name on several lines has all their addresses, IPv4 first. */
export function parseHosts(text: string): Map<string, readonly Ip[]> {
  const names = new Map<string, Ip[]>();
  for (const line of text.split('\n')) {
    const [address, ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    const ip = parseIp(address ?? '');
    if (ip === undefined) continue;
    for (const alias of aliases) {
      const key = alias.toLowerCase();
      names.set(
        key,
        [...(names.get(key) ?? []), ip].sort((a, b) => a.family - b.family),
      );
    }
  }
  return names;
}
