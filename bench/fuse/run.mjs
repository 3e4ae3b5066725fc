// The benchmark of the FUSE door: `node bench/fuse/run.mjs --help`.
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { machine, machineLine, remarks } from '../datapath/report.mjs';
import { parseOptions } from './options.mjs';
import { profile } from './profile.mjs';
import { program } from './program.mjs';
import { cpuTable, figureTable } from './report.mjs';
import { measureRounds } from './rounds.mjs';
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
  const values = parseOptions(
    { without: { type: 'string' } },
    { rounds: 9, profileSeconds: PROFILE_SECONDS },
  );
  return {
    ...values,
    without: values.without?.split(',') ?? [],
    names: selectNames(values.only?.split(',') ?? ['']),
  };
}

/** Where a workload can be measured: at each door that opened, or on each way to the peer. */
function pathsOf(stage, workload) {
  const paths = workload.target === undefined ? DOORS : WAYS;
  return paths.filter(
    path => path === 'plain' || (path === 'relay' && !workload.noRelay) || stage.servers[path],
  );
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
  const results = await measureRounds([...doors, ...net], options, {
    paths: workload => pathsOf(stage, workload),
    measure: (...what) => measure(stage, ...what),
  });
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

await program(fileURLToPath(import.meta.url), { help: HELP, readOptions, compile, benchmark, profileOne });
