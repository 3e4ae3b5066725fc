/** What can go wrong: the server said no, the server broke the protocol, or the server is gone. */
import { ERRNO, ERRORS, type ErrorName } from '../netfs/error.ts';
import type { Message } from '../server/9p/messages.ts';

type Errno = keyof typeof ERRNO;

/** The server answered a request with an error. `message` is `text`. */
export class NinepError extends Error {
  override readonly name = 'NinepError';
  /** Plan 9's words. 9P2000.L carries a number only: there they are the usual words for that number. */
  readonly text: string;
  /** The Linux errno. In plain 9P2000 it is the one this text belongs to, undefined if it is not known. */
  readonly errno: number | undefined;
  /** Its name, such as `ECONNREFUSED`; `EUNKNOWN` where there is none. */
  readonly code: string;
  /** A sentence for people with the particulars, where the server's `err` file has one. */
  detail: string | undefined;

  constructor(text: string, errno: number | undefined) {
    super(text);
    this.text = text;
    this.errno = errno;
    this.code = NAMES.get(errno ?? 0) ?? 'EUNKNOWN';
  }
}

/** The server sent what cannot be. When that was in 9P itself, the connection is closed. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** The server cannot be reached, or the connection to it ended. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  /** The system's word, such as `ECONNREFUSED` or `ENOENT`; undefined when the server just hung up. */
  readonly code: string | undefined;

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    const code = (cause as { code?: unknown } | undefined)?.code;
    this.code = typeof code === 'string' ? code : undefined;
  }
}

/** The error that a reply carries; undefined if it is no error reply. */
export function errorIn(reply: Message): NinepError | undefined {
  switch (reply.type) {
    case 'Rerror':
      return new NinepError(reply.ename, reply.errno === 0 ? errnoOf(reply.ename) : reply.errno);
    case 'Rlerror':
      return new NinepError(textOf(reply.ecode), reply.ecode);
    default:
      return undefined;
  }
}

/** An error of the table, for what the client finds out itself. */
export function knownError(name: ErrorName): NinepError {
  return new NinepError(ERRORS[name].text, ERRORS[name].errno);
}

const NAMES = new Map<number, string>(Object.entries(ERRNO).map(([name, errno]) => [errno, name]));

/** Where several texts share a number: the one that says least. */
const USUAL: Partial<Record<Errno, ErrorName>> = {
  ENOENT: 'Enonexist',
  EACCES: 'Eperm',
  EINVAL: 'Ebadarg',
  EBADF: 'Ebadfid',
  EPROTO: 'Ebadmsg',
  EOPNOTSUPP: 'Enotsup',
  ENFILE: 'Enodev',
  EADDRNOTAVAIL: 'Enotlocal',
  ENOTCONN: 'Enotconn',
  EHOSTUNREACH: 'Enoroute',
};

function textOf(errno: number): string {
  const usual = USUAL[NAMES.get(errno) as Errno];
  if (usual !== undefined) return ERRORS[usual].text;
  return Object.values(ERRORS).find(known => known.errno === errno)?.text ?? `error ${errno}`;
}

function errnoOf(text: string): number | undefined {
  return Object.values(ERRORS).find(known => known.text === text)?.errno;
}
