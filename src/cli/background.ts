/**
 * `slashnet serve --background`: the same command again, in a process of its own, and an end to this
 * one when that says that it is ready. A mount(8) helper must work so: fstab waits for it.
 */
import { spawn } from 'node:child_process';
import { closeSync, fstatSync, writeSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { formatEndpoint } from '../endpoint.ts';
import { inheritOnly } from '../host/proc.ts';
import { checkHanded } from '../server/fuse/devfuse.ts';
import { DoorError } from '../server/transport/door.ts';
import { EXIT, tell } from './failure.ts';
import type { ServeFlags } from './serve.ts';

/** The variable that names the descriptor on which the child says how it went. */
const READY = 'SLASHNET_READY_FD';
/** What it says when it is ready; anything else is why it is not. */
const OK = 'ready\n';

export async function serveInBackground(flags: ServeFlags): Promise<void> {
  const wrong = notInBackground(flags);
  if (wrong !== undefined) {
    tell(`serve: ${wrong}`);
    process.exitCode = EXIT.usage;
    return;
  }
  const passed = (flags.mount ?? []).flatMap(dir => /^\/dev\/fd\/(\d+)$/.exec(dir)?.[1] ?? []).map(Number);
  try {
    for (const fd of passed) checkHanded(fd);
  } catch (error) {
    if (!(error instanceof DoorError)) throw error;
    tell(`serve: ${error.message}`);
    process.exitCode = EXIT.failed;
    return;
  }
  const said = await start([process.argv[1]!, ...commandLine(flags)], passed);
  if (said === OK) return;
  tell(`serve: ${said === '' ? 'it ended before it was ready' : said}`);
  process.exitCode = EXIT.failed;
}

/** Starts the child, which gets these descriptors; what it says of how it went. */
function start(args: readonly string[], passed: readonly number[]): Promise<string> {
  const ready = passed.includes(3) ? Math.max(...passed) + 1 : 3;
  const stdio: ('ignore' | 'pipe' | number)[] = Array(Math.max(ready, ...passed) + 1).fill('ignore');
  for (const fd of passed) stdio[fd] = fd;
  stdio[ready] = 'pipe';
  inheritOnly(passed);
  const child = spawn(process.execPath, [...process.execArgv, ...args], {
    detached: true,
    env: { ...process.env, [READY]: String(ready) },
    stdio,
  });
  child.unref();
  return text(child.stdio[ready] as Readable);
}

function notInBackground({ listen, trace }: ServeFlags): string | undefined {
  if (listen?.some(({ kind }) => kind === 'stdio') === true) {
    return 'stdin and stdout cannot be served from the background';
  }
  return trace === true ? 'nobody would see the trace of a server in the background' : undefined;
}

/** The command line of the child: these flags without --background. */
function commandLine(flags: ServeFlags): string[] {
  return [
    'serve',
    ...(flags.policy === undefined ? [] : ['--policy', flags.policy]),
    ...(flags.netLog ?? []).flatMap(target => ['--net-log', target]),
    ...(flags.listen ?? []).flatMap(at => ['--listen', formatEndpoint(at)]),
    ...(flags.mount ?? []).flatMap(dir => ['--mount', dir]),
    ...['--mount-name', flags.mountName],
    ...(flags.allowOther === true ? ['--allow-other'] : []),
    ...(flags.trustTcp === true ? ['--trust-tcp'] : []),
    ...(flags.trustMount === true ? ['--trust-mount'] : []),
    ...(flags.squash === true ? ['--squash'] : []),
    ...['--socket-mode', flags.socketMode.toString(8)],
    ...['--conversations', String(flags.conversations)],
    ...(flags.dns ?? []).flatMap(({ address, port }) => ['--dns', `${address}!${port}`]),
    ...(flags.netdir === undefined ? [] : ['--netdir', flags.netdir]),
    ...['--log-level', flags.logLevel],
  ];
}

/** In the child: why it failed, or nothing when it is ready. Without such a parent it does nothing. */
export function tellParent(failure: string): void {
  const fd = Number(process.env[READY]);
  delete process.env[READY];
  if (!(fd > 2)) return;
  try {
    // A socket, as spawn makes it; who has set the variable by hand is not told.
    if (!fstatSync(fd).isSocket()) return;
    writeSync(fd, failure === '' ? OK : failure);
    closeSync(fd);
  } catch {
    // Nobody listens.
  }
}
