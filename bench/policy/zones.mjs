// Zones and questions made up: always the same.
import { parseIp } from '../../dist/netfs/address.js';

/** Numbers below n, the same in each run (a linear congruence). */
function numbers(seed) {
  let state = seed;
  return n => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

const PORTS = ['443', '22,443', '80', '8000-8999', '*'];
const MODES = [0o755, 0o755, 0o755, 0o750, 0o644];

const network4 = (address, prefix) => {
  const masked = prefix === 0 ? 0 : (address & (-1 << (32 - prefix))) >>> 0;
  return `${[24, 16, 8, 0].map(shift => (masked >>> shift) & 255).join('.')}/${prefix}`;
};

const network6 = (a, b, c) => `2001:${a.toString(16)}:${b.toString(16)}:${c.toString(16)}::/64`;

/** Of ten lines four have names, one a suffix, four IPv4 networks of /12 to /32, and one an IPv6 network. */
function lineText(i, pick) {
  const ports = PORTS[pick(PORTS.length)];
  const kind = i % 10;
  if (kind < 4) return `connect tcp!host${i}.site${i % 997}.example!${ports}`;
  if (kind < 5) return `connect tcp!*.site${i}.example!${ports}`;
  if (kind < 9) return `connect tcp!${network4(pick(2 ** 32), 12 + pick(21))}!${ports}`;
  return `connect tcp!${network6(pick(65536), pick(65536), pick(65536))}!${ports}`;
}

const spread = { protocol: 'tcp', verb: 'connect', trusted: false, special: false };

/** An address of the network, or of any. */
function addressIn(line, pick) {
  if (line === undefined) return parseIp(network4(pick(2 ** 32), 32).split('/')[0]);
  const ip = parseIp(/!(.*)\//.exec(line)[1]);
  ip.bytes[ip.bytes.length - 1] |= pick(2);
  return ip;
}

/** `size` lines in so many zones; every fifth is a veto. Questions: half are about what a line has. */
export function madeUp(size, count = Math.max(1, Math.min(100, size / 10))) {
  const pick = numbers(size);
  const lines = Array.from({ length: size }, (_, i) => lineText(i, pick));
  const zones = Array.from({ length: count }, (_, i) => ({
    zone: { name: `zone${i}`, permissions: { owner: undefined, gid: 0, mode: MODES[i % MODES.length] } },
    text: Buffer.from(lines.filter((_, at) => at % count === i).join('\n') + '\n'),
  }));
  const of = test => lines.filter(line => test.test(line));
  const [names, v4, v6] = [of(/!host/), of(/\.\d+\//), of(/::\//)];
  const ask = (from, i) => (i % 2 === 0 ? from[pick(from.length)] : undefined);
  const each = make => Array.from({ length: 512 }, (_, i) => ({ ...spread, port: 443, ...make(i) }));
  return {
    zones,
    questions: {
      'by name': each(i => {
        const line = ask(names, i);
        const name = line ? /!(.*)!/.exec(line)[1] : `www.unknown${pick(1e6)}.example`;
        return { names: [name], ip: addressIn(undefined, pick) };
      }),
      'by IPv4': each(i => ({ names: [], ip: addressIn(ask(v4, i), pick) })),
      'by IPv6': each(i => ({
        names: [],
        ip: addressIn(ask(v6, i) ?? `x!${network6(pick(65536), pick(65536), pick(65536))}`, pick),
      })),
    },
  };
}
