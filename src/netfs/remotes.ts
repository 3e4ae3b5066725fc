/** With whom a socket may exchange datagrams: asked once for each remote, until the rules change. */
import { formatEndpoint, formatIp, type Endpoint } from './address.ts';
import { FsError } from './error.ts';
import type { Attempt, Gate } from './gate.ts';
import type { Caller } from '../policy/identity.ts';

/** Remotes that are remembered. */
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

/** Who was spoken to, and what the rules of some time said of it. */
interface Spoken {
  readonly epoch: number;
  readonly refusal: FsError | undefined;
}

export class Remotes {
  private readonly options: Remoting;
  private readonly spoken = new Map<string, Spoken>();
  private readonly heard = new Map<string, boolean>();
  private epoch = -1;

  constructor(options: Remoting) {
    this.options = options;
  }

  /** Throws Eperm where nothing may be sent. */
  mustReach(to: Endpoint): void {
    const refusal = this.refusalOf(to, formatEndpoint(to));
    if (refusal !== undefined) throw refusal;
  }

  private refusalOf(to: Endpoint, key: string): FsError | undefined {
    const { epoch } = this.options.gate;
    let known = this.spoken.get(key);
    if (known?.epoch !== epoch) {
      known = { epoch, refusal: this.ask(to, `udp!${key}`) };
      this.spoken.set(key, known);
      shrink(this.spoken);
    }
    return known.refusal;
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

  /** Whether one may be heard: who was spoken to may answer, whatever else has changed since. */
  mayHear(from: Endpoint): boolean {
    const key = formatEndpoint(from);
    if (this.spoken.has(key) && this.refusalOf(from, key) === undefined) return true;
    return this.isCaller(from);
  }

  private isCaller(from: Endpoint): boolean {
    const { gate, caller, place } = this.options;
    if (gate.epoch !== this.epoch) this.heard.clear();
    this.epoch = gate.epoch;
    const key = formatIp(from.ip);
    const allowed = this.heard.get(key) ?? gate.lets(this.callBy(from), caller, place);
    this.heard.set(key, allowed);
    shrink(this.heard);
    return allowed;
  }

  private callBy({ ip, port }: Endpoint): Attempt {
    const dest = `udp!${formatEndpoint({ ip, port })}`;
    return { verb: 'accept', protocol: 'udp', dest, ip, port: this.options.port };
  }
}

/** The oldest go. */
function shrink(map: Map<string, unknown>): void {
  if (map.size <= MOST) return;
  const [oldest] = map.keys();
  map.delete(oldest!);
}
