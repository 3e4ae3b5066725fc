// A mount namespace of the run's own: nobody else sees its mounts, and whatever is left of them ends
// with its last process.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const INSIDE = 'SLASHNET_BENCH_DIR';

/** The run's folder for mount points, sockets and logs, inside the namespace; undefined outside. */
export const folder = process.env[INSIDE];

/** Runs `script` again, inside; gives its exit code. */
export async function enter(script, args) {
  const tmp = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'slashnet-bench-')));
  const flags = ['--mount', '--propagation', 'private'];
  if (process.getuid() !== 0) flags.push('--user', '--map-root-user');
  const child = spawn('unshare', [...flags, process.execPath, script, ...args], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: tmp },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    // All that is to be ended is in there, and it must have ended before its folder goes.
    process.removeAllListeners(signal);
    process.on(signal, () => child.kill(signal));
  }
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', code => resolve(code ?? 1));
    });
  } finally {
    // From out here the mount points are empty folders, whatever became of the mounts.
    fs.rmSync(tmp, { recursive: true, force: true, maxRetries: 5 });
  }
}
