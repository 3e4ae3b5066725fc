// The benchmark of what may go where: `node bench/policy/run.mjs --help`.
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { machine, machineLine, remarks } from '../datapath/report.mjs';
import { parseOptions } from '../fuse/options.mjs';
import { program } from '../fuse/program.mjs';
import { cpuTable, figureTable } from '../fuse/report.mjs';
import { measureRounds } from '../fuse/rounds.mjs';
import { built as builtOfNet } from '../net/stage.mjs';
import { measureDecisions, mixes, SIZES } from './decisions.mjs';
import { clearDials, measureDials, PATHS, setDials, workloads } from './dials.mjs';
import { clearEdit, LINES, measureEdit, setEdit } from './edit.mjs';
import { clearHangup, CONVERSATIONS, measureHangup, measurePlain, setHangup } from './hangup.mjs';
import { hangupTable, timeTable } from './report.mjs';
import { clock, compile, endServer, hasOthers, startServer } from './stage.mjs';

const PARTS = ['decisions', 'edit', 'hangup', 'dials'];

const HELP = `usage: node bench/policy/run.mjs [options]
  --rounds N         rounds of each (5)
  --seconds S        length of one measurement (0.15)
  --only A,B         only these parts: ${PARTS.join(' ')}
  --no-pin           let everything run on any CPU
  --quick            one short round of everything, to see that it works; the figures mean little
  --json FILE        store every single result
  --server SCRIPT    the program that serves /net (bin/slashnet.js)`;

/** Decisions per second, beside a linear scan; milliseconds. */
const HANGUP_AIM = 100;
const EDIT_AIM = 1000;
const MOST_ROUNDS_OF_DECISIONS = 3;
const QUICK_CONVERSATIONS = 1000;

function readOptions() {
  const values = parseOptions({}, { rounds: 5, seconds: 0.15 });
  const parts = values.only?.split(',') ?? PARTS;
  const unknown = parts.find(part => !PARTS.includes(part));
  if (unknown !== undefined) throw new Error(`no part ${unknown}; there are ${PARTS.join(', ')}`);
  return { ...values, parts };
}

const progress = text => process.stderr.write(`bench: ${text}\n`);
const rounds = async (n, measure) => {
  const results = [];
  for (let round = 0; round < n; round++) results.push(await measure(round));
  return results;
};

// ---- the parts: what each measures, and its tables ------------------------------------------------------

const RUN = {
  async decisions({ rounds: n, seconds }) {
    const times = Math.min(n, MOST_ROUNDS_OF_DECISIONS);
    const results = mixes.flatMap(mix => SIZES.flatMap(size => measureDecisions(mix, size, times, seconds)));
    const rows = mixes.flatMap(mix => SIZES.map(size => ({ name: `${mix}-${size}`, unit: 'decision/s' })));
    const ways = ['slashnet', 'linear', 'BlockList'];
    const ratios = [
      ['slashnet', 'linear'],
      ['slashnet', 'BlockList'],
    ];
    return { results, text: figureTable(results, rows, ways, ratios) };
  },

  async edit(options) {
    const server = await startServer(options, 'edit');
    const stage = await setEdit(options, server);
    const results = await rounds(options.rounds, round => measureEdit(stage, round));
    await clearEdit(stage);
    await endServer(server);
    const rows = [
      ['the write has come into force', 'committed', EDIT_AIM],
      ['a dial has been decided by it', 'decided', EDIT_AIM],
      ['longest time without an answer to others', 'silence'],
    ];
    return {
      results,
      text: timeTable(`one line more behind ${LINES.toLocaleString('en-US')}`, results, rows),
    };
  },

  async hangup(options) {
    if (!hasOthers())
      return { results: {}, text: 'chmod to hang-up: only root makes processes of another user' };
    const conversations = options.quick ? QUICK_CONVERSATIONS : CONVERSATIONS;
    const results = { plain: await rounds(options.rounds, () => measurePlain(options, conversations / 2)) };
    for (const door of ['9p', 'fuse']) {
      const stage = await setHangup(options, door, conversations);
      await measureHangup(stage);
      results[door] = await rounds(options.rounds, () => measureHangup(stage));
      await clearHangup(stage);
      await endServer(stage.server);
    }
    const judged = [...results['9p'], ...results.fuse];
    const head = `${(conversations / 2).toLocaleString('en-US')} of ${conversations.toLocaleString('en-US')} are hung up, the others live on`;
    const nothing = timeTable('a chmod that turns nobody out', judged, [['all are judged again', 'nothing']]);
    return { results, text: `${head}\n${hangupTable(results, HANGUP_AIM)}\n\n${nothing}` };
  },

  async dials(options) {
    const stage = await setDials(options, builtOfNet('driver'));
    const results = await measureRounds(workloads, options, {
      paths: () => PATHS,
      measure: (...what) => measureDials(stage, ...what),
    });
    await clearDials(stage);
    const table = figureTable(results, workloads, PATHS, [['thousand', 'all']]);
    return { results, text: `${table}\n\n${cpuTable(results, workloads, PATHS)}` };
  },
};

async function benchmark(options) {
  const about = machine();
  const all = {};
  for (const part of options.parts) {
    progress(part);
    const start = clock();
    all[part] = await RUN[part](options);
    progress(`${part} took ${((clock() - start) / 1000).toFixed(1)} s`);
  }
  console.log(`\n${machineLine(about)}`);
  console.log(`medians of up to ${options.rounds} rounds; ± half the range, or the range`);
  if (!options['no-pin'])
    console.log(
      `on CPU ${options.cpus.near}: load, server; on CPU ${options.cpus.far}: peers, who holds, who changes modes`,
    );
  for (const { text } of Object.values(all)) console.log(`\n${text}`);
  for (const remark of remarks(all.dials?.results ?? [])) console.log(`note: ${remark}`);
  if (options.json) {
    const { rounds, seconds, server, cpus } = options;
    const results = Object.fromEntries(Object.entries(all).map(([part, { results }]) => [part, results]));
    fs.writeFileSync(
      options.json,
      JSON.stringify({ machine: about, options: { rounds, seconds, server, cpus }, results }, null, 1) + '\n',
    );
  }
}

await program(fileURLToPath(import.meta.url), { help: HELP, readOptions, compile, benchmark });
