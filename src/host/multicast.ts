/** The multicast groups this machine has joined: /proc/net/igmp and igmp6, proc_pid_net(5). */
import type { Ip } from '../netfs/address.ts';
import type { Membership } from '../netfs/hostfacts.ts';
import { readIfThere } from './proc.ts';

export function hostGroups(): Membership[] {
  return [...parseIgmp(readIfThere('/proc/net/igmp')), ...parseIgmp6(readIfThere('/proc/net/igmp6'))];
}

/** A line for each interface, below it one for each group: the address as a number of the host's byte order. */
export function parseIgmp(text: string): Membership[] {
  const found: Membership[] = [];
  let interfaceIndex = 0;
  for (const line of text.split('\n')) {
    const heading = /^(\d+)\t/.exec(line);
    if (heading !== null) interfaceIndex = Number(heading[1]);
    const group = /^\t+([0-9A-F]{8}) /.exec(line);
    if (group === null || interfaceIndex === 0) continue;
    const bytes = Uint8Array.from(Buffer.from(group[1]!, 'hex').reverse());
    found.push({ ip: { family: 4, bytes }, interfaceIndex });
  }
  return found;
}

/** A line for each group: index, interface, address ... */
export function parseIgmp6(text: string): Membership[] {
  return text.split('\n').flatMap(line => {
    const [, index, hex] = /^(\d+)\s+\S+\s+([0-9a-f]{32})\s/.exec(line) ?? [];
    if (index === undefined || hex === undefined) return [];
    const ip: Ip = { family: 6, bytes: Uint8Array.from(Buffer.from(hex, 'hex')) };
    return [{ ip, interfaceIndex: Number(index) }];
  });
}
