/** Writes down what was asked of a judge, as the lines of a zone that would allow just that. */
import { formatIp, isUnspecified, type Ip } from '../netfs/address.ts';
import { FsError } from '../netfs/error.ts';
import { parseLine } from './lines.ts';
import type { Question } from './rules.ts';
import { embedded, isSpecial } from './special.ts';

/** Bytes of distinct lines; what is asked beyond them is not written down. */
const MOST = 256 * 1024;

export class Learner {
  private readonly lines = new Set<string>();
  /** Names that a line names already, so that they need no line to be looked up. */
  private readonly named = new Set<string>();
  private readonly names = new Set<string>();
  private bytes = 0;

  asked(question: Question): void {
    const { verb, protocol, names, ip, port } = question;
    const to = (host: string): string => `${verb} ${protocol}!${host}!${port === 0 ? '*' : port}`;
    const [name] = names;
    if (name === undefined) this.add(this.lines, to(hostOf(ip)), to(hostOf(ip)));
    else if (isName(name) && this.add(this.lines, to(name), to(name))) this.named.add(name);
    for (const address of addressesBeside(question)) this.add(this.lines, to(address), to(address));
  }

  lookedUp(name: string): void {
    if (isName(name)) this.add(this.names, name, `resolve ${name}`);
  }

  /** False where there is no room to write it down. */
  private add(set: Set<string>, text: string, line: string): boolean {
    if (set.has(text)) return true;
    if (this.bytes + line.length >= MOST) return false;
    this.bytes += line.length + 1;
    set.add(text);
    return true;
  }

  /** In the order in which they were asked for first. */
  get text(): string {
    const resolves = [...this.names].filter(name => !this.named.has(name)).map(name => `resolve ${name}`);
    return [...this.lines, ...resolves].map(line => `${line}\n`).join('');
  }
}

/** To announce every address of the host is written `*`. */
const hostOf = (ip: Ip): string => (isUnspecified(ip) ? '*' : formatIp(ip));

/** What a line for the name, or for the address itself, does not open. */
function addressesBeside({ verb, names, trusted, special, ip }: Question): string[] {
  const inside = embedded(ip);
  // Nobody has that address, and the line would stand for every one.
  if (verb === 'announce' && inside !== undefined && isUnspecified(inside)) return [];
  const mustBeOpen = (special || (inside !== undefined && isSpecial(inside))) && !trusted;
  const both = inside === undefined ? [ip] : [ip, inside];
  if (names.length === 0) return both.slice(1).map(formatIp);
  return mustBeOpen ? both.map(formatIp) : [];
}

/** Whether a line says it as a name, and as nothing that stands for more: DNS knows `*` as a label. */
function isName(name: string): boolean {
  try {
    const host = parseLine(`resolve ${name}`)?.host;
    return host?.kind === 'name' && host.name === name;
  } catch (error) {
    if (error instanceof FsError) return false;
    throw error;
  }
}
