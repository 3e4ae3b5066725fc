// The benchmark of the FUSE door: `node bench/fuse/run.mjs --help`.
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as procs from '../datapath/procs.mjs';
import { machine, machineLine, remarks } from '../datapath/report.mjs';
import { places } from './cpus.mjs';
import { enter, folder } from './namespace.mjs';
import { profile } from './profile.mjs';
import { cpuTable, figureTable } from './report.mjs';
import { clearStage, compile, DOORS, measure, setStage, WAYS } from './stage.mjs';
import { doorWorkloads, netWorkloads, selectNames, workloads } from './workloads.mjs';

const HELP = `usage: node bench/fuse/run.mjs [options]
  --rounds N         interleaved rounds (9)
  --seconds S        length of one measurement (0.4)
  --only A,B         only these workloads: ${workloads.map(w => w.name).join(' ')}; "net" means all of /net
  --without A,B      not these servers: ${DOORS.join(' ')} net
  --no-pin           let everything run on any CPU
  --quick            one short round of everything, to see that it works; the figures mean little
  --json FILE        store every single result
  --profile WORKLOAD run it once under node --cpu-prof and show where the server's time goes
  --server SCRIPT    the program that serves /net (bin/slashnet.js)`;

const WARM_UP_SECONDS = 0.3;
const PROFILE_SECONDS = 4;

const DOOR_RATIOS = [
  ['slashnet', 'libfuse3'],
  ['fuse-native', 'libfuse3'],
];
const WAY_RATIOS = [
  ['net', 'plain'],
  ['net', 'relay'],
];

function readOptions() {
  const string = { type: 'string' };
  const flag = { type: 'boolean', default: false };
  const { values } = parseArgs({
    options: {
      rounds: string,
      seconds: string,
      only: string,
      without: string,
      json: string,
      profile: string,
      server: { ...string, default: 'bin/slashnet.js' },
      'no-pin': flag,
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
    cpus: values['no-pin'] ? {} : places(),
    rounds: positive('rounds', values.quick ? 1 : 9),
    seconds: positive('seconds', values.profile ? PROFILE_SECONDS : values.quick ? 0.2 : 0.4),
    without: values.without?.split(',') ?? [],
    names: selectNames(values.only?.split(',') ?? ['']),
  };
}

const progress = text => process.stderr.write(`bench: ${text}\n`);

/** Where a workload can be measured: at each door that opened, or on each way to the peer. */
function pathsOf(stage, workload) {
  const paths = workload.target === undefined ? DOORS : WAYS;
  return paths.filter(
    path => path === 'plain' || (path === 'relay' && !workload.noRelay) || stage.servers[path],
  );
}

/** One workload everywhere, in another order each round. */
async function measurePaths(stage, workload, round, seconds) {
  const results = [];
  const paths = pathsOf(stage, workload);
  for (let i = 0; i < paths.length; i++) {
    const where = paths[(i + round) % paths.length];
    const result = await measure(stage, workload, where, seconds);
    results.push({ round, workload: workload.name, path: where, ...result });
    await sleep(30); // what is still being closed
  }
  return results;
}

async function measureRound(stage, chosen, round, seconds) {
  const results = [];
  for (const workload of chosen) results.push(...(await measurePaths(stage, workload, round, seconds)));
  return results;
}

async function measureRounds(stage, chosen, options) {
  progress('warming up');
  await measureRound(stage, chosen, 0, Math.min(WARM_UP_SECONDS, options.seconds));
  const results = [];
  for (let round = 0; round < options.rounds; round++) {
    progress(`round ${round + 1} of ${options.rounds}`);
    results.push(...(await measureRound(stage, chosen, round, options.seconds)));
  }
  return results;
}

function print(results, doors, net) {
  if (doors.length > 0) {
    console.log(figureTable(results, doors, DOORS, DOOR_RATIOS) + '\n');
    console.log(cpuTable(results, doors, DOORS, DOOR_RATIOS[0]) + '\n');
  }
  if (net.length > 0) {
    console.log(figureTable(results, net, WAYS, WAY_RATIOS) + '\n');
    console.log(cpuTable(results, net, ['relay', 'net']) + '\n');
  }
}

async function benchmark(options) {
  const about = machine();
  const isWanted = server => !options.without.includes(server);
  const isChosen = w => options.names.includes(w.name);
  const doors = doorWorkloads.filter(isChosen);
  const net = isWanted('net') ? netWorkloads.filter(isChosen) : [];
  const servers = [...(doors.length > 0 ? DOORS : []), ...(net.length > 0 ? ['net'] : [])];
  const stage = await setStage(servers.filter(isWanted), options);
  const results = await measureRounds(stage, [...doors, ...net], options);
  await clearStage(stage);

  const { rounds, seconds, server, cpus } = options;
  console.log(`\n${machineLine(about)}`);
  console.log(`medians of ${rounds} interleaved rounds of ${seconds} s, ± half the range`);
  if (!options['no-pin'])
    console.log(`on CPU ${cpus.near}: load, servers, relay; on CPU ${cpus.far}: the peer`);
  console.log();
  print(results, doors, net);
  for (const remark of [...stage.notes, ...remarks(results)]) console.log(`note: ${remark}`);
  if (options.json) {
    const all = {
      machine: about,
      options: { rounds, seconds, server, cpus },
      notes: [...stage.notes],
      results,
    };
    fs.writeFileSync(options.json, JSON.stringify(all, null, 1) + '\n');
  }
}

async function profileOne(options) {
  const name = selectNames([options.profile]).at(-1);
  const workload = workloads.find(w => w.name === name);
  const text = await profile(workload, options.seconds, options);
  console.log(`${machineLine(machine())}\n${text}`);
}

async function main() {
  const options = readOptions();
  if (options.help) return console.log(HELP);
  if (folder === undefined) {
    process.exitCode = await enter(fileURLToPath(import.meta.url), process.argv.slice(2));
    return;
  }
  try {
    compile();
    await (options.profile ? profileOne : benchmark)({ ...options, tmp: folder, script: options.server });
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
