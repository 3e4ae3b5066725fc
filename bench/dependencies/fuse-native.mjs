// fuse-native as the door for ordinary programs: does it install and load, and what can be done with a
// reader that waits in read(2), as every reader of a connection's data file does?

import { execFile, spawn } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npm, say } from './kit.mjs';

export const packages = ['fuse-native@2.2.6'];

const MOUNTED_MS = 10_000;

const at = (dir, ...path) => join(dir, 'node_modules', 'fuse-native', ...path);

/** What can be read off the package without running it. */
async function staticFacts(dir) {
  const view = await npm(['view', 'fuse-native', 'time', '--json'], dir);
  const published = view.code === 0 ? JSON.parse(view.stdout)['2.2.6'] : undefined;
  say(
    '2.2.6 dated by the registry',
    `${published?.slice(0, 10) ?? 'no answer'} (a mirror gives the day of its copy)`,
  );
  const sources = readFileSync(at(dir, 'index.js'), 'utf8') + readFileSync(at(dir, 'fuse-native.c'), 'utf8');
  for (const word of ['interrupt', 'direct_io', '.poll', 'notify']) {
    say(`"${word}" in index.js and fuse-native.c`, sources.includes(word) ? 'yes' : 'no');
  }
  say('built from source by npm install', existsSync(at(dir, 'build/Release/fuse.node')) ? 'yes' : 'no');
}

function tryLoad(dir, env) {
  return new Promise(resolve => {
    const script = 'require("fuse-native")';
    execFile(process.execPath, ['-e', script], { cwd: dir, env, timeout: 5000 }, (error, _, stderr) => {
      resolve(error ? (/Error: (.*)/.exec(stderr)?.[1] ?? 'failed') : 'loads');
    });
  });
}

/** The package brings a libfuse 2 but not under the name its addon asks for; giving it that name helps. */
function bundledLibrary(dir) {
  const library = at(dir, 'build/Release/libfuse.so');
  if (!existsSync(library)) return undefined;
  const path = join(dir, 'lib');
  mkdirSync(path);
  symlinkSync(library, join(path, 'libfuse.so.2'));
  return { ...process.env, LD_LIBRARY_PATH: path };
}

function whyNotMounted() {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root, for a private mount namespace';
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    return 'needs /dev/fuse';
  }
}

/**
 * In a mount namespace of its own: nobody else sees the mount, and it ends with the last process in it.
 * Killing a server closes /dev/fuse, which wakes every reader that is stuck on it.
 */
function runMounted(dir, env) {
  return new Promise(resolve => {
    const script = fileURLToPath(new URL('./fuse-native/mounted.mjs', import.meta.url));
    const args = ['--mount', '--propagation', 'private', process.execPath, script, dir];
    const child = spawn('unshare', args, { env, stdio: ['ignore', 'inherit', 'inherit'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), MOUNTED_MS);
    child.once('error', error => resolve(error.message));
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve(signal ?? code);
    });
  });
}

export async function probe(dir) {
  await staticFacts(dir);
  let env = process.env;
  const asInstalled = await tryLoad(dir, env);
  say('require, as installed', asInstalled);
  if (asInstalled !== 'loads') {
    env = bundledLibrary(dir);
    const helped = env === undefined ? 'no library in the package' : await tryLoad(dir, env);
    say('require, its own libfuse.so as libfuse.so.2', helped);
    if (helped !== 'loads') return say('blocked reader', 'not run: the package cannot be loaded here');
  }
  const reason = whyNotMounted();
  if (reason !== undefined) return say('blocked reader', `not run: ${reason}`);
  const end = await runMounted(dir, env);
  if (end !== 0) say('mounted part', `ended with ${end}`);
}
