/** What `slashnet serve` does: open the doors, say where they are, and end in good order. */
import { pino } from 'pino';
import type { Endpoint } from '../endpoint.ts';
import { watchGroups } from '../host/groupwatch.ts';
import { inheritOnly } from '../host/proc.ts';
import { hasTerminal } from '../host/terminal.ts';
import { hostUsers } from '../host/users.ts';
import { LogSinks } from '../server/logsinks.ts';
import { PolicyFile } from '../server/policyfile.ts';
import { Server } from '../server/server.ts';
import { activatedDoor, activatedFds, notify } from '../server/transport/activation.ts';
import { DoorError, type Door, type OnClient } from '../server/transport/door.ts';
import { stdioDoor } from '../server/transport/stdio.ts';
import { tcpDoor } from '../server/transport/tcp.ts';
import { unixDoor } from '../server/transport/unix.ts';
import { tellParent } from './background.ts';
import { bring, firstPolicy, logTargets, withPolicy } from './policing.ts';
import { endpoints, netdir, type ServeFlags } from './serve.ts';

/** How long the end waits for writes and for FINs to go out. */
const DRAIN_MS = 5000;
/** And then for the log. */
const LOG_MS = 1000;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

export async function serve(given: ServeFlags): Promise<void> {
  // What our parent left open, a lock perhaps, is not for the watchdog of a mount.
  inheritOnly([]);
  const stderr = 2;
  const log = pino({ level: given.logLevel }, pino.destination({ fd: stderr, sync: true }));
  const users = hostUsers();
  const file = given.policy === undefined ? undefined : new PolicyFile(given.policy, users, log);
  const policy = await firstPolicy(file, say);
  if (policy === 'unsound') return;
  const flags = withPolicy(given, policy);
  const server = new Server({
    users,
    conversations: flags.conversations,
    nameServers: flags.dns,
    netdir: netdir(flags),
    log,
    trace: flags.trace === true ? say : undefined,
  });
  const sinks = new LogSinks({ journal: server.net.journal, log });
  sinks.use(logTargets(flags, policy));
  endOnSignals(server, sinks);
  if (policy !== undefined) server.policy.apply(policy, file!.path);
  file?.follow(loaded => bring(loaded, { server, sinks, flags, log, path: file.path }));
  onHangup(() => {
    sinks.reopen();
    server.refreshGroups();
    void file?.reload();
  });
  watchGroups(() => server.refreshGroups(), { log });
  try {
    const doors = await openDoors(server, flags, given);
    notify('READY=1');
    announce(doors, flags);
    tellParent('');
    await over(doors);
    await server.drain(AbortSignal.timeout(DRAIN_MS));
    file?.close();
    await sinks.close(AbortSignal.timeout(LOG_MS));
  } catch (error) {
    if (!(error instanceof DoorError)) throw error;
    tellParent(error.message);
    say(`slashnet: serve: ${error.message}`);
    server.close();
    file?.close();
    process.exitCode = 1;
  }
}

// ---- doors ----------------------------------------------------------------------------------------

/** The client on stdin and stdout takes the server with it; else it ends when its last mount is unmounted. */
function over(doors: readonly Door[]): Promise<unknown> {
  const stdio = doors.filter(door => door.name === '-').map(door => door.closed);
  return Promise.race([...stdio, Promise.all(doors.map(door => door.closed))]);
}

/** `given` is the command line alone: sockets that are handed over are in place of the policy's. */
async function openDoors(server: Server, flags: ServeFlags, given: ServeFlags): Promise<Door[]> {
  const options = {
    mode: flags.socketMode,
    squash: flags.squash === true,
    trust: flags.trustTcp === true,
    users: server.users,
  };
  const passed = activatedFds();
  const doors: Door[] = [];
  for (const fd of passed) doors.push(await server.addDoor(onClient => activatedDoor(fd, options, onClient)));
  const wanted = passed.length > 0 ? (given.listen ?? []) : endpoints(flags);
  for (const endpoint of wanted) {
    doors.push(await server.addDoor(onClient => openDoor(server, endpoint, options, onClient)));
  }
  for (const dir of flags.mount ?? []) {
    doors.push(
      await server.addMount(dir, {
        allowOther: flags.allowOther === true,
        trustHanded: flags.trustMount === true,
        name: flags.mountName,
      }),
    );
  }
  return doors;
}

function openDoor(
  server: Server,
  endpoint: Endpoint,
  options: Parameters<typeof stdioDoor>[1],
  onClient: OnClient,
): Door | Promise<Door> {
  switch (endpoint.kind) {
    case 'unix':
      return unixDoor(endpoint.path, options, onClient);
    case 'tcp':
      return tcpDoor(endpoint.host, endpoint.port, options, onClient);
    case 'stdio':
      return stdioDoor(server.owner, options, onClient);
  }
}

/** Where it listens and what to try first, for people; with 9P on stdout there is nobody to read it. */
function announce(doors: readonly Door[], flags: ServeFlags): void {
  if (doors.some(door => door.name === '-')) return;
  const isMount = (door: Door): boolean => door.name.startsWith('/');
  for (const door of doors) say(`slashnet: ${isMount(door) ? 'mounted on' : 'listening at'} ${door.name}`);
  const last = doors.at(-1)!;
  const at = flags.listen === undefined ? '' : ` --at '${last.name}'`;
  say(isMount(last) ? `try: ls -l ${last.name}/tcp` : `try: slashnet ls -l${at} tcp`);
}

/**
 * SIGHUP: what this machine says of its users is read again, and the policy. To a server on a terminal that
 * is no more it means what it always did, that the session is over.
 */
function onHangup(refresh: () => void): void {
  const onTerminal = hasTerminal();
  process.on('SIGHUP', () => {
    if (onTerminal && !hasTerminal()) process.kill(process.pid, 'SIGTERM');
    else refresh();
  });
}

/** The first SIGINT or SIGTERM drains and exits 0, the second exits at once. */
function endOnSignals(server: Server, sinks: LogSinks): void {
  let ending = false;
  const end = (signal: NodeJS.Signals): void => {
    if (ending) process.exit(signal === 'SIGINT' ? 130 : 143);
    ending = true;
    notify('STOPPING=1');
    void server
      .drain(AbortSignal.timeout(DRAIN_MS))
      .then(() => sinks.close(AbortSignal.timeout(LOG_MS)))
      .then(() => process.exit(0));
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
}
