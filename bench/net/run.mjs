// The benchmark of datagrams, names and dialling: `node bench/net/run.mjs --help`.
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { machine, machineLine, remarks } from '../datapath/report.mjs';
import { parseOptions } from '../fuse/options.mjs';
import { profiled } from '../fuse/profile.mjs';
import { program } from '../fuse/program.mjs';
import { cpuTable, figureTable } from '../fuse/report.mjs';
import { measureRounds } from '../fuse/rounds.mjs';
import { lostTable } from './report.mjs';
import { clearStage, compile, measure, setStage } from './stage.mjs';
import { selectNames, tables, workloads } from './workloads.mjs';

const HELP = `usage: node bench/net/run.mjs [options]
  --rounds N         interleaved rounds (5)
  --seconds S        length of one measurement (0.4)
  --only A,B         only these workloads, or those that begin so: ${workloads.map(w => w.name).join(' ')}
  --no-pin           let everything run on any CPU
  --quick            one short round of everything, to see that it works; the figures mean little
  --json FILE        store every single result
  --profile WORKLOAD run it once under node --cpu-prof and show where the server's time goes
  --path PATH        the way that is profiled (fuse): ${tables.map(t => t.paths.join(' ')).join('; ')}
  --server SCRIPT    the program that serves /net (bin/slashnet.js)`;

const PROFILE_SECONDS = 4;

function readOptions() {
  const values = parseOptions({ path: { type: 'string' } }, { rounds: 5, profileSeconds: PROFILE_SECONDS });
  return { ...values, names: selectNames(values.only?.split(',') ?? ['']) };
}

function print(results, chosen) {
  for (const { workloads, paths, ratios } of tables) {
    const rows = workloads.filter(w => chosen.includes(w));
    if (rows.length === 0) continue;
    const servers = paths.filter(path => path !== 'plain' && path !== 'libc');
    const lost = lostTable(results, rows, paths);
    console.log(figureTable(results, rows, paths, ratios) + '\n');
    if (lost) console.log(lost + '\n');
    console.log(cpuTable(results, rows, servers) + '\n');
  }
}

async function benchmark(options) {
  const about = machine();
  const chosen = workloads.filter(w => options.names.includes(w.name));
  const stage = await setStage(options);
  const results = await measureRounds(chosen, options, {
    paths: workload => workload.paths,
    measure: (...what) => measure(stage, ...what),
  });
  await clearStage(stage);

  const { rounds, seconds, server, cpus } = options;
  console.log(`\n${machineLine(about)}`);
  console.log(`medians of ${rounds} interleaved rounds of ${seconds} s, ± half the range`);
  if (!options['no-pin'])
    console.log(`on CPU ${cpus.near}: load, server, relay; on CPU ${cpus.far}: peers and name server`);
  console.log();
  print(results, chosen);
  for (const remark of remarks(results)) console.log(`note: ${remark}`);
  if (options.json) {
    const all = { machine: about, options: { rounds, seconds, server, cpus }, results };
    fs.writeFileSync(options.json, JSON.stringify(all, null, 1) + '\n');
  }
}

async function profileOne(options) {
  const name = selectNames([options.profile]).at(-1);
  const workload = workloads.find(w => w.name === name);
  const path = options.path ?? (workload.dials ? 'open' : 'fuse');
  let stage;
  const text = await profiled(workload, options.tmp, {
    start: async nodeArgs => {
      stage = await setStage({ ...options, nodeArgs });
      return stage.server;
    },
    measure: () => measure(stage, workload, path, options.seconds),
    end: () => clearStage(stage),
  });
  console.log(`${machineLine(machine())}\n${path}: ${text}`);
}

await program(fileURLToPath(import.meta.url), { help: HELP, readOptions, compile, benchmark, profileOne });
