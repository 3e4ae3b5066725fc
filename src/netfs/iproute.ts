/** The text of `iproute`. ip(3); the columns are those of 9front's iproute.c. */
import { anyOf, formatIp, isLoopback } from './address.ts';
import { addressBits, formatMask, left, right, rightCut } from './columns.ts';
import type { Route } from './hostfacts.ts';

/**
 * A line for each route: target, mask, gateway, flags, tag, interface, source and its mask. `numbers` are
 * those of ipifc by the kernel's index. Routes that refuse are left out: the format has no word for them.
 */
export function formatRoutes(routes: readonly Route[], numbers: ReadonlyMap<number, number>): string {
  const lines = routes.filter(({ kind }) => kind !== 'refused').map(route => formatRoute(route, numbers));
  // Two that differ in nothing that is shown, such as by their metric, are one.
  return [...new Set(lines)].join('');
}

function formatRoute(route: Route, numbers: ReadonlyMap<number, number>): string {
  const { target, prefix, gateway, interfaceIndex, source } = route;
  const { family } = target;
  const number = numbers.get(interfaceIndex);
  const columns = [
    left(formatIp(target), 15),
    left(formatMask(family, prefix), 4),
    left(formatIp(gateway ?? target), 15),
    left(flagsOf(route), 4),
    // Plan 9 calls those that come with an interface `ifc `, and `none` what nobody gave a name.
    rightCut(gateway === undefined ? 'ifc ' : 'none', 4),
    right(number === undefined ? '-' : String(number), 3),
    left(formatIp(source?.ip ?? anyOf(family)), 15),
    left(formatMask(family, source?.prefix ?? 0), 4),
  ];
  return `${columns.join(' ')}\n`;
}

/** 4 or 6, and then i for an interface's network, u b m for what is taken here, p for point to point. */
function flagsOf({ kind, target, prefix, gateway }: Route): string {
  const { family } = target;
  const whole = prefix === addressBits(family);
  // Of IPv6's loopback Plan 9 has the network and not the address, though they are the same.
  const own = !whole || (family === 6 && isLoopback(target));
  switch (kind) {
    case 'local':
      return `${family}${own ? 'i' : 'u'}`;
    case 'broadcast':
      return `${family}b`;
    case 'multicast':
      return `${family}m`;
    default:
      if (gateway !== undefined) return String(family);
      return `${family}${own ? 'i' : 'ip'}`;
  }
}
