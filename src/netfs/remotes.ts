/** With whom a socket may exchange datagrams: asked once for each remote, until the rules change. */
import { formatEndpoint, formatIp, type Endpoint } from './address.ts';
import { FsError } from './error.ts';
import type { Attempt, Gate } from './gate.ts';
import type { Caller } from '../policy/identity.ts';

/** Remotes that are remembered; then they are asked about again. */
const MOST = 4096;

export interface Remoting {
  readonly gate: Gate;
  /** Who announced. */
  readonly caller: Caller;
  /** `udp/3` */
  readonly place: string;
  /** The local port. */
  readonly port: number;
}

export class Remotes {
  private readonly options: Remoting;
  private readonly sent = new Map<string, FsError | undefined>();
  private readonly heard = new Map<string, boolean>();
  private epoch = -1;

  constructor(options: Remoting) {
    this.options = options;
  }

  /** Throws Eperm where nothing may be sent. */
  mustReach(to: Endpoint): void {
    const known = this.fresh(this.sent);
    const key = formatEndpoint(to);
    if (!known.has(key)) known.set(key, this.ask(to, `udp!${key}`));
    const refusal = known.get(key);
    if (refusal !== undefined) throw refusal;
  }

  private ask(to: Endpoint, dest: string): FsError | undefined {
    const { gate, caller, place } = this.options;
    try {
      const attempt = { verb: 'connect', protocol: 'udp', dest, ...to } as const;
      // Nothing stands that could be revoked: the next datagram is asked about again.
      gate.admit(attempt, caller, { place, revoke: () => {} }).forget();
      return undefined;
    } catch (error) {
      if (error instanceof FsError) return error;
      throw error;
    }
  }

  /** Whether one may be heard: who was spoken to may answer. */
  mayHear(from: Endpoint): boolean {
    if (this.fresh(this.sent).has(formatEndpoint(from)))
      return this.sent.get(formatEndpoint(from)) === undefined;
    const known = this.fresh(this.heard);
    const key = formatIp(from.ip);
    const allowed =
      known.get(key) ?? this.options.gate.lets(this.callBy(from), this.options.caller, this.options.place);
    known.set(key, allowed);
    return allowed;
  }

  private callBy({ ip, port }: Endpoint): Attempt {
    const dest = `udp!${formatEndpoint({ ip, port })}`;
    return { verb: 'accept', protocol: 'udp', dest, ip, port: this.options.port };
  }

  private fresh<T extends Map<string, unknown>>(known: T): T {
    const { epoch } = this.options.gate;
    if (epoch !== this.epoch || known.size > MOST) {
      this.sent.clear();
      this.heard.clear();
      this.epoch = epoch;
    }
    return known;
  }
}
