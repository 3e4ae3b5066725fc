/**
 * Names for those who ask for them, by whatever file: who may, which names, and what they were given.
 *
 * Who asks needs to be one who may read and write the file dns; in a view its maker, too, outside. Which
 * names there are for him the zones say. What he was given is remembered for when he dials it by number.
 */
import { abortable, type Signal } from '../abort.ts';
import { parseIp, type Ip } from './address.ts';
import { domainKey, isRooted, zoneKey } from './domain.ts';
import { FsError } from './error.ts';
import type { Gate, Saying } from './gate.ts';
import type { Names } from './names.ts';
import { firstOf, isMissing, type HostAddress, type ResourceRecord } from './resolver.ts';
import type { Caller } from '../policy/identity.ts';
import type { Naming } from '../policy/judge.ts';
import { R, W, type Authority, type Permissions } from '../policy/permissions.ts';

export interface LookupsOptions {
  readonly authority: Authority;
  readonly names: Names;
  readonly gate: Gate;
  /** In a view: those outside, and as whom they are asked. */
  readonly above: { readonly lookups: Lookups; readonly maker: Caller } | undefined;
}

/** Where a dial may go, and by which names it was found. */
export interface Destination extends Naming {
  readonly ip: Ip;
}

/** Addresses of a name that a connect tries: cs(8) gives as many. */
export const MOST_ADDRESSES = 20;

export class Lookups {
  /** Of the file dns: the right to ask for names. */
  readonly permissions: Permissions;
  private readonly options: LookupsOptions;

  constructor(options: LookupsOptions) {
    this.options = options;
    this.permissions = options.authority.file(0o600);
  }

  mayAsk(caller: Caller): boolean {
    const { above } = this.options;
    return this.mayAskHere(caller) && (above === undefined || above.lookups.mayAsk(above.maker));
  }

  private mayAskHere(caller: Caller): boolean {
    return this.options.authority.allows(caller, this.permissions, R | W);
  }

  /** Eperm for who may not ask for names. */
  check(caller: Caller): void {
    if (!this.mayAskHere(caller)) {
      const file = {
        path: 'dns',
        permissions: this.permissions,
        needs: 'read and write permission',
        bits: 'rw',
      };
      throw new FsError('Eperm', `to use names ${this.options.gate.needs(file, caller)}`);
    }
    this.checkAbove();
  }

  /** Those inside are told who may not, and nothing of why. */
  private checkAbove(): void {
    const { above } = this.options;
    if (above === undefined || above.lookups.mayAsk(above.maker)) return;
    throw new FsError('Eperm', `${above.maker.name}, who made the view, may not use names outside it`);
  }

  /** The addresses of a host; errors as of Resolver.addresses, and Eperm. */
  async lookup(
    name: string,
    caller: Caller,
    signal: Signal,
    say: Saying = 'all',
  ): Promise<readonly HostAddress[]> {
    this.check(caller);
    const found = await abortable(this.find(name, caller, signal, say), signal);
    if (say === 'nothing') return found;
    for (const { ip, ttl, ...how } of found) {
      this.options.gate.given.remember(caller, ip, namingOf(name, how), ttl);
    }
    return found;
  }

  /**
   * A name may be short for others. Where he may look up only some of these, each is looked for by itself,
   * so that none of the rest is asked of anybody.
   */
  private async find(
    name: string,
    caller: Caller,
    signal: Signal,
    say: Saying,
  ): Promise<readonly HostAddress[]> {
    const { gate, names } = this.options;
    const asked = zoneKey(name);
    const full = isRooted(name) ? [] : names.domains(name).map(domain => `${asked}.${domainKey(domain)}`);
    const allowed = full.filter(candidate => gate.mayResolve([candidate], caller));
    const itself = allowed.length === 0 || gate.mayResolve([asked], caller) ? [asked] : [];
    gate.resolve(itself.length > 0 ? itself : allowed, caller, say);
    if (itself.length === 0 || allowed.length < full.length) {
      return this.findEach([...itself, ...allowed], asked, caller, signal, say);
    }
    const found = await names.addresses(name, signal, caller);
    for (const each of new Set(found.map(address => address.name))) {
      // The name that it was short for may be forbidden.
      if (each !== undefined && each !== asked)
        gate.resolve([each, asked], caller, say === 'all' ? 'refusals' : say);
    }
    return found;
  }

  private async findEach(
    candidates: readonly string[],
    asked: string,
    caller: Caller,
    signal: Signal,
    say: Saying,
  ): Promise<readonly HostAddress[]> {
    const { gate, names } = this.options;
    try {
      return await firstOf(candidates, async candidate => {
        const found = await names.addresses(candidate, signal, caller, false);
        return candidate === asked ? found : found.map(address => ({ ...address, name: candidate }));
      });
    } catch (error) {
      // That there is nothing else is not why.
      if (isMissing(error)) gate.resolve([asked], caller, say === 'all' ? 'refusals' : say);
      throw error;
    }
  }

  /** Where a connect to a host may go. Errors: Enotrans, Edns, Eperm. */
  async destinations(
    name: string,
    caller: Caller,
    signal: Signal,
    say: Saying = 'all',
  ): Promise<readonly Destination[]> {
    try {
      const found = await this.lookup(name, caller, signal, say);
      return found.slice(0, MOST_ADDRESSES).map(({ ip, ...how }) => ({ ip, ...namingOf(name, how) }));
    } catch (error) {
      throw isMissing(error) ? new FsError('Enotrans', error.detail ?? `${name}: ${error.message}`) : error;
    }
  }

  /**
   * As Resolver.records, for somebody who has the file dns open. `asked` is what `name` was made from by
   * adding a domain.
   */
  async records(
    name: string,
    type: string,
    signal: Signal,
    caller: Caller,
    asked = name,
  ): Promise<readonly ResourceRecord[]> {
    const { gate, names } = this.options;
    this.checkAbove();
    gate.resolve([zoneKey(name)], caller);
    const naming = [...new Set([zoneKey(name), zoneKey(asked)])];
    const records = await names.records(name, type, signal, caller);
    for (const record of records) {
      const ip = record.type === 'ip' || record.type === 'ipv6' ? parseIp(record.value) : undefined;
      // Only this machine's own files are true for ever.
      const trusted = record.ttl === Infinity;
      if (ip !== undefined) gate.given.remember(caller, ip, { names: naming, trusted }, record.ttl);
    }
    return records;
  }

  /**
   * What a question to dns may mean: a name of one label is looked for in the local domains, and by itself
   * at last. Those that he may look up; if there is none, the name, to be refused.
   */
  candidates(name: string, caller: Caller): readonly string[] {
    const { gate, names } = this.options;
    const domains = name.includes('.') ? [] : names.domains(name);
    const all = [...domains.map(domain => `${name}.${domain}`), name];
    const allowed = all.filter(each => gate.mayResolve([zoneKey(each)], caller));
    return allowed.length > 0 ? allowed : [name];
  }
}

const namingOf = (asked: string, { name, own }: Pick<HostAddress, 'name' | 'own'>): Naming => ({
  names: [...new Set([zoneKey(asked), ...(name === undefined ? [] : [name])])],
  trusted: own === true,
});
