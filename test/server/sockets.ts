/**
 * Sockets that Node cannot make, by system calls: a listening one that nobody accepts from, one to hand
 * to another process, a datagram socket of the unix family.
 */
import koffi from 'koffi';
import { connect, type Socket } from 'node:net';

const libc = koffi.load('libc.so.6');
const socketC = libc.func('int socket(int domain, int type, int protocol)');
const bindC = libc.func('int bind(int fd, const uint8_t *address, uint32_t length)');
const listenC = libc.func('int listen(int fd, int backlog)');
const getsocknameC = libc.func('int getsockname(int fd, _Out_ uint8_t *address, _Inout_ uint32_t *length)');
const recvC = libc.func('long recv(int fd, _Out_ uint8_t *into, unsigned long size, int flags)');
const closeC = libc.func('int close(int fd)');

const AF_UNIX = 1;
const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;

function bound(family: number, type: number, name: Buffer): number {
  const fd = socketC(family, type | SOCK_CLOEXEC, 0) as number;
  if (fd < 0 || (bindC(fd, name, name.length) as number) !== 0) throw new Error('socket or bind failed');
  return fd;
}

function listening(fd: number, backlog: number): number {
  if ((listenC(fd, backlog) as number) !== 0) throw new Error('listen failed');
  return fd;
}

/** A path, or an abstract name that begins with @. */
const unixName = (path: string): Buffer =>
  Buffer.concat([Buffer.from([AF_UNIX, 0]), Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : path)]);

const inetName = (ip: readonly number[]): Buffer =>
  Buffer.from([AF_INET, 0, 0, 0, ...ip, 0, 0, 0, 0, 0, 0, 0, 0]);

const LOOPBACK = [127, 0, 0, 1] as const;

export const close = (fd: number): void => void closeC(fd);

/** A descriptor that listens on a path; nobody accepts. */
export const listenUnix = (path: string): number =>
  listening(bound(AF_UNIX, SOCK_STREAM, unixName(path)), 10);

/** The same on a free port. */
export function listenTcp(ip: readonly number[] = LOOPBACK, backlog = 10): { fd: number; port: number } {
  const fd = listening(bound(AF_INET, SOCK_STREAM, inetName(ip)), backlog);
  const name = Buffer.alloc(16);
  getsocknameC(fd, name, [name.length]);
  return { fd, port: name.readUInt16BE(2) };
}

/** Receives datagrams at a path. */
export class Mailbox {
  private readonly fd: number;
  private readonly room: number;

  /** `room`: the most bytes of a datagram. */
  constructor(path: string, room = 1024) {
    this.fd = bound(AF_UNIX, SOCK_DGRAM, unixName(path));
    this.room = room;
  }

  /** The next that has come, or undefined. */
  take(): string | undefined {
    const into = Buffer.alloc(this.room);
    const n = recvC(this.fd, into, into.length, MSG_DONTWAIT) as number;
    return n < 0 ? undefined : into.toString('utf8', 0, n);
  }

  close(): void {
    close(this.fd);
  }
}

/**
 * A destination on loopback that never answers: it listens, nobody accepts, and its queue is full, so
 * that the kernel drops every further SYN.
 */
export class BlackHole {
  /** As connect wants it. */
  readonly address: string;
  private readonly fd: number;
  private readonly filler: Socket;

  private constructor(fd: number, port: number, filler: Socket) {
    this.fd = fd;
    this.address = `127.0.0.1!${port}`;
    this.filler = filler;
  }

  static async dig(): Promise<BlackHole> {
    // A queue of length 0 holds one call.
    const { fd, port } = listenTcp(LOOPBACK, 0);
    const filler = connect(port, '127.0.0.1');
    await new Promise<void>((resolve, reject) => filler.once('connect', resolve).once('error', reject));
    return new BlackHole(fd, port, filler);
  }

  close(): void {
    this.filler.on('error', () => {}).destroy();
    close(this.fd);
  }
}
