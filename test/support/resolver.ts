/** A resolver that knows what a test tells it, and can be made to wait. */
import { abortable, type Signal } from '../../src/abort.ts';
import { FsError } from '../../src/netfs/error.ts';
import type { HostAddress, Resolver, ResourceRecord } from '../../src/netfs/resolver.ts';
import { ip } from './machine.ts';

/** Values by name and type. A name with none of the type has no such record; others do not exist. */
export type Zone = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

export class FakeResolver implements Resolver {
  /** Every name that was asked for. */
  readonly asked: string[] = [];
  domains?: () => readonly string[];
  private readonly zone: Zone;
  private waiting: (() => void)[] = [];

  constructor(zone: Zone) {
    this.zone = zone;
  }

  async records(name: string, type: string, signal: Signal): Promise<readonly ResourceRecord[]> {
    const all = await this.find(name, signal);
    const found = (Object.hasOwn(all, type) ? all[type] : undefined) ?? [];
    if (found.length === 0) throw new FsError('Enorecord', name);
    return found.map(value => ({ name, type, value, ttl: 60 }));
  }

  async addresses(name: string, signal: Signal): Promise<readonly HostAddress[]> {
    const { ip: v4 = [], ipv6 = [] } = await this.find(name, signal);
    if (v4.length + ipv6.length === 0) throw new FsError('Enorecord', name);
    return [...v4, ...ipv6].map(text => ({ ip: ip(text), ttl: 60 }));
  }

  /** Those who ask for `slow...` wait until now. */
  release(): void {
    for (const go of this.waiting.splice(0)) go();
  }

  private async find(name: string, signal: Signal): Promise<Readonly<Record<string, readonly string[]>>> {
    this.asked.push(name);
    if (name.startsWith('broken')) throw new FsError('Edns', name);
    if (name.startsWith('slow')) await abortable(new Promise<void>(go => this.waiting.push(go)), signal);
    const found = this.zone[name];
    if (found === undefined) throw new FsError('Enoname', name);
    return found;
  }
}

/** One that knows addresses only, as the test finds them; what fails fails with its error. */
export function addressesBy(find: (name: string) => readonly string[]): Resolver {
  const addresses = (name: string): Promise<HostAddress[]> =>
    new Promise(resolve => resolve(find(name).map(text => ({ ip: ip(text), ttl: 60 }))));
  return { addresses, records: name => Promise.reject(new FsError('Enorecord', name)) };
}
