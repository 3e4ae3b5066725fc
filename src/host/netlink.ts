/**
 * Questions to the kernel by netlink(7), through koffi. The answer is there as soon as the question is
 * sent, so nothing here waits.
 */
import koffi from 'koffi';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { FsError } from '../netfs/error.ts';
import {
  decodeMessages,
  encodeMessage,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_MIN_TYPE,
} from './netlinkmessages.ts';

const libc = koffi.load('libc.so.6');

const socketC = libc.func('int socket(int domain, int type, int protocol)');
const bindC = libc.func('int bind(int fd, const uint8_t *address, uint32_t length)');
const sendC = libc.func('long send(int fd, const uint8_t *data, unsigned long size, int flags)');
const recvC = libc.func('long recv(int fd, uint8_t *into, unsigned long size, int flags)');
const closeC = libc.func('int close(int fd)');

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_ROUTE = 0;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
/** struct sockaddr_nl: family, pid 0 for one of the kernel's choice, groups. */
const SOCKADDR_NL = 12;

/** The kernel puts at most 32 KiB into a datagram of a dump (netlink_dump, af_netlink.c). */
const DATAGRAM = 128 * 1024;
/** Some 500,000 routes; what it would take to show more is not worth having. */
const MOST_BYTES = 64 * 1024 * 1024;
const ATTEMPTS = 16;

/** Each question has a socket of its own. */
const SEQUENCE = 1;

const into = Buffer.allocUnsafeSlow(DATAGRAM);

/** What the kernel refused. */
export class Refused {
  readonly errno: number;

  constructor(errno: number) {
    this.errno = errno;
  }
}

/** The tables changed under the answer: it is to be asked for again. */
export const INTERRUPTED = Symbol('interrupted');

type Answer = Buffer[] | Refused | typeof INTERRUPTED;

/**
 * The bodies of all answers to a dump, as of one time. Eperm: this process may not use netlink. Eintr: the
 * tables changed all the while. Etoobig: they are too large.
 */
export function dump(type: number, body: Buffer): Buffer[] {
  return untilWhole(() => converse(type, NLM_F_REQUEST | NLM_F_DUMP, body));
}

/** The answer about one thing; undefined where the kernel does not have it. Errors as for `dump`. */
export function ask(type: number, body: Buffer): Buffer | undefined {
  const found = converse(type, NLM_F_REQUEST, body);
  if (found instanceof Refused && found.errno === constants.errno.ENODEV) return undefined;
  return untilWhole(() => found)[0];
}

export function untilWhole(attempt: () => Answer): Buffer[] {
  for (let i = 0; i < ATTEMPTS; i++) {
    const found = attempt();
    if (found instanceof Refused) throw refusal(found.errno);
    if (found !== INTERRUPTED) return found;
  }
  throw new FsError('Eintr', 'the tables of the kernel change faster than they can be read; try again');
}

function converse(type: number, flags: number, body: Buffer): Answer {
  const fd = open(0);
  try {
    const question = encodeMessage(type, flags, SEQUENCE, body);
    if ((sendC(fd, question, question.length, 0) as number) < 0) return new Refused(koffi.errno());
    return collect(() => receive(fd), (flags & NLM_F_DUMP) !== 0);
  } finally {
    closeC(fd);
  }
}

/** A datagram of one's own; there is one at once, or none will come. */
function receive(fd: number): Buffer | Refused {
  const n = recvC(fd, into, into.length, MSG_DONTWAIT | MSG_TRUNC) as number;
  if (n < 0) return new Refused(koffi.errno());
  if (n > into.length) return new Refused(constants.errno.EMSGSIZE);
  return Buffer.from(into.subarray(0, n));
}

/** A dump ends with a message that says so, anything else with its first answer. */
export function collect(next: () => Buffer | Refused, isDump: boolean): Answer {
  const bodies: Buffer[] = [];
  let interrupted = false;
  for (let bytes = 0; bytes <= MOST_BYTES;) {
    const datagram = next();
    if (datagram instanceof Refused) return datagram;
    // One that is empty costs, too.
    bytes += datagram.length + 1;
    for (const message of decodeMessages(datagram)) {
      if (message.sequence !== SEQUENCE) continue;
      interrupted ||= (message.flags & NLM_F_DUMP_INTR) !== 0;
      if (message.type === NLMSG_DONE) return endOf(message.body) ?? (interrupted ? INTERRUPTED : bodies);
      if (message.type === NLMSG_ERROR) return new Refused(errnoOf(message.body));
      if (message.type >= NLMSG_MIN_TYPE) bodies.push(message.body);
    }
    if (!isDump && bodies.length > 0) return bodies;
  }
  throw new FsError('Etoobig', 'the tables of the kernel are too large to show');
}

/** A dump that broke off says why in its last message. */
function endOf(body: Buffer): Refused | undefined {
  return body.length >= 4 && body.readInt32LE(0) < 0 ? new Refused(errnoOf(body)) : undefined;
}

/** struct nlmsgerr begins with the errno, negative. */
function errnoOf(body: Buffer): number {
  return body.length >= 4 ? -body.readInt32LE(0) : constants.errno.EIO;
}

/** A socket that hears of changes in these groups (RTMGRP_*); 0 for none. */
function open(groups: number): number {
  const fd = socketC(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) as number;
  if (fd < 0) throw refusal(koffi.errno());
  const address = Buffer.alloc(SOCKADDR_NL);
  address.writeUInt16LE(AF_NETLINK, 0);
  address.writeUInt32LE(groups, 8);
  if ((bindC(fd, address, address.length) as number) === 0) return fd;
  const errno = koffi.errno();
  closeC(fd);
  throw refusal(errno);
}

/** Those with which a sandbox refuses: seccomp(2), RestrictAddressFamilies= of systemd.exec(5). */
const DENIED: readonly number[] = [
  constants.errno.EPERM,
  constants.errno.EACCES,
  constants.errno.EAFNOSUPPORT,
  constants.errno.EPROTONOSUPPORT,
  constants.errno.ENOSYS,
];

function refusal(errno: number): FsError {
  const name = getSystemErrorName(-errno);
  if (DENIED.includes(errno)) {
    return new FsError(
      'Eperm',
      `the server may not use netlink (${name}); its sandbox must allow AF_NETLINK`,
    );
  }
  return new FsError('Eio', `netlink: ${name}`);
}

/** Hears of changes, so that what was asked once need not be asked again. */
export class Changes {
  private readonly fd: number | undefined;

  /** `groups`: RTMGRP_* or'ed. */
  constructor(groups: number) {
    this.fd = openIfAllowed(groups);
  }

  /** Whether there may have been one since the last call; always, where the kernel does not tell. */
  some(): boolean {
    if (this.fd === undefined) return true;
    if ((recvC(this.fd, into, into.length, MSG_DONTWAIT) as number) < 0) {
      // ENOBUFS says that some were lost.
      return koffi.errno() !== constants.errno.EAGAIN;
    }
    // The others would say no more; those that are left for the next call cost it one more dump.
    for (let i = 0; i < 1024; i++) {
      if ((recvC(this.fd, into, into.length, MSG_DONTWAIT) as number) < 0) break;
    }
    return true;
  }
}

function openIfAllowed(groups: number): number | undefined {
  try {
    return open(groups);
  } catch {
    return undefined;
  }
}
