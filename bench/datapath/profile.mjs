// Where the server's time goes: V8's own CPU profile of one workload.
import fs from 'node:fs';
import path from 'node:path';
import * as procs from './procs.mjs';
import { measure, startSlashnet } from './stage.mjs';
import { table } from './report.mjs';

const TOP = 15;

// V8 writes the profile on an orderly exit only, and the server may not care for SIGTERM.
const EXIT_ON_TERM = 'data:text/javascript,process.on("SIGTERM",()=>process.exit())';

/** Self time in microseconds by function, whatever called it. */
export function selfTimes({ nodes, samples, timeDeltas }) {
  const labels = new Map(nodes.map(node => [node.id, label(node.callFrame)]));
  const times = new Map();
  samples.forEach((id, i) => {
    const name = labels.get(id);
    times.set(name, (times.get(name) ?? 0) + timeDeltas[i]);
  });
  return times;
}

function label({ functionName, url, lineNumber }) {
  const name = functionName || '(anonymous)';
  if (url === '') return name; // "(program)", "(garbage collector)" and native functions
  const file = url.startsWith('node:') ? url : path.basename(url);
  return `${name} ${file}:${lineNumber + 1}`;
}

// V8 calls everything idle that happens while libuv polls, system calls on sockets included,
// until JavaScript is entered. The kernel knows better how long the process ran.
const NATIVE = "(libuv's own I/O: CPU time that V8 took for idle)";

export function topTable(times, cpu) {
  times.delete('(idle)');
  const seen = [...times.values()].reduce((sum, t) => sum + t, 0);
  const busy = Math.max(seen, cpu * 1e6);
  times.set(NATIVE, busy - seen);
  const share = t => `${((t / busy) * 100).toFixed(1)}%`;
  const sorted = [...times].sort((a, b) => b[1] - a[1]);
  const rest = sorted.slice(TOP).reduce((sum, [, t]) => sum + t, 0);
  const rows = [...sorted.slice(0, TOP), [`(${Math.max(0, sorted.length - TOP)} others)`, rest]];
  const head = `the server's CPU time, start included: ${(busy / 1e6).toFixed(2)} s; self time by function:`;
  return head + '\n' + table(rows.map(([name, t]) => [name, share(t)]));
}

/** Runs one workload against a server under --cpu-prof and returns the text to print. */
export async function profile(peers, workload, seconds, serverOptions) {
  const dir = path.join(serverOptions.tmp, 'profile');
  const nodeArgs = ['--cpu-prof', `--cpu-prof-dir=${dir}`, '--import', EXIT_ON_TERM];
  const server = await startSlashnet('unix', { ...serverOptions, nodeArgs });
  const result = await measure({ peers, unix: server }, workload, 'unix', seconds);
  const cpu = procs.cpuSeconds(server.pid);
  await procs.end(server.child);
  if (result.error) throw new Error(`${workload.name}: ${result.error}`);
  const file = fs.readdirSync(dir).find(name => name.endsWith('.cpuprofile'));
  if (file === undefined) throw new Error('the server left no profile');
  const times = selfTimes(JSON.parse(fs.readFileSync(path.join(dir, file), 'utf8')));
  const speed = `${Math.round(result.figure).toLocaleString('en-US')} ${workload.unit} under the profiler`;
  return `${workload.name} over unix: ${speed}\n${topTable(times, cpu)}`;
}
