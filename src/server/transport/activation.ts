/** What systemd hands over and is told: sd_listen_fds(3), sd_notify(3). */
import { createServer, type Server } from 'node:net';
import { sendUnixDatagram, socketName } from '../../host/libc.ts';
import { DoorError, type Door, type OnClient } from './door.ts';
import { parseIp } from '../../netfs/address.ts';
import { checkExposure, tcpDoorOn, type TcpOptions } from './tcp.ts';
import { unixDoorOn, type UnixOptions } from './unix.ts';

const FIRST_FD = 3;

/** The sockets that were passed to this process; the variables are taken away, so that no child sees them. */
export function activatedFds(env: NodeJS.ProcessEnv = process.env, pid = process.pid): number[] {
  const mine = Number(env['LISTEN_PID']) === pid;
  const count = mine ? Number(env['LISTEN_FDS'] ?? 0) : 0;
  delete env['LISTEN_PID'];
  delete env['LISTEN_FDS'];
  delete env['LISTEN_FDNAMES'];
  return Number.isInteger(count) && count > 0 ? Array.from({ length: count }, (_, i) => FIRST_FD + i) : [];
}

export async function activatedDoor(
  fd: number,
  options: UnixOptions & TcpOptions,
  onClient: OnClient,
): Promise<Door> {
  const socket = socketName(fd);
  if (socket === undefined)
    throw new DoorError(`descriptor ${fd}, passed by systemd, is no unix or TCP socket`);
  if (socket.family === 'tcp') checkExposure(parseIp(socket.host)!, options);
  const server = createServer({ noDelay: true, pauseOnConnect: true });
  await listenOn(server, fd);
  if (socket.family === 'tcp') return tcpDoorOn(server, options, onClient);
  const address = server.address();
  return unixDoorOn(server, typeof address === 'string' ? `unix!${address}` : `fd ${fd}`, options, onClient);
}

function listenOn(server: Server, fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', error => reject(new DoorError(`descriptor ${fd}: ${error.message}`)));
    server.listen({ fd }, resolve);
  });
}

/** Tells the service manager, if there is one: `READY=1`, `STOPPING=1`. */
export function notify(state: string, env: NodeJS.ProcessEnv = process.env): void {
  const socket = env['NOTIFY_SOCKET'];
  if (socket !== undefined && socket !== '') sendUnixDatagram(socket, state);
}
