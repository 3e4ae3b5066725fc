/** The texts of stats: what this /net did, and beside it what the host's kernel counted. */
import type { TcpCounters } from '../netfs/tcp.ts';
import type { UdpCounters } from '../netfs/udpcounters.ts';
import { readIfThere } from './proc.ts';

/** A line of 9front's name, and what is added up for it: ours, or the kernel's. What nobody counts is 0. */
type Line = readonly [name: string, ...terms: (number | string)[]];

/** 9front's names in its order (tcp.c), with the kernel's of /proc/net/snmp and /proc/net/netstat. */
export function hostTcpStats(limit: number, own: TcpCounters): string {
  return format([
    ['MaxConn', limit],
    ['MaxSegment'],
    ['ActiveOpens', own.activeOpens],
    ['PassiveOpens', own.passiveOpens],
    ['EstabResets', 'Tcp.EstabResets'],
    ['CurrEstab', 'Tcp.CurrEstab'],
    ['InSegs', 'Tcp.InSegs'],
    ['OutSegs', 'Tcp.OutSegs'],
    ['RetransSegs', 'Tcp.RetransSegs'],
    ['RetransSegsSent', 'Tcp.RetransSegs'],
    ['RetransTimeouts', 'TcpExt.TCPTimeouts'],
    ['InErrs', 'Tcp.InErrs'],
    ['OutRsts', 'Tcp.OutRsts'],
    ['CsumErrs', 'Tcp.InCsumErrors'],
    ['HlenErrs'],
    ['LenErrs'],
    ['OutOfOrder', 'TcpExt.TCPOFOQueue'],
    ['Resequenced'],
    ['ReseqBytelim', 'TcpExt.TCPOFODrop'],
    ['ReseqPktlim'],
    ['Delayack', 'TcpExt.DelayedACKs'],
    ['Wopenack'],
    ['Recovery', 'TcpExt.TCPSackRecovery', 'TcpExt.TCPRenoRecovery'],
    ['RecoveryDone'],
    ['RecoveryRTO', 'TcpExt.TCPSackRecoveryFail', 'TcpExt.TCPRenoRecoveryFail'],
    ['RecoveryNoSeq'],
    ['RecoveryCwind'],
    ['RecoveryPA'],
  ]);
}

/** 9front's names in its order (udp.c), and `Drops`, which is ours. */
export function hostUdpStats(own: UdpCounters): string {
  return format([
    ['InDatagrams', own.datagramsIn],
    ['NoPorts', 'Udp.NoPorts', 'Udp6.Udp6NoPorts'],
    ['InErrors', 'Udp.InErrors', 'Udp6.Udp6InErrors'],
    ['OutDatagrams', own.datagramsOut],
    ['Drops', own.drops],
  ]);
}

/** 9front's names (ip.c), which are those of the kernel's Ip: RFC 1213. They count IPv4. */
const IP_NAMES = [
  'Forwarding',
  'DefaultTTL',
  'InReceives',
  'InHdrErrors',
  'InAddrErrors',
  'ForwDatagrams',
  'InUnknownProtos',
  'InDiscards',
  'InDelivers',
  'OutRequests',
  'OutDiscards',
  'OutNoRoutes',
  'ReasmTimeout',
  'ReasmReqds',
  'ReasmOKs',
  'ReasmFails',
  'FragOKs',
  'FragFails',
  'FragCreates',
];

/** The text of ipifc/stats. */
export function hostIpStats(): string {
  return format(IP_NAMES.map(name => [name, `Ip.${name}`]));
}

function format(lines: readonly Line[]): string {
  const kernel = kernelCounters();
  const value = (term: number | string): number =>
    typeof term === 'number' ? term : (kernel.get(term) ?? 0);
  return lines
    .map(([name, ...terms]) => `${name}: ${terms.reduce<number>((sum, term) => sum + value(term), 0)}\n`)
    .join('');
}

/** By `GROUP.NAME`. */
function kernelCounters(): Map<string, number> {
  const pairs = ['/proc/net/snmp', '/proc/net/netstat'].flatMap(path => counters(readIfThere(path)));
  return new Map([...pairs, ...counters6(readIfThere('/proc/net/snmp6'))]);
}

/** Pairs of lines, `Tcp: NAME...` and `Tcp: VALUE...`, as proc(5) has them. */
function counters(text: string): [string, number][] {
  const lines = text.split('\n');
  const pairs: [string, number][] = [];
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const [group = '', ...names] = lines[i]!.split(' ');
    const values = lines[i + 1]!.split(' ').slice(1);
    names.forEach((name, at) => pairs.push([`${group.replace(':', '')}.${name}`, Number(values[at] ?? 0)]));
  }
  return pairs;
}

/** `Udp6NoPorts VALUE`, a line for each. */
function counters6(text: string): [string, number][] {
  return [...text.matchAll(/^(Udp6\w+)\s+(\d+)$/gm)].map(([, name, value]) => [
    `Udp6.${name}`,
    Number(value),
  ]);
}
