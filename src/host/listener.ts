/** An announced TCP port of this host. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { FsError } from '../netfs/error.ts';
import { formatIp, isUnspecified, type Endpoint } from '../netfs/address.ts';
import type { Listener } from '../netfs/dialer.ts';
import { WaitQueue, Watchers, type Signal, type Watch } from '../abort.ts';
import { adopt } from './fd.ts';
import { HostConnection, onreadFor } from './connection.ts';
import { endpoint, resetSocket, systemError } from './socket.ts';

/**
 * Calls that wait for a listen. Node accepts as they come and cannot be paused, so the kernel's queue
 * is ours; a call beyond it is reset, as by a host with tcp_abort_on_overflow.
 */
const MAX_WAITING = 128;

export class HostListener implements Listener {
  readonly local: Endpoint;
  private readonly server: Server;
  private readonly calls: HostConnection[] = [];
  private readonly acceptors = new WaitQueue<HostConnection>();
  private readonly watchers = new Watchers();
  private readonly admits: (remote: Endpoint) => boolean;
  private closed = false;

  private constructor(server: Server, asked: Endpoint, admits: (remote: Endpoint) => boolean) {
    this.server = server;
    this.admits = admits;
    const bound = server.address() as AddressInfo;
    // Any address is shown as it was asked for, not as the family that the host bound.
    this.local = isUnspecified(asked.ip)
      ? { ip: asked.ip, port: bound.port }
      : endpoint(bound.address, bound.port);
    server.on('connection', socket => this.arrived(socket));
    server.on('error', () => this.close());
  }

  static async announce(
    local: Endpoint,
    admits: (remote: Endpoint) => boolean = () => true,
  ): Promise<HostListener> {
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
    await listen(server, local);
    return new HostListener(server, local, admits);
  }

  private arrived(socket: Socket): void {
    if (this.closed || this.calls.length >= MAX_WAITING) {
      resetSocket(socket);
      return;
    }
    const onread = onreadFor(() => connection);
    const connection: HostConnection = new HostConnection(adopt(socket, onread));
    if (!this.admits(connection.remote)) {
      connection.reset();
      return;
    }
    if (this.acceptors.wake(connection)) return;
    this.calls.push(connection);
    this.watchers.tell();
  }

  async accept(signal: Signal): Promise<HostConnection> {
    if (this.closed) throw new FsError('Elistenhungup');
    return this.calls.shift() ?? this.acceptors.wait(signal);
  }

  poll(watch: Watch | undefined): boolean {
    const ready = this.closed || this.calls.length > 0;
    if (watch !== undefined) this.watchers.add(watch);
    return ready;
  }

  giveBack(call: HostConnection): void {
    if (this.closed) call.reset();
    else if (!this.acceptors.wake(call)) {
      this.calls.unshift(call);
      this.watchers.tell();
    }
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.server.close();
    for (const call of this.calls.splice(0)) call.reset();
    this.acceptors.fail(new FsError('Elistenhungup'));
    this.watchers.tell();
  }
}

/** Binds and listens; `*` is both families where the host has both. */
async function listen(server: Server, local: Endpoint): Promise<void> {
  try {
    await bind(server, formatIp(local.ip), local.port);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const anyAddress = local.ip.family === 6 && isUnspecified(local.ip);
    if (!anyAddress || (code !== 'EAFNOSUPPORT' && code !== 'EADDRNOTAVAIL'))
      throw announceError(error, local);
    await bind(server, '0.0.0.0', local.port).catch((second: Error) => {
      throw announceError(second, local);
    });
  }
}

function bind(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: MAX_WAITING }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function announceError(error: unknown, local: Endpoint): FsError {
  const failure = systemError(error as NodeJS.ErrnoException);
  if (failure.name !== 'Eperm') return failure;
  return new FsError('Eperm', `the host lets only root announce port ${local.port}`);
}

/** Whether an address and port could be announced now; returns it with the port that was picked for 0. */
export async function probe(local: Endpoint): Promise<Endpoint> {
  const server = createServer();
  await listen(server, local);
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return { ip: local.ip, port };
}
