// Decisions per second, beside what one would write without thinking (every line is looked at) and beside
// node's net.BlockList. Each runs for a while in this process; the same questions for all.
import { BlockList } from 'node:net';
import { formatIp, parseIp } from '../../dist/netfs/address.js';
import { inNetwork } from '../../dist/policy/network.js';
import { parseZone } from '../../dist/policy/lines.js';
import { Rules } from '../../dist/policy/rules.js';
import { clock } from './stage.mjs';

export const SIZES = [10, 1_000, 100_000];
const QUESTIONS = 997;
const COMPARED = 6;

/** Numbers that look like chance and are the same in each run. */
function chance(seed) {
  let state = seed;
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const owner = { name: 'glenda', uid: 1, gid: 1, groups: [] };
const zone = (name, mode = 0o755) => ({ name, permissions: { owner, gid: 1, mode } });

const address = random => `${1 + random(223)}.${random(256)}.${random(256)}.${random(256)}`;
const name = i => `host${i}.example${i % 97}.net`;

/** A network that has an address in it. */
function networkAround(ip, prefix) {
  const bits = ip.split('.').reduce((all, byte) => all * 256 + Number(byte), 0);
  const start = bits - (bits % 2 ** (32 - prefix));
  return `${[24, 16, 8, 0].map(shift => (start >>> shift) & 255).join('.')}/${prefix}`;
}

/** Lines in zones, the questions' part that differs, and whether BlockList can say the same. */
const MIXES = {
  /** Networks of 16 to 32 bits; half of the questions are in one. */
  addresses(count, random) {
    const nets = Array.from({ length: count }, () => networkAround(address(random), 16 + random(17)));
    const inside = () => nets[random(count)].split('/')[0];
    return {
      lines: [nets.map(net => `connect tcp!${net}!443`)],
      nets,
      question: i => ({ ip: parseIp(i % 2 === 0 ? inside() : address(random)), port: 443 }),
    };
  },
  /** Names, and a tenth of them `*.name`. */
  names(count, random) {
    const lines = Array.from(
      { length: count },
      (_, i) => `connect tcp!${i % 10 === 0 ? '*.' : ''}${name(i)}!443`,
    );
    return {
      lines: [lines],
      question: i => ({
        ip: parseIp(address(random)),
        port: 443,
        names: [i % 2 === 0 ? name(random(count)) : `no.${name(i)}`],
      }),
    };
  },
  /** A hundred lines of ports for each host. */
  ports(count, random) {
    const hosts = Array.from({ length: Math.ceil(count / 100) }, () => address(random));
    const lines = Array.from({ length: count }, (_, i) => {
      const low = 1 + random(60_000);
      return `connect tcp!${hosts[i % hosts.length]}!${low}-${low + random(2000)}`;
    });
    const host = () => parseIp(hosts[random(hosts.length)]);
    return { lines: [lines], question: () => ({ ip: host(), port: 1 + random(65_535) }) };
  },
  /** As `addresses`, in zones of ten lines, of which the caller passes every other. */
  zones(count, random) {
    const { lines, question } = MIXES.addresses(count, random);
    return { lines: lines[0].flatMap((_, i, all) => (i % 10 === 0 ? [all.slice(i, i + 10)] : [])), question };
  },
};

export const mixes = Object.keys(MIXES);

function made(mix, count) {
  const { lines, question, nets } = MIXES[mix](count, chance(count));
  const zones = new Map(
    lines.map((texts, i) => [
      zone(`z${i}`, i % 2 === 0 ? 0o755 : 0o700),
      parseZone(Buffer.from(`${texts.join('\n')}\n`)),
    ]),
  );
  const questions = Array.from({ length: QUESTIONS }, (_, i) => ({
    verb: 'connect',
    protocol: 'tcp',
    names: [],
    trusted: false,
    special: false,
    ...question(i),
  }));
  return { zones, questions, nets };
}

const passes = ({ permissions }) => (permissions.mode & 1) !== 0;

// ---- who decides ----------------------------------------------------------------------------------

function fast({ zones }) {
  const rules = new Rules();
  for (const [each, lines] of zones) rules.set(each, lines);
  return question => rules.decide(question, passes).allowed;
}

const isOf = ({ host }, { ip, names }) => {
  if (host.kind === 'any') return true;
  if (host.kind === 'network') return inNetwork(ip, host);
  if (host.kind === 'name') return names.includes(host.name);
  return names.some(text => text.endsWith(`.${host.suffix}`));
};

/** Greater is more specific; enough for these lines, which name one protocol and one range. */
function order({ host, ports: [{ low, high }] }) {
  const rank = { any: 0, network: 1 + host.prefix, suffix: 256 + host.suffix?.length, name: 512 }[host.kind];
  return rank * 65_536 + 65_535 - (high - low);
}

/** What the rule says, line after line. */
function linear({ zones }) {
  const all = [...zones].flatMap(([each, lines]) =>
    lines.map(line => ({ zone: each, line, order: order(line) })),
  );
  return question => {
    let best = -1;
    let allowed = false;
    for (const { zone: each, line, order: its } of all) {
      const [{ low, high }] = line.ports;
      if (its < best || line.verb !== question.verb || line.protocol !== question.protocol) continue;
      if (question.port < low || question.port > high || !isOf(line, question)) continue;
      allowed = passes(each) || (its === best && allowed);
      best = its;
    }
    return allowed;
  };
}

/** It knows addresses, and neither ports nor zones nor which of two is more specific. */
function blockList({ nets, questions }) {
  const list = new BlockList();
  for (const net of nets) {
    const [ip, prefix] = net.split('/');
    list.addSubnet(ip, Number(prefix), 'ipv4');
  }
  const texts = new Map(questions.map(question => [question, formatIp(question.ip)]));
  return question => list.check(texts.get(question), 'ipv4');
}

// ---- how fast -------------------------------------------------------------------------------------

function perSecond(decide, questions, seconds) {
  const start = clock();
  let done = 0;
  let took = 0;
  do {
    // The clock is not to be what is measured, and a slow way is asked a few times only.
    const atOnce = took * 1000 < done ? 64 : 1;
    for (let i = 0; i < atOnce; i++) decide(questions[done++ % questions.length]);
    took = (clock() - start) / 1000;
  } while (took < seconds);
  return done / took;
}

/** All three say the same of every question, or what is measured is worth nothing. */
function compare(ways, questions) {
  for (const question of questions.slice(0, COMPARED)) {
    const answers = Object.values(ways).map(decide => decide(question));
    if (new Set(answers).size > 1)
      throw new Error(`${Object.keys(ways)} say ${answers} of ${formatIp(question.ip)}`);
  }
}

/** Decisions per second of each way, once per round. */
export function measureDecisions(mix, count, rounds, seconds) {
  const all = made(mix, count);
  const ways = { slashnet: fast(all), linear: linear(all), ...(all.nets && { BlockList: blockList(all) }) };
  compare(ways, all.questions);
  for (const question of all.questions) ways.slashnet(question);
  const results = [];
  for (let round = 0; round < rounds; round++) {
    for (const [path, decide] of Object.entries(ways)) {
      results.push({
        round,
        workload: `${mix}-${count}`,
        path,
        figure: perSecond(decide, all.questions, seconds),
      });
    }
  }
  return results;
}
