/** A descriptor over a unix socket (SCM_RIGHTS, unix(7)), through koffi; Node drops what it receives. */
import koffi from 'koffi';
import { SystemError } from './mount.ts';

const libc = koffi.load('libc.so.6');

const socketpairC = libc.func(
  'int socketpair(int domain, int type, int protocol, _Out_ int32_t *descriptors)',
);
const recvmsgC = libc.func('long recvmsg(int fd, _Inout_ uint8_t *message, int flags)');

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x40000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;

/** struct msghdr and struct cmsghdr on a 64-bit machine: pointers and size_t have 8 bytes */
const MSGHDR = 56;
const CMSGHDR = 16;
const CMSG_SPACE = CMSGHDR + 8;

/** Two ends of one connection; both are the caller's, and no child inherits them unasked. */
export function socketPair(): [number, number] {
  const ends = new Int32Array(2);
  if ((socketpairC(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) as number) !== 0) {
    throw new SystemError(koffi.errno());
  }
  return [ends[0]!, ends[1]!];
}

/** The descriptor that was sent to this socket and is there; undefined if there is none. Never waits. */
export function receiveFd(socket: number): number | undefined {
  // One large buffer: small ones lie in V8's heap, which moves them, and here addresses point to addresses.
  const all = Buffer.alloc(4096);
  const start = koffi.address(all);
  const message = all.subarray(0, MSGHDR);
  const iovec = all.subarray(64, 80);
  const control = all.subarray(128, 128 + CMSG_SPACE);
  iovec.writeBigUInt64LE(start + 256n, 0);
  iovec.writeBigUInt64LE(16n, 8);
  message.writeBigUInt64LE(start + 64n, 16); // msg_iov
  message.writeBigUInt64LE(1n, 24); // msg_iovlen
  message.writeBigUInt64LE(start + 128n, 32); // msg_control
  message.writeBigUInt64LE(BigInt(control.length), 40); // msg_controllen
  if ((recvmsgC(socket, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) as number) <= 0) return undefined;
  if (message.readBigUInt64LE(40) < BigInt(CMSGHDR + 4)) return undefined;
  const ours = control.readInt32LE(8) === SOL_SOCKET && control.readInt32LE(12) === SCM_RIGHTS;
  return ours ? control.readInt32LE(CMSGHDR) : undefined;
}
