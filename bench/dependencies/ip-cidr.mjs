// ip-cidr as the matcher of an address policy: is its answer right, and how fast is it?

import { BlockList } from 'node:net';
import { figure, load, rate, say } from './kit.mjs';
import { compile, matches, toNumber } from './ranges.mjs';

export const packages = ['ip-cidr@4.0.2'];

/** A rule of one family never matches an address of the other. */
const ACROSS = [
  ['10.0.0.0/8', 'a00::1'],
  ['192.168.0.0/16', 'c0a8::1'],
  ['0.0.0.0/0', '2001:db8::1'],
  ['2000::/3', '32.0.0.1'],
  ['::/0', '10.1.2.3'],
];

/** One address, 10.0.0.1, as a kernel or a client may write it. */
const SPELLINGS = ['10.0.0.1', '::ffff:10.0.0.1', '::ffff:a00:1'];

const NOT_ADDRESSES = ['garbage', '', '10.1', '010.0.0.1', '10.0.0.1:80', undefined];

const NOT_RULES = ['10.0.0.0/33', '10.0.0.256/24', '10.0.0.0/', '10.0.0.0/8x', '10.0.0.0', 'fe80::/129'];

const attempt = ask => {
  try {
    return String(ask());
  } catch (error) {
    return `throws (${error.message})`;
  }
};

function correctness(IPCIDR) {
  for (const [rule, address] of ACROSS) {
    say(
      `${rule} contains ${address}`,
      `${attempt(() => new IPCIDR(rule).contains(address))}, should be false`,
    );
  }
  const deny = new IPCIDR('10.0.0.0/8');
  for (const address of SPELLINGS) {
    say(`10.0.0.0/8 contains ${address}`, `${attempt(() => deny.contains(address))}, should be true`);
  }
  for (const address of NOT_ADDRESSES) {
    const shown = JSON.stringify(address) ?? 'undefined';
    say(`10.0.0.0/8 contains ${shown}`, `${attempt(() => deny.contains(address))}, should be an error`);
  }
  for (const rule of NOT_RULES)
    say(
      `rule ${JSON.stringify(rule)}`,
      attempt(() => new IPCIDR(rule)),
    );
  const mapped = attempt(() => new IPCIDR('::ffff:10.0.0.0/104').toRange().join(' - '));
  say('rule "::ffff:10.0.0.0/104"', `${mapped}, should be 10.0.0.0 - 10.255.255.255 or an error`);
}

/** mulberry32: the same rules and addresses in every run. */
function random(seed) {
  let state = seed;
  return limit => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
}

const v4 = next => `${1 + next(223)}.${next(256)}.${next(256)}.${next(256)}`;
const v6 = next => `2001:${[0, 0, 0, 0, 0, 0, 0].map(() => next(65536).toString(16)).join(':')}`;

/** Four rules in five are IPv4; prefixes are long enough that a rule is no whole continent. */
function makeRules(count, next) {
  return Array.from({ length: count }, (_, i) =>
    i % 5 === 0 ? `${v6(next)}/${32 + next(33)}` : `${v4(next)}/${20 + next(13)}`,
  );
}

/** Every second address lies in some rule, as the first address that the rule names. */
function makeAddresses(rules, next) {
  return Array.from({ length: 1024 }, (_, i) => {
    if (i % 2 === 0) return rules[next(rules.length)].split('/')[0];
    return next(5) === 0 ? v6(next) : v4(next);
  });
}

function speed(IPCIDR, count) {
  const next = random(count);
  const rules = makeRules(count, next);
  const addresses = makeAddresses(rules, next);
  const pick = i => addresses[i % addresses.length];

  let start = performance.now();
  const cidrs = rules.map(rule => new IPCIDR(rule));
  const cidrBuild = performance.now() - start;
  start = performance.now();
  const table = compile(rules);
  const tableBuild = performance.now() - start;

  const numbers = addresses.map(toNumber);
  const textRate = rate(i => cidrs.some(cidr => cidr.contains(pick(i))), 2000);
  const parsed = addresses.map(address => IPCIDR.createAddress(address));
  const parsedRate = rate(i => cidrs.some(cidr => cidr.contains(parsed[i % parsed.length])), 2000);
  const ownText = rate(i => matches(table, toNumber(pick(i))), 500, 100);
  const ownParsed = rate(i => matches(table, numbers[i % numbers.length]), 500, 1000);

  const rulesOf = `${figure(count)} rules`;
  say(`${rulesOf}, to build`, `ip-cidr ${figure(cidrBuild)} ms, sorted ranges ${figure(tableBuild)} ms`);
  say(`${rulesOf}, checks/s from text`, `ip-cidr ${figure(textRate)}, sorted ranges ${figure(ownText)}`);
  say(`${rulesOf}, checks/s, parsed`, `ip-cidr ${figure(parsedRate)}, sorted ranges ${figure(ownParsed)}`);
}

/** The two must agree where ip-cidr is only asked within one family, or the race above means nothing. */
function agreement(IPCIDR) {
  const next = random(7);
  const rules = makeRules(1000, next);
  const cidrs = rules.map(rule => new IPCIDR(rule));
  const table = compile(rules);
  let across = 0;
  let within = 0;
  const addresses = makeAddresses(rules, next).slice(0, 400);
  for (const address of addresses) {
    const right = matches(table, toNumber(address));
    const sameFamily = cidrs.filter((_, i) => rules[i].includes(':') === address.includes(':'));
    if (cidrs.some(cidr => cidr.contains(address)) !== right) across++;
    if (sameFamily.some(cidr => cidr.contains(address)) !== right) within++;
  }
  say('other answers than sorted ranges', `${across} of ${addresses.length}; asked per family ${within}`);
}

/** What Node brings itself. */
function blockList() {
  const next = random(1000);
  const rules = makeRules(1000, next);
  const addresses = makeAddresses(rules, next).map(text => [text, text.includes(':') ? 'ipv6' : 'ipv4']);
  const list = new BlockList();
  for (const rule of rules) {
    const [address, length] = rule.split('/');
    list.addSubnet(address, Number(length), address.includes(':') ? 'ipv6' : 'ipv4');
  }
  const perSecond = rate(i => list.check(...addresses[i % addresses.length]), 500, 100);
  const everything = new BlockList();
  everything.addSubnet('::', 0, 'ipv6');
  say("Node's BlockList, 1,000 rules, checks/s", figure(perSecond));
  say("Node's BlockList, ::/0 contains 10.1.2.3", `${everything.check('10.1.2.3', 'ipv4')}, should be false`);
}

export async function probe(dir) {
  const IPCIDR = await load(dir, 'ip-cidr');
  correctness(IPCIDR);
  agreement(IPCIDR);
  speed(IPCIDR, 1_000);
  speed(IPCIDR, 100_000);
  blockList();
}
