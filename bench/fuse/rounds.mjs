// Rounds of measurements: everything in turn, in another order each time, so that what the machine does
// besides meets all alike.
import { setTimeout as sleep } from 'node:timers/promises';

const WARM_UP_SECONDS = 0.3;

const progress = text => process.stderr.write(`bench: ${text}\n`);

/** One workload everywhere. */
async function measurePaths(workload, round, seconds, { paths, measure }) {
  const results = [];
  const all = paths(workload);
  for (let i = 0; i < all.length; i++) {
    const where = all[(i + round) % all.length];
    const result = await measure(workload, where, seconds);
    results.push({ round, workload: workload.name, path: where, ...result });
    await sleep(30); // what is still being closed
  }
  return results;
}

async function measureRound(chosen, round, seconds, stage) {
  const results = [];
  for (const workload of chosen) results.push(...(await measurePaths(workload, round, seconds, stage)));
  return results;
}

/** `stage` has paths(workload) and measure(workload, path, seconds). A short round goes before and is thrown away. */
export async function measureRounds(chosen, options, stage) {
  progress('warming up');
  await measureRound(chosen, 0, Math.min(WARM_UP_SECONDS, options.seconds), stage);
  const results = [];
  for (let round = 0; round < options.rounds; round++) {
    progress(`round ${round + 1} of ${options.rounds}`);
    results.push(...(await measureRound(chosen, round, options.seconds, stage)));
  }
  return results;
}
