/**
 * Every error that the tree can give, once: its name, its Plan 9 text and its Linux errno.
 *
 * 9P2000 carries the text, 9P2000.u both, 9P2000.L and FUSE the number. The texts are those of
 * Plan 9's kernel (ip(3), 9front's devip.c, tcp.c, error.h), in lower case and without decoration,
 * because scripts compare them and Linux's v9fs maps them by exact match. What went wrong in
 * particular is the error's `detail`: it goes to the conversation's `err` file and the log.
 */

/** Linux errnos by name (asm-generic/errno*.h), as sent in .u, .L and FUSE. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  EBADF: 9,
  EAGAIN: 11,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  ENOTTY: 25,
  EFBIG: 27,
  EPIPE: 32,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ENODATA: 61,
  EPROTO: 71,
  EMSGSIZE: 90,
  EOPNOTSUPP: 95,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETUNREACH: 101,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTUNREACH: 113,
  ESTALE: 116,
} as const;

type Errno = keyof typeof ERRNO;

const e = (text: string, errno: Errno) => ({ text, errno: ERRNO[errno] });

export const ERRORS = {
  // names and permissions
  Eperm: e('permission denied', 'EACCES'),
  /** What only its owner may change, chmod(2), chown(2): Linux has a number of its own for it. */
  Enotowner: e('permission denied', 'EPERM'),
  Enonexist: e('file does not exist', 'ENOENT'),
  /** The kernel holds on to what is not kept here any more; it looks the name up again. */
  Estale: e('file does not exist', 'ESTALE'),
  Eexist: e('file already exists', 'EEXIST'),
  Enotempty: e('directory not empty', 'ENOTEMPTY'),
  /** What is to be replaced is not what was read. */
  Echanged: e('file has changed', 'ESTALE'),
  Enotdir: e('not a directory', 'ENOTDIR'),
  Eisdir: e('is a directory', 'EISDIR'),
  Ebadname: e('illegal name', 'EINVAL'),
  Enametoolong: e('file name too long', 'ENAMETOOLONG'),
  Ebadarg: e('bad arg in system call', 'EINVAL'),
  Eunknownuser: e('unknown user', 'EACCES'),

  // fids, tags and messages
  Ebadfid: e('unknown fid', 'EBADF'),
  Edupfid: e('duplicate fid', 'EBADF'),
  Ebaduse: e('bad use of fid', 'EBADF'),
  Ebadfd: e('inappropriate use of fd', 'EBADF'),
  Eduptag: e('duplicate tag', 'EPROTO'),
  Ebadmsg: e('malformed message', 'EPROTO'),
  Eunknownmsg: e('unknown message', 'EOPNOTSUPP'),
  Eversion: e('version not negotiated', 'EPROTO'),
  Emsize: e('msize too small', 'EINVAL'),
  Ebadoffset: e('bad offset', 'EINVAL'),
  /** Reading a directory: not one entry fits. */
  Eshort: e('stat buffer too small', 'EINVAL'),
  Enoauth: e('authentication not required', 'ENOENT'),
  Enoxattr: e('no such attribute', 'ENODATA'),
  Enotsup: e('operation not supported', 'EOPNOTSUPP'),
  Enosys: e('function not implemented', 'ENOSYS'),
  Enotty: e('inappropriate ioctl for device', 'ENOTTY'),
  Ebusy: e('too many requests in flight', 'ENOBUFS'),
  Enofids: e('too many fids', 'ENFILE'),

  // conversations
  Enodev: e('no free devices', 'ENFILE'),
  Econinuse: e('connection in use', 'EBUSY'),
  Econrefused: e('connection refused', 'ECONNREFUSED'),
  /** Plan 9 gives a reset the words of a refusal, in mid-stream too; the number tells them apart. */
  Econreset: e('connection refused', 'ECONNRESET'),
  Etimedout: e('connection timed out', 'ETIMEDOUT'),
  Ehungup: e('i/o on hungup channel', 'EPIPE'),
  Enotconn: e('not connected', 'ENOTCONN'),
  Eintr: e('interrupted', 'EINTR'),
  /** Only for who asked not to wait, which no 9P client can. */
  Eagain: e('resource temporarily unavailable', 'EAGAIN'),
  Enoroute: e('no route', 'EHOSTUNREACH'),
  Enetunreach: e('no route', 'ENETUNREACH'),
  Eio: e('i/o error', 'EIO'),
  Enotannounced: e('not announced', 'EINVAL'),
  Elistenhungup: e('listen hungup', 'ECONNABORTED'),

  // ctl messages and addresses
  Eshortctl: e('short control request', 'EINVAL'),
  Ebadctl: e('unknown control request', 'EINVAL'),
  Econnectargs: e('bad args to connect', 'EINVAL'),
  Eannounceargs: e('bad args to announce', 'EINVAL'),
  Ebindargs: e('bad args to bind', 'EINVAL'),
  Ebadaddr: e('malformed address', 'EINVAL'),
  Ebadip: e('bad ip address syntax', 'EINVAL'),
  Ebadport: e('bad numeric port', 'EINVAL'),
  Enotlocal: e('not a local IP address', 'EADDRNOTAVAIL'),
  Eaddrinuse: e('address in use', 'EADDRINUSE'),
  Enoports: e('no ports available', 'EADDRNOTAVAIL'),
  Enoannounce: e('announce not supported', 'EOPNOTSUPP'),
  /** The spelling is Plan 9's. */
  Enotestab: e('connection must be in Establised state', 'ENOTCONN'),
  Eporthog: e('unknown value for tcpporthogdefense', 'EINVAL'),
  Eaddmulti: e('addmulti needs interface address', 'EINVAL'),
  Edelmulti: e('delmulti needs interface address', 'EINVAL'),
  // datagrams
  Eshortio: e('i/o count too small', 'EINVAL'),
  Etoobig: e('read or write too large', 'EMSGSIZE'),

  // names: what a resolver says, and cs(8) and dns(8) make of it
  Enoname: e('name does not exist', 'ENOENT'),
  Enorecord: e('resource does not exist; negrcode 0', 'ENODATA'),
  Edns: e('dns failure', 'EHOSTUNREACH'),
  Ednsrequest: e('dns: illegal request', 'EINVAL'),
  Ednstype: e('dns: unknown type', 'EINVAL'),
  Ednslong: e('dns: request too long', 'EMSGSIZE'),
  Ednsbusy: e('dns: query already in progress', 'EBUSY'),
  Enotrans: e("can't translate address", 'ENOENT'),
  Enoservice: e("can't translate service", 'EINVAL'),
  // questions, and what is edited
  Ereqlong: e('request too long', 'EMSGSIZE'),
  Ebadquery: e('bad query', 'EINVAL'),
  Enomatch: e('no match', 'ENOENT'),
  Einprogress: e('query already in progress', 'EBUSY'),
  Esyntax: e('syntax error', 'EINVAL'),
} as const;

