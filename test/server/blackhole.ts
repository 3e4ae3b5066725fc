/**
 * A destination on loopback that never answers: a listening socket that nobody accepts from, its queue
 * full, so that the kernel drops every further SYN. Node always accepts, so this takes system calls.
 */
import koffi from 'koffi';
import { connect, type Socket } from 'node:net';

const libc = koffi.load('libc.so.6');
const socketC = libc.func('int socket(int domain, int type, int protocol)');
const bindC = libc.func('int bind(int fd, const uint8_t *address, uint32_t length)');
const listenC = libc.func('int listen(int fd, int backlog)');
const getsocknameC = libc.func('int getsockname(int fd, _Out_ uint8_t *address, _Inout_ uint32_t *length)');
const closeC = libc.func('int close(int fd)');

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;

export class BlackHole {
  /** As connect wants it. */
  readonly address: string;
  private readonly fd: number;
  private readonly fillers: Socket[];

  private constructor(fd: number, port: number, fillers: Socket[]) {
    this.fd = fd;
    this.address = `127.0.0.1!${port}`;
    this.fillers = fillers;
  }

  static async dig(): Promise<BlackHole> {
    const fd = socketC(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) as number;
    const name = Buffer.from([AF_INET, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    if ((bindC(fd, name, name.length) as number) !== 0) throw new Error('bind failed');
    if ((listenC(fd, 0) as number) !== 0) throw new Error('listen failed');
    getsocknameC(fd, name, [name.length]);
    const port = name.readUInt16BE(2);
    // A queue of length 0 holds one call.
    const filler = connect(port, '127.0.0.1');
    await new Promise<void>((resolve, reject) => filler.once('connect', resolve).once('error', reject));
    return new BlackHole(fd, port, [filler]);
  }

  close(): void {
    for (const filler of this.fillers) filler.on('error', () => {}).destroy();
    closeC(this.fd);
  }
}
