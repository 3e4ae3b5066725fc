// What the probes share: the npm client, loading from the temporary directory, bounded waits, output.

import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';

const NPM_MS = 60_000;

/** Runs npm in `dir`, which is always the probe's temporary directory. Never rejects. */
export function npm(args, dir) {
  return new Promise(resolve => {
    execFile('npm', ['--prefix', dir, ...args], { cwd: dir, timeout: NPM_MS }, (error, stdout, stderr) => {
      resolve({ code: error ? (error.code ?? 'timeout') : 0, stdout, stderr });
    });
  });
}

/** Imports a package that was installed into `dir`. */
export async function load(dir, name) {
  const path = createRequire(join(dir, 'package.json')).resolve(name);
  const module = await import(pathToFileURL(path).href);
  return module.default ?? module;
}

export function say(what, finding) {
  console.log(`  ${`${what}:`.padEnd(46)} ${finding}`);
}

/** Three figures are more than these measurements repeat to. */
export function figure(n) {
  const rounded = Number(n.toPrecision(3));
  return rounded >= 1000 ? Math.round(rounded).toLocaleString('en-US') : String(rounded);
}

/** Calls `step(i)` for about `ms`; calls per second. Looks at the clock every `batch` calls. */
export function rate(step, ms, batch = 1) {
  const start = performance.now();
  let calls = 0;
  let now = start;
  while (now - start < ms) {
    for (let i = 0; i < batch; i++) step(calls++);
    now = performance.now();
  }
  return (calls * 1000) / (now - start);
}

export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

/** 'done', 'refused: ...' or 'still waiting after N s': a promise that may never settle, waited for. */
export function outcome(promise, ms) {
  const settled = promise.then(
    () => 'done',
    error => `refused: ${error.message}`,
  );
  return Promise.race([settled, sleep(ms).then(() => `still waiting after ${ms / 1000} s`)]);
}
