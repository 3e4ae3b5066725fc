/** The other end of a conversation: real TCP sockets on loopback, and what a test asks of them. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** A TCP server whose accepted sockets are handed out one by one, paused and half-open. */
export class Remote {
  readonly server: Server;
  private readonly arrived: Socket[] = [];
  private readonly wanted: ((socket: Socket) => void)[] = [];
  private readonly sockets = new Set<Socket>();

  private constructor() {
    this.server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, socket => {
      this.sockets.add(socket.on('error', () => {}));
      const taker = this.wanted.shift();
      if (taker === undefined) this.arrived.push(socket);
      else taker(socket);
    });
  }

  static async listen(host = '127.0.0.1', port = 0): Promise<Remote> {
    const remote = new Remote();
    remote.server.listen({ host, port });
    await once(remote.server, 'listening');
    return remote;
  }

  /** One that answers so to whoever has sent a request with an empty line at its end, and hangs up. */
  static async serve(answer: string): Promise<Remote> {
    const remote = await Remote.listen();
    remote.server.on('connection', socket => {
      let asked = '';
      socket.on('data', chunk => {
        asked += chunk.toString();
        if (asked.endsWith('\r\n\r\n')) socket.end(answer);
      });
      socket.resume();
    });
    return remote;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** As a connect message names it: `127.0.0.1!4711`. */
  get address(): string {
    return `${(this.server.address() as AddressInfo).address}!${this.port}`;
  }

  /** The next connection. */
  accept(): Promise<Socket> {
    const socket = this.arrived.shift();
    if (socket !== undefined) return Promise.resolve(socket);
    return new Promise(resolve => this.wanted.push(resolve));
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

/** Calls a port, as a client outside slashnet does. */
export async function call(port: number, host = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port, host, allowHalfOpen: true, noDelay: true });
  await once(socket, 'connect');
  return socket.pause().on('error', () => {});
}

/** A port on which nothing listens. */
export async function closedPort(): Promise<number> {
  const remote = await Remote.listen();
  const { port } = remote;
  remote.close();
  await once(remote.server, 'close');
  return port;
}

/** The next `n` bytes that come over a socket, exactly. */
export function receive(socket: Socket, n: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  return new Promise((resolve, reject) => {
    const finish = (run: () => void): void => {
      socket.off('data', take).off('end', end).off('error', reject).pause();
      run();
    };
    const take = (chunk: Buffer): void => {
      parts.push(chunk);
      length += chunk.length;
      if (length < n) return;
      const all = Buffer.concat(parts);
      finish(() => {
        if (all.length > n) socket.unshift(all.subarray(n));
        resolve(all.subarray(0, n));
      });
    };
    const end = (): void => finish(() => reject(new Error(`the stream ended after ${length} of ${n} bytes`)));
    socket.on('data', take).on('end', end).on('error', reject).resume();
  });
}

export interface Ending {
  /** How the other side ended the stream. */
  readonly by: 'FIN' | 'RST';
  /** What came before. */
  readonly bytes: Buffer;
}

/** Reads a socket to its end. */
export function ending(socket: Socket): Promise<Ending> {
  const parts: Buffer[] = [];
  return new Promise(resolve => {
    const end = (by: 'FIN' | 'RST') => () => resolve({ by, bytes: Buffer.concat(parts) });
    socket.on('data', (chunk: Buffer) => parts.push(chunk));
    if (socket.errored) end('RST')();
    else if (socket.readableEnded) end('FIN')();
    socket.once('end', end('FIN')).once('error', end('RST')).resume();
  });
}

/** An address on loopback that does not answer: its queue is full, so that a SYN waits. */
export class Tarpit {
  readonly address: string;
  private readonly child: ChildProcess;
  private readonly callers: Socket[];

  private constructor(address: string, child: ChildProcess, callers: Socket[]) {
    this.address = address;
    this.child = child;
    this.callers = callers;
  }

  static async dig(): Promise<Tarpit> {
    // The child listens and then only waits for the end of its input: it never accepts.
    const script = `
      const server = require('node:net').createServer().listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
        require('node:fs').writeSync(1, server.address().port + '\\n');
        require('node:fs').readSync(0, Buffer.alloc(1));
        process.exit();
      });`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    // Linux queues one more than the backlog.
    const callers = [await call(Number(line)), await call(Number(line))];
    return new Tarpit(`127.0.0.1!${line}`, child, callers);
  }

  async fill(): Promise<void> {
    for (const socket of this.callers) socket.destroy();
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }
}
