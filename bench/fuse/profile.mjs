// Where the server's time goes: V8's own CPU profile of one workload.
import fs from 'node:fs';
import path from 'node:path';
import * as procs from '../datapath/procs.mjs';
import { selfTimes, topTable } from '../datapath/profile.mjs';
import { clearStage, measure, setStage } from './stage.mjs';

/** Runs one workload against our server under --cpu-prof and returns the text to print. */
export async function profile(workload, seconds, options) {
  const where = workload.target === undefined ? 'slashnet' : 'net';
  let stage;
  return profiled(workload, options.tmp, {
    start: async nodeArgs => {
      stage = await setStage([where], { ...options, nodeArgs });
      for (const note of stage.notes) throw new Error(note);
      return stage.servers[where];
    },
    measure: () => measure(stage, workload, where, seconds),
    end: () => clearStage(stage),
  });
}

/** `play` starts a server with more arguments for Node, measures, and ends the server. */
export async function profiled({ name, unit }, tmp, play) {
  const dir = path.join(tmp, 'profile');
  const server = await play.start(['--cpu-prof', `--cpu-prof-dir=${dir}`]);
  const result = await play.measure();
  const cpu = procs.cpuSeconds(server.pid);
  await play.end();
  if (result.error) throw new Error(`${name}: ${result.error}`);
  const file = fs.readdirSync(dir).find(name => name.endsWith('.cpuprofile'));
  if (file === undefined) throw new Error('the server left no profile');
  const speed = `${Math.round(result.figure).toLocaleString('en-US')} ${unit} under the profiler`;
  const times = selfTimes(JSON.parse(fs.readFileSync(path.join(dir, file), 'utf8')));
  return `${name}: ${speed}\n${topTable(times, cpu)}`;
}
