/** Writes down what was asked of a judge, as the lines of a zone that would allow just that. */
import { formatIp } from '../netfs/address.ts';
import type { Question } from './rules.ts';

/** Distinct lines; who asks for more has them not written down. */
const MOST = 10_000;

export class Learner {
  private readonly lines = new Set<string>();
  /** Names that a line names already, so that they need no line to be looked up. */
  private readonly named = new Set<string>();
  private readonly names = new Set<string>();

  asked({ verb, protocol, names, ip, port }: Question): void {
    const [name] = names;
    if (name !== undefined) this.named.add(name);
    this.add(this.lines, `${verb} ${protocol}!${name ?? formatIp(ip)}!${port === 0 ? '*' : port}`);
  }

  lookedUp(name: string): void {
    this.add(this.names, name);
  }

  private add(set: Set<string>, text: string): void {
    if (set.size < MOST) set.add(text);
  }

  /** In the order in which they were asked for first. */
  get text(): string {
    const resolves = [...this.names].filter(name => !this.named.has(name)).map(name => `resolve ${name}`);
    return [...this.lines, ...resolves].map(line => `${line}\n`).join('');
  }
}
