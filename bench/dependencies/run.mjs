// Shows why the packages that one would expect in slashnet are not among its dependencies.
//
//   node bench/dependencies/run.mjs [9p] [npm-engines] [ip-cidr] [bottleneck] [fuse-native] [dns]
//
// Each package is installed into a new temporary directory, never into the project, and its probe runs
// in a child of its own process group, which is killed when its time is over: a probe that loops or
// leaves a reader blocked cannot hang the run. Only the npm client talks to anyone.

import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { arch, cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npm, say } from './kit.mjs';

const PROBES = ['9p', 'npm-engines', 'ip-cidr', 'bottleneck', 'fuse-native', 'dns'];
const PROBE_MS = 20_000;

const self = fileURLToPath(import.meta.url);

/** What the child does: import one probe and run it in `dir`. */
async function runInside(name, dir) {
  const { probe } = await import(`./${name}.mjs`);
  await probe(dir);
  process.exit(0); // a probe may leave jobs behind that never finish; that is one of the findings
}

/** Installs the probe's packages into `dir`; false when that was not possible. */
async function install(dir, packages) {
  await writeFile(join(dir, 'package.json'), '{ "private": true }\n');
  for (const spec of packages) {
    const { code, stderr } = await npm(['install', '--no-audit', '--no-fund', '--save-exact', spec], dir);
    if (code !== 0) {
      say(`npm install ${spec}`, `failed (${code}): ${stderr.trim().split('\n')[0] ?? ''}`);
      return false;
    }
    const [, name, version] = /^(.+)@([^@]+)$/.exec(spec);
    const newest = await npm(['view', name, 'version'], dir);
    say('version', `${version} (newest on the registry: ${newest.stdout.trim() || 'no answer'})`);
  }
  return true;
}

/** One probe in its own process group, killed with all its children when the time is over. */
function runBounded(name, dir) {
  return new Promise(resolve => {
    const child = spawn(process.execPath, [self, '--inside', name, dir], {
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const killGroup = () => {
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // the group is already gone
      }
    };
    const timer = setTimeout(() => {
      say('stopped', `the probe was not done after ${PROBE_MS / 1000} s`);
      killGroup();
    }, PROBE_MS);
    process.once('SIGINT', killGroup); // the group is not the terminal's, so Ctrl-C does not reach it
    child.once('exit', code => {
      clearTimeout(timer);
      process.removeListener('SIGINT', killGroup);
      killGroup();
      resolve(code === 0);
    });
  });
}

async function runProbe(name) {
  console.log(`\n## ${name}`);
  const { packages } = await import(`./${name}.mjs`);
  const dir = await mkdtemp(join(tmpdir(), `slashnet-${name}-`));
  try {
    return (await install(dir, packages)) && (await runBounded(name, dir));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function main(wanted) {
  const unknown = wanted.filter(name => !PROBES.includes(name));
  if (unknown.length > 0) {
    console.error(`no such probe: ${unknown.join(', ')}; there are: ${PROBES.join(', ')}`);
    process.exit(2);
  }
  const { model } = cpus()[0];
  const today = new Date().toISOString().slice(0, 10);
  console.log(`${today}, Node ${process.version}, Linux ${release()} ${arch()}, ${cpus().length} x ${model}`);
  let interrupted = false;
  process.on('SIGINT', () => (interrupted = true));
  let ok = true;
  for (const name of wanted.length > 0 ? wanted : PROBES) {
    ok = (await runProbe(name)) && ok;
    if (interrupted) process.exit(130);
  }
  process.exit(ok ? 0 : 1);
}

const [flag, ...rest] = process.argv.slice(2);
if (flag === '--inside') await runInside(rest[0], rest[1]);
else await main(process.argv.slice(2));
