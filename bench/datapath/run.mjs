// The data-path benchmark: `npm run bench`, or `node bench/datapath/run.mjs --help`.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { IDLE_PATHS, measureIdle } from './idle.mjs';
import { profile } from './profile.mjs';
import * as procs from './procs.mjs';
import * as report from './report.mjs';
import { compile, measure, PATHS, startPeers, startRelay, startSlashnet } from './stage.mjs';
import { IDLE, selectNames, workloads } from './workloads.mjs';

const HELP = `usage: node bench/datapath/run.mjs [options]
  --rounds N         interleaved rounds (5)
  --seconds S        length of one measurement (0.8)
  --only A,B         only these workloads: ${[...workloads.map(w => w.name), IDLE].join(' ')}; "write" means all writes
  --conversations N  idle conversations (10000)
  --quick            one short round of everything, to see that it works; the figures mean little
  --json FILE        store every single result
  --profile WORKLOAD run it once under node --cpu-prof and show where the server's time goes
  --server SCRIPT    the program to measure (bin/slashnet.js)`;

const IDLE_ROUNDS = 3; // filling ten thousand conversations takes seconds
const WARM_UP_SECONDS = 0.3;
const PROFILE_SECONDS = 4;

function readOptions() {
  const string = { type: 'string' };
  const flag = { type: 'boolean', default: false };
  const { values } = parseArgs({
    options: {
      rounds: string,
      seconds: string,
      only: string,
      conversations: string,
      json: string,
      profile: string,
      server: { ...string, default: 'bin/slashnet.js' },
      quick: flag,
      help: flag,
    },
  });
  const positive = (name, otherwise) => {
    const n = Number(values[name] ?? otherwise);
    if (!(n > 0)) throw new Error(`--${name} ${values[name]}: want a number above 0`);
    return n;
  };
  return {
    ...values,
    rounds: positive('rounds', values.quick ? 1 : 5),
    seconds: positive('seconds', values.profile ? PROFILE_SECONDS : values.quick ? 0.2 : 0.8),
    conversations: positive('conversations', values.quick ? 1000 : 10000),
    names: selectNames(values.only?.split(',') ?? ['']),
  };
}

const askedMsize = w => (w.bulk ? w.client[w.client.indexOf('-m') + 1] : undefined);

/** One workload on every path, the paths in another order each round. */
async function measurePaths(stage, workload, round, seconds, plainDone) {
  const results = [];
  for (let i = 0; i < PATHS.length; i++) {
    const where = PATHS[(i + round) % PATHS.length];
    const plain = where === 'direct' || where === 'relay';
    const name = plain ? workload.plain : workload.name;
    if (plain && plainDone.has(where + name)) continue;
    if (plain) plainDone.add(where + name);
    const result = await measure(stage, workload, where, seconds);
    results.push({ round, workload: name, path: where, askedMsize: askedMsize(workload), ...result });
    await sleep(30); // the closed conversations' last packets
  }
  return results;
}

async function measureRound(stage, chosen, round, seconds) {
  const results = [];
  const plainDone = new Set();
  for (const workload of chosen)
    results.push(...(await measurePaths(stage, workload, round, seconds, plainDone)));
  return results;
}

async function measureWorkloads(peers, chosen, options) {
  const stage = {
    peers,
    relay: await startRelay(peers),
    unix: await startSlashnet('unix', options),
    tcp: await startSlashnet('tcp', options),
  };
  progress('warming up');
  await measureRound(stage, chosen, 0, Math.min(WARM_UP_SECONDS, options.seconds));
  const results = [];
  for (let round = 0; round < options.rounds; round++) {
    progress(`round ${round + 1} of ${options.rounds}`);
    results.push(...(await measureRound(stage, chosen, round, options.seconds)));
  }
  for (const { child } of [stage.relay, stage.unix, stage.tcp]) await procs.end(child);
  return results;
}

async function measureIdleRounds(peers, options) {
  const results = [];
  for (let round = 0; round < Math.min(options.rounds, IDLE_ROUNDS); round++)
    for (const where of IDLE_PATHS) {
      progress(`idle conversations, ${where}, round ${round + 1}`);
      results.push({ round, workload: IDLE, path: where, ...(await measureIdle({ peers }, where, options)) });
    }
  return results;
}

const progress = text => process.stderr.write(`bench: ${text}\n`);

async function benchmark(options) {
  const machine = report.machine();
  const chosen = workloads.filter(w => options.names.includes(w.name));
  const withIdle = options.names.includes(IDLE);
  const peers = await startPeers();
  const results = chosen.length > 0 ? await measureWorkloads(peers, chosen, options) : [];
  if (withIdle) results.push(...(await measureIdleRounds(peers, options)));

  const rounds = `medians of ${options.rounds} interleaved rounds of ${options.seconds} s, ± half the range`;
  console.log(`\n${report.machineLine(machine)}\n${rounds}\n`);
  console.log(report.figureTable(results, chosen, withIdle));
  const bulk = chosen.filter(w => w.bulk);
  if (bulk.length > 0) console.log('\n' + report.cpuTable(results, bulk));
  for (const remark of report.remarks(results)) console.log(`note: ${remark}`);
  if (options.json) {
    const { rounds, seconds, conversations, server } = options;
    const all = { machine, options: { rounds, seconds, conversations, server }, results };
    fs.writeFileSync(options.json, JSON.stringify(all, null, 1) + '\n');
  }
}

async function profileOne(options) {
  const name = selectNames([options.profile])
    .filter(n => n !== IDLE)
    .at(-1);
  const workload = workloads.find(w => w.name === name);
  if (workload === undefined) throw new Error(`--profile ${options.profile}: no such workload to profile`);
  const text = await profile(await startPeers(), workload, options.seconds, options);
  console.log(`${report.machineLine(report.machine())}\n${text}`);
}

async function main() {
  const options = readOptions();
  if (options.help) return console.log(HELP);
  compile();
  const tmp = fs.mkdtempSync(path.join(os.tmpdir(), 'slashnet-bench-'));
  process.on('exit', () => fs.rmSync(tmp, { recursive: true, force: true }));
  try {
    await (options.profile ? profileOne : benchmark)({ ...options, tmp, script: options.server });
  } finally {
    await procs.endAll();
  }
}

try {
  await main();
} catch (e) {
  console.error(`bench: ${e.message}`);
  process.exitCode = 1;
}
