/** Zones and questions made up so that they collide: few hosts and ports, nested and side by side. */
import fc from 'fast-check';
import { parseIp, type Ip } from '../../src/netfs/address.ts';
import { parseLine, type Line } from '../../src/policy/lines.ts';
import type { Question, Zone } from '../../src/policy/rules.ts';
import { GLENDA } from '../support/callers.ts';

const NAMES = ['x', 'a.x', 'b.a.x', 'ba.x', 'a.x.x', 'c', 'localhost', 'b.localhost'];
const SUFFIXES = ['x', 'a.x', 'x.x', 'localhost'].map(suffix => `*.${suffix}`);
const NETWORKS = [
  ...['0.0.0.0/0', '0.0.0.0/8', '10.0.0.0/8', '10.0.0.0/30', '10.0.0.0/31', '10.0.0.1', '10.0.0.2/31'],
  ...['128.0.0.0/1', '255.255.255.255', '192.0.2.0/24'],
  ...['::/0', '::1', '64:ff9b::/96', '64:ff9b::a00:0/127', '64:ff9b::a00:1', '2002::/16', '2002:a00:1::/48'],
  ...['8000::/1', '2001:db8::/32', '2001:db8::/64', '2001:db8::1', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
];
const PORTS = ['*', '80', '81', '80,443', '80-90', '85-95', '79-81,80', '1-65535', '443,80-90,85-95'];
const IPS = [
  ...[
    '0.0.0.0',
    '10.0.0.0',
    '10.0.0.1',
    '10.0.0.2',
    '10.0.0.4',
    '9.255.255.255',
    '11.0.0.0',
    '127.255.255.255',
  ],
  ...['128.0.0.0', '192.0.2.7', '255.255.255.255', '::', '::1', '::2', '64:ff9b::a00:1', '64:ff9b::a00:2'],
  ...['64:ff9b::', '64:ff9b::1:0:0', '2002:a00:1::', '2002:a00:1::5', '2002:a00:2::', '2003::'],
  ...['2001:db8::1', '2001:db8::2', '2001:db8:0:1::', '2001:db9::', '7fff:ffff::', '8000::'],
  'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
];

const protocol = fc.constantFrom('tcp', 'udp', '*');
const ports = fc.constantFrom(...PORTS);
const line = fc.oneof(
  fc
    .tuple(protocol, fc.constantFrom('*', ...NAMES, ...SUFFIXES, ...NETWORKS), ports)
    .map(parts => `connect ${parts.join('!')}`),
  fc
    .tuple(fc.constantFrom('announce', 'accept'), protocol, fc.constantFrom('*', ...NETWORKS), ports)
    .map(([verb, ...parts]) => `${verb} ${parts.join('!')}`),
  fc.constantFrom('*', ...NAMES, ...SUFFIXES).map(host => `resolve ${host}`),
);

export const lineOf = (text: string, number = 1): Line => parseLine(text, number)!;

/** Short ones, and some with so many lines that places of a host have many rules. */
export const lines = fc
  .oneof(
    { weight: 5, arbitrary: fc.array(line, { maxLength: 6 }) },
    { weight: 1, arbitrary: fc.array(line, { minLength: 60, maxLength: 120 }) },
    {
      weight: 1,
      arbitrary: fc.array(
        ports.map(text => `connect tcp!*!${text}`),
        { minLength: 2, maxLength: 40 },
      ),
    },
  )
  .map(texts => texts.map((text, i) => lineOf(text, i + 1)));

/** A veto at times. */
export const mode = fc.constantFrom(0o755, 0o750, 0o700, 0o711, 0o644);

export const zoneOf = (name: string, bits: number): Zone => ({
  name,
  permissions: { owner: GLENDA, gid: 0, mode: bits },
});

/** One name, or as it was asked and as it was found. */
export const anyNames: fc.Arbitrary<string[]> = fc
  .tuple(fc.constantFrom(...NAMES), fc.constantFrom(undefined, 'x', 'a.x', 'y'))
  .map(([name, domain]) => (domain === undefined ? [name] : [name, `${name}.${domain}`]));

const ip: fc.Arbitrary<Ip> = fc.constantFrom(...IPS).map(text => parseIp(text)!);

export const question: fc.Arbitrary<Question> = fc
  .record({
    verb: fc.constantFrom('connect' as const, 'connect' as const, 'announce' as const, 'accept' as const),
    protocol: fc.constantFrom('tcp', 'udp'),
    names: fc.oneof(fc.constant([]), anyNames),
    ip,
    port: fc.constantFrom(0, 1, 79, 80, 81, 87, 90, 91, 443, 65535),
    trusted: fc.boolean(),
    special: fc.boolean(),
  })
  .map(made => ({ ...made, names: made.verb === 'connect' ? made.names : [] }));
