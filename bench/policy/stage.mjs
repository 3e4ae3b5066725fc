// The stage of a run: a real server with a mount and a 9P socket, whom another user may enter.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { connect } from '../../dist/client/index.js';
import * as procs from '../datapath/procs.mjs';
import { on } from '../fuse/cpus.mjs';
import { endMounted } from '../fuse/mounts.mjs';
import { startNet } from '../fuse/stage.mjs';
import { compile as compileNet } from '../net/stage.mjs';

const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
export const built = name => path.join(here, 'build', name);
export const beside = name => path.join(here, name);

/** Another user than the server's owner; `daemon` on most hosts. */
export const OTHER = 1;

/** Only root makes processes of others. */
export const hasOthers = () => {
  const [, , ids] = fs.readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/);
  return process.getuid() === 0 && Number(ids) > OTHER;
};

export function compile() {
  fs.mkdirSync(path.join(here, 'build'), { recursive: true });
  compileNet();
  execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-o', built('far'), 'far.c', '../datapath/sock.c'], {
    cwd: here,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

export const far = (cpu, ...args) =>
  procs.startHelper(`far ${args[0]}`, ...on(cpu, [built('far'), args.map(String)]));

/** The times of CLOCK_MONOTONIC in milliseconds. */
export const clock = () => Number(process.hrtime.bigint()) / 1e6;

/** Starts a server for everybody on this host; `name` is its folder. With a client of its owner's. */
export async function startServer(options, name) {
  const tmp = path.join(options.tmp, name);
  fs.mkdirSync(tmp, { recursive: true });
  for (const dir of [options.tmp, tmp]) fs.chmodSync(dir, 0o755);
  const others = hasOthers() ? ['--allow-other', '--socket-mode', '666'] : [];
  const server = await startNet({
    ...options,
    tmp,
    serveArgs: ['--conversations', '32768', '--log-level', 'warn', ...others],
  });
  const client = await connect(server.listen);
  await client.chmod('tcp/clone', 0o666);
  return { ...server, client };
}

export async function endServer(server) {
  server.client.close();
  await endMounted(server);
}

export async function writeZone({ client }, name, text, mode) {
  await client.writeFile(`zone/${name}`, text, { create: true });
  await client.chmod(`zone/${name}`, mode);
}
