/**
 * Which addresses cs and dns gave to whom, for which names: a dial by an address is then a dial of that
 * name, as long as the answer holds. Most programs look a name up and dial a number.
 */
import { formatIp, type Ip } from './address.ts';
import type { Caller } from '../policy/identity.ts';
import type { Naming } from '../policy/judge.ts';

/** Addresses of one user, and names of one address; those that were given the longest ago are forgotten first. */
export interface Most {
  readonly addresses: number;
  readonly names: number;
}

const OF_THE_SERVER: Most = { addresses: 4096, names: 16 };
/** A user has many views. */
export const OF_A_VIEW: Most = { addresses: 256, names: 8 };
const MOST_USERS = 4096;

/** Seconds for which even an answer that must not be kept holds: who asked has to dial. */
const LEAST_TTL = 10;

/** Seconds for which any holds: of a name's owner who says for ever, and of a file that is edited meanwhile. */
const MOST_TTL = 24 * 60 * 60;

interface Holding extends Naming {
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/** By address, and by name. */
type Addresses = Map<string, Map<string, Holding>>;

export class Given {
  private readonly now: () => number;
  private readonly most: Most;
  private readonly users = new Map<number, Addresses>();
  /** Of those for whom nobody vouches each is somebody else. */
  private readonly nobodies = new WeakMap<Caller, Addresses>();

  /** `now` in milliseconds since the epoch. */
  constructor(now: () => number, most = OF_THE_SERVER) {
    this.now = now;
    this.most = most;
  }

  /** `ttl` in seconds. */
  remember(caller: Caller, ip: Ip, naming: Naming, ttl: number): void {
    const addresses = this.addressesOf(caller);
    const key = formatIp(ip);
    const names = addresses.get(key) ?? new Map<string, Holding>();
    addresses.delete(key);
    addresses.set(key, names);
    const until = this.now() + Math.min(Math.max(ttl, LEAST_TTL), MOST_TTL) * 1000;
    const name = naming.names.join(' ');
    names.delete(name);
    names.set(name, { ...naming, until });
    shrink(names, this.most.names);
    shrink(addresses, this.most.addresses);
  }

  /** By which names he was given this address, the last first. */
  namings(caller: Caller, ip: Ip): readonly Naming[] {
    const known = caller.anonymous === true ? this.nobodies.get(caller) : this.users.get(caller.uid);
    const names = known?.get(formatIp(ip));
    if (names === undefined) return [];
    const now = this.now();
    return [...names.values()].filter(({ until }) => until > now).reverse();
  }

  private addressesOf(caller: Caller): Addresses {
    const known = caller.anonymous === true ? this.nobodies.get(caller) : this.users.get(caller.uid);
    if (known !== undefined) return known;
    const made: Addresses = new Map();
    if (caller.anonymous === true) this.nobodies.set(caller, made);
    else this.users.set(caller.uid, made);
    shrink(this.users, MOST_USERS);
    return made;
  }
}

/** The oldest go. */
function shrink<K>(map: Map<K, unknown>, most: number): void {
  if (map.size <= most) return;
  const [oldest] = map.keys();
  map.delete(oldest!);
}
