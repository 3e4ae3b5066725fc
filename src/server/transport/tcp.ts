/** TCP. Nobody is authenticated here: an attach is by `none`, unless the operator trusts the network. */
import { createServer, type AddressInfo, type Server } from 'node:net';
import { formatIp, isLoopback, parseIp, type Endpoint as Address, type Ip } from '../../netfs/address.ts';
import { HostResolver } from '../../host/dns/resolver.ts';
import { unauthenticated, type Peer } from '../../policy/identity.ts';
import { client, DoorError, type Door, type OnClient } from './door.ts';

export interface TcpOptions {
  /** Every claim of who attaches is believed. */
  readonly trust: boolean;
}

export async function tcpDoor(
  host: string,
  port: number,
  options: TcpOptions,
  onClient: OnClient,
): Promise<Door> {
  const ip = await addressOf(host);
  checkExposure(ip, options);
  const server = createServer({ noDelay: true, pauseOnConnect: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', error => reject(new DoorError(`tcp!${host}!${port}: ${error.message}`)));
    server.listen({ host: formatIp(ip), port }, resolve);
  });
  return tcpDoorOn(server, options, onClient);
}

/** The door of a server that listens already, on an address that was checked. */
export function tcpDoorOn(server: Server, options: TcpOptions, onClient: OnClient): Door {
  const bound = server.address() as AddressInfo;
  const ip = parseIp(bound.address)!;
  server.removeAllListeners('error');
  server.on('error', () => {});
  server.on('connection', socket => {
    const { stream, direct } = client(socket);
    onClient(stream, tcpPeer(options), direct);
  });
  const address: Address = { ip, port: bound.port };
  const closed = new Promise<void>(resolve => server.once('close', () => resolve()));
  return { name: `tcp!${formatIp(ip)}!${bound.port}`, address, closed, close: () => void server.close() };
}

async function addressOf(host: string): Promise<Ip> {
  const ip = host === '*' ? parseIp('::') : parseIp(host);
  if (ip !== undefined) return ip;
  const found = await new HostResolver().addresses(host, AbortSignal.timeout(10_000)).catch(() => []);
  if (found[0] === undefined)
    throw new DoorError(`tcp!${host}: no such host; write an address, for example 127.0.0.1`);
  return found[0].ip;
}

/** Refuses what others reach and nobody trusts; to be asked before listening. */
export function checkExposure(ip: Ip, { trust }: TcpOptions): void {
  if (isLoopback(ip) || trust) return;
  throw new DoorError(
    `tcp!${formatIp(ip)} can be reached from other machines, and over plain TCP nobody proves who he is. ` +
      'Listen on 127.0.0.1 or a unix socket and carry it by ssh; or, if everybody on that network may ' +
      'be whoever he says, add --trust-tcp',
  );
}

export function tcpPeer({ trust }: TcpOptions): Peer {
  return { caller: unauthenticated(), claims: trust ? 'trusted' : 'ignored' };
}
