// Decisions per second: `npm run build && node bench/policy/decisions.mjs`. What is counted is in README.md.
import { BlockList } from 'node:net';
import { performance } from 'node:perf_hooks';
import { parseZone } from '../../dist/policy/lines.js';
import { Rules } from '../../dist/policy/rules.js';
import { formatIp } from '../../dist/netfs/address.js';
import { machine, machineLine, median } from '../datapath/report.mjs';
import { LinearScan } from './linear.mjs';
import { madeUp } from './zones.mjs';

const SIZES = [10, 1_000, 100_000];
const ROUNDS = 5;
const ROUND_MS = 150;

function perSecond(step) {
  const start = performance.now();
  let calls = 0;
  let passed = 0;
  // Between two looks at the clock so many calls as take about a fiftieth of a round.
  for (let batch = 1; passed < ROUND_MS; batch = Math.max(1, Math.ceil((calls / passed) * (ROUND_MS / 50)))) {
    for (let i = 0; i < batch; i++) step(calls++);
    passed = performance.now() - start;
  }
  return (calls * 1000) / passed;
}

/** Rounds of all that is compared in turn, so that what disturbs one disturbs all. */
function measure(steps) {
  const rounds = Array.from({ length: ROUNDS }, () => steps.map(step => (step ? perSecond(step) : NaN)));
  return steps.map((_, i) => median(rounds.map(figures => figures[i])));
}

const passes = zone => (zone.permissions.mode & 0o001) !== 0;

function fill(zones) {
  const rules = new Rules();
  for (const { zone, text } of zones) rules.set(zone, parseZone(text));
  return rules;
}

function blockList(zones) {
  const list = new BlockList();
  for (const { text } of zones) {
    for (const { host } of parseZone(text)) {
      if (host.kind === 'network') list.addSubnet(formatIp(host.ip), host.prefix, `ipv${host.ip.family}`);
    }
  }
  return list;
}

const figure = n => (Number.isNaN(n) ? '-' : Math.round(Number(n.toPrecision(3))).toLocaleString('en-US'));

function row(cells) {
  return cells.map((cell, i) => (i === 0 ? cell.padEnd(22) : cell.padStart(14))).join('');
}

function compare(size) {
  const { zones, questions } = madeUp(size);
  const rules = fill(zones);
  const scan = new LinearScan(zones.map(({ zone, text }) => [zone, parseZone(text)]));
  const list = blockList(zones);
  for (const [kind, asked] of Object.entries(questions)) {
    const at = i => asked[i % asked.length];
    const addresses =
      kind === 'by name' ? undefined : asked.map(({ ip }) => [formatIp(ip), `ipv${ip.family}`]);
    const [fast, linear, block] = measure([
      i => rules.decide(at(i), passes),
      i => scan.decide(at(i), passes),
      addresses && (i => list.check(...addresses[i % addresses.length])),
    ]);
    console.log(row([`${size.toLocaleString('en-US')}, ${kind}`, ...[fast, linear, block].map(figure)]));
  }
}

/** Milliseconds until the first decision by a zone that was edited. */
function edits() {
  const { zones, questions } = madeUp(100_000, 20);
  const rules = new Rules();
  const [q] = questions['by name'];
  const started = performance.now();
  for (const { zone, text } of zones) rules.set(zone, parseZone(text));
  rules.decide(q, passes);
  console.log(`${'100,000 lines, all at first'.padEnd(46)} ${figure(performance.now() - started)} ms`);

  edit(
    'a line more in one of 20 zones',
    rules,
    zones[3],
    lines => [...lines, 'connect tcp!new.example!443'],
    q,
  );
  const whole = zones.map(({ text }) => text.toString()).join('');
  const all = { zone: { ...zones[0].zone, name: 'all' }, text: Buffer.from(whole) };
  const one = new Rules();
  one.set(all.zone, parseZone(all.text));
  one.decide(q, passes);
  edit(
    'a line more at the end of a zone of 100,000',
    one,
    all,
    lines => [...lines, 'connect tcp!new.example!443'],
    q,
  );
  edit('a network more at its start', one, all, lines => ['connect tcp!198.51.100.0/24!443', ...lines], q);
  edit('a line less in its middle', one, all, lines => lines.toSpliced(lines.length >> 1, 1), q);
}

function edit(what, rules, { zone, text }, change, q) {
  const times = { parse: [], rules: [] };
  const lines = text.toString().trimEnd().split('\n');
  const changed = Buffer.from(change(lines).join('\n') + '\n');
  for (let i = 0; i < ROUNDS; i++) {
    for (const next of [changed, text]) {
      const start = performance.now();
      const parsed = parseZone(next, rules.linesOf(zone));
      const parsedAt = performance.now();
      rules.set(zone, parsed);
      rules.decide(q, passes);
      times.parse.push(parsedAt - start);
      times.rules.push(performance.now() - parsedAt);
    }
  }
  const [parse, settle] = [median(times.parse), median(times.rules)];
  const parts = `${figure(parse)} ms to parse, ${figure(settle)} ms to the first decision`;
  console.log(`${what.padEnd(46)} ${figure(parse + settle)} ms (${parts})`);
}

console.log(machineLine(machine()));
console.log(`medians of ${ROUNDS} rounds of ${ROUND_MS} ms; decisions per second\n`);
console.log(row(['lines', 'Rules', 'linear scan', 'BlockList']));
for (const size of SIZES) compare(size);
console.log('\nan edit, until it decides');
edits();
