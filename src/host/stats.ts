/** The text of tcp/stats: what this /net did, and beside it what the host's kernel counted. */
import { readFileSync } from 'node:fs';
import type { TcpCounters } from '../netfs/tcp.ts';

/** 9front's names in its order, each with the kernel's in /proc/net/snmp or /proc/net/netstat. */
const KERNEL: readonly (readonly [name: string, kernel: string])[] = [
  ['EstabResets', 'Tcp.EstabResets'],
  ['CurrEstab', 'Tcp.CurrEstab'],
  ['InSegs', 'Tcp.InSegs'],
  ['OutSegs', 'Tcp.OutSegs'],
  ['RetransSegs', 'Tcp.RetransSegs'],
  ['RetransTimeouts', 'TcpExt.TCPTimeouts'],
  ['InErrs', 'Tcp.InErrs'],
  ['OutRsts', 'Tcp.OutRsts'],
  ['CsumErrs', 'Tcp.InCsumErrors'],
  ['OutOfOrder', 'TcpExt.TCPOFOQueue'],
  ['Delayack', 'TcpExt.DelayedACKs'],
  ['Recovery', 'TcpExt.TCPSackRecovery'],
];

export function hostTcpStats(limit: number, own: TcpCounters): string {
  const kernel = new Map([...counters('/proc/net/snmp'), ...counters('/proc/net/netstat')]);
  const lines = [`MaxConn: ${limit}`, `ActiveOpens: ${own.activeOpens}`, `PassiveOpens: ${own.passiveOpens}`];
  for (const [name, key] of KERNEL) lines.push(`${name}: ${kernel.get(key) ?? 0}`);
  return `${lines.join('\n')}\n`;
}

/** Pairs of lines, `Tcp: NAME...` and `Tcp: VALUE...`, as proc(5) has them. */
function counters(path: string): [string, string][] {
  const lines = readIfThere(path).split('\n');
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const [group = '', ...names] = lines[i]!.split(' ');
    const values = lines[i + 1]!.split(' ').slice(1);
    names.forEach((name, at) => pairs.push([`${group.replace(':', '')}.${name}`, values[at] ?? '0']));
  }
  return pairs;
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
