// Where the server's time goes: V8's own CPU profile of one workload.
import fs from 'node:fs';
import path from 'node:path';
import * as procs from '../datapath/procs.mjs';
import { selfTimes, topTable } from '../datapath/profile.mjs';
import { clearStage, measure, setStage } from './stage.mjs';

/** Runs one workload against our server under --cpu-prof and returns the text to print. */
export async function profile(workload, seconds, options) {
  const where = workload.target === undefined ? 'slashnet' : 'net';
  const dir = path.join(options.tmp, 'profile');
  const stage = await setStage([where], { ...options, nodeArgs: ['--cpu-prof', `--cpu-prof-dir=${dir}`] });
  for (const note of stage.notes) throw new Error(note);
  const result = await measure(stage, workload, where, seconds);
  const cpu = procs.cpuSeconds(stage.servers[where].pid);
  await clearStage(stage);
  if (result.error) throw new Error(`${workload.name}: ${result.error}`);
  const file = fs.readdirSync(dir).find(name => name.endsWith('.cpuprofile'));
  if (file === undefined) throw new Error('the server left no profile');
  const speed = `${Math.round(result.figure).toLocaleString('en-US')} ${workload.unit} under the profiler`;
  const times = selfTimes(JSON.parse(fs.readFileSync(path.join(dir, file), 'utf8')));
  return `${workload.name}: ${speed}\n${topTable(times, cpu)}`;
}
