/** Host names as a Dialer has them. */
import type { Signal } from '../abort.ts';
import type { Ip } from '../netfs/address.ts';
import { FsError } from '../netfs/error.ts';
import { isMissing, type Resolver } from '../netfs/resolver.ts';
import { HostResolver } from './dns/resolver.ts';

/** By this host's own settings. */
export const hostResolver: Resolver = new HostResolver();

export const resolve = (name: string, signal: Signal): Promise<readonly Ip[]> =>
  resolveBy(hostResolver, name, signal);

/** Dialer.resolve */
export async function resolveBy(resolver: Resolver, name: string, signal: Signal): Promise<readonly Ip[]> {
  try {
    return (await resolver.addresses(name, signal)).map(({ ip }) => ip);
  } catch (error) {
    if (isMissing(error)) throw new FsError('Enotrans', `${name} does not exist`);
    throw error;
  }
}