export type ErrorName = keyof typeof ERRORS;

/** An error of the tree. `message` is the Plan 9 text; `detail` says what was wrong and what would be right. */
export class FsError extends Error {
  override readonly name: ErrorName;
  readonly errno: number;
  readonly detail: string | undefined;

  /** `text` is for errors whose Plan 9 text says more than the table's: who speaks, or what was asked. */
  constructor(name: ErrorName, detail?: string, text: string = ERRORS[name].text) {
    // These are answers, not bugs: nobody reads their stack, and taking it costs more than the rest.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(text);
    Error.stackTraceLimit = stackTraceLimit;
    this.name = name;
    this.errno = ERRORS[name].errno;
    this.detail = detail;
  }

  /** What a person should read: the text, and the detail where there is one. */
  get sentence(): string {
    return this.detail === undefined ? this.message : `${this.message}: ${this.detail}`;
  }
}

/** The error of a Node system call (`err.code`), as one of ours; undefined where it has no counterpart. */
export function fromSystem(code: string | undefined): ErrorName | undefined {
  return code === undefined ? undefined : SYSTEM[code];
}

const SYSTEM: Record<string, ErrorName> = {
  ECONNREFUSED: 'Econrefused',
  ECONNRESET: 'Econreset',
  ECONNABORTED: 'Econreset',
  EPIPE: 'Ehungup',
  ENOTCONN: 'Ehungup',
  ETIMEDOUT: 'Etimedout',
  EHOSTUNREACH: 'Enoroute',
  EHOSTDOWN: 'Enoroute',
  ENETUNREACH: 'Enetunreach',
  ENETDOWN: 'Enetunreach',
  // The host has no IPv6.
  EAFNOSUPPORT: 'Enetunreach',
  EADDRINUSE: 'Eaddrinuse',
  EADDRNOTAVAIL: 'Enotlocal',
  EACCES: 'Eperm',
  EPERM: 'Eperm',
  EINVAL: 'Ebadip',
  EMSGSIZE: 'Etoobig',
  EMFILE: 'Enodev',
  ENFILE: 'Enodev',
  ENOBUFS: 'Enodev',
  ENOMEM: 'Enodev',
};
