/** The other end of a udp conversation: a real socket on this machine. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';

export interface Heard {
  readonly text: string;
  readonly bytes: Buffer;
  readonly from: RemoteInfo;
}

export class Station {
  readonly socket: Socket;
  private leaving: Promise<void> | undefined;
  private readonly heard: Heard[] = [];
  private readonly wanted: ((heard: Heard) => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('message', (bytes, from) => {
      const heard = { text: bytes.toString(), bytes, from };
      const taker = this.wanted.shift();
      if (taker === undefined) this.heard.push(heard);
      else taker(heard);
    });
  }

  static async bind(host = '127.0.0.1', port = 0): Promise<Station> {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const station = new Station(socket);
    socket.bind({ address: host, port });
    await once(socket, 'listening');
    return station;
  }

  get port(): number {
    return this.socket.address().port;
  }

  /** As a connect message names it: `127.0.0.1!4711`. */
  get address(): string {
    return `${this.socket.address().address}!${this.port}`;
  }

  /** The next datagram. */
  next(): Promise<Heard> {
    const heard = this.heard.shift();
    if (heard !== undefined) return Promise.resolve(heard);
    return new Promise(resolve => this.wanted.push(resolve));
  }

  /** Sends one; settles when the kernel has it, which on loopback is when the receiver has it. */
  send(bytes: string | Buffer, port: number, host = '127.0.0.1'): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.send(bytes, port, host, error => (error ? reject(error) : resolve()));
    });
  }

  /** Nobody is there any more. */
  leave(): Promise<void> {
    this.leaving ??= new Promise(resolve => this.socket.close(() => resolve()));
    return this.leaving;
  }

  close(): void {
    void this.leave();
  }
}
