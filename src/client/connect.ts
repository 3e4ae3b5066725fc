/** From an endpoint to a client: transport, version, attach. */
import { userInfo } from 'node:os';
import { Duplex } from 'node:stream';
import { parseEndpoint, type Endpoint } from '../endpoint.ts';
import { IOHDRSZ, NOFID, NONUNAME, type Dialect } from '../server/9p/messages.ts';
import { Client } from './client.ts';
import { Connection } from './connection.ts';
import { Fid } from './fid.ts';
import { NumberPool } from './pool.ts';
import { openTransport } from './transport.ts';

export interface ConnectOptions {
  /** What to propose; default 9P2000.u, whose errors have a text and a number. The server may choose an older one. */
  readonly dialect?: Dialect | undefined;
  /** The longest message to propose, in bytes; the server may choose less. Default 128 KiB and a header. */
  readonly msize?: number | undefined;
  /** Who to attach as; default the user who runs this. */
  readonly uname?: string | undefined;
  /** The same as a number (9P2000.u and .L); default his uid, but none when a uname is given. */
  readonly nUname?: number | undefined;
  /** Which tree to attach to; default the server's first. */
  readonly aname?: string | undefined;
  /** Gives up connecting. It means nothing once there is a client. */
  readonly signal?: AbortSignal | undefined;
}

const MSIZE = 128 * 1024 + IOHDRSZ;

/** A client that cannot read a message of this size could not even read an error. */
const MIN_MSIZE = 256;

/** Not 0: a server that looks for Linux's v9fs, whose first fid is 0, must not take us for it. */
const FIRST_FID = 1;

/**
 * Connects to the 9P server at an endpoint (`unix!PATH`, `tcp!HOST!PORT`, `-`), or over a stream
 * that is connected already and is the client's from then on, and attaches.
 *
 * Fails with EndpointError, TransportError (no server there, or it hung up), ProtocolError (no 9P
 * there, or no version in common), NinepError (the attach was refused) or the signal's reason.
 */
export async function connect(to: string | Endpoint | Duplex, options: ConnectOptions = {}): Promise<Client> {
  const { dialect = '9P2000.u', msize = MSIZE, signal } = options;
  const stream = to instanceof Duplex ? to : await openTransport(asEndpoint(to), signal);
  const connection = new Connection(stream, dialect, msize);
  try {
    await negotiateVersion(connection, dialect, msize, signal);
    return await attach(connection, options);
  } catch (error) {
    connection.close();
    throw error;
  }
}

const asEndpoint = (to: string | Endpoint): Endpoint => (typeof to === 'string' ? parseEndpoint(to) : to);

/** Proposes the dialect; to a server that knows nothing of it, plain 9P2000. */
async function negotiateVersion(
  connection: Connection,
  dialect: Dialect,
  msize: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  let answer = await connection.version(msize, dialect, signal);
  if (answer.version === 'unknown' && dialect !== '9P2000') {
    answer = await connection.version(msize, '9P2000', signal);
  }
  if (!isDialect(answer.version)) {
    throw connection.broken(`the server answered version ${dialect} with ${answer.version}`);
  }
  if (answer.msize > msize || answer.msize < MIN_MSIZE) {
    throw connection.broken(`the server answered msize ${msize} with ${answer.msize}`);
  }
  connection.use(answer.version, answer.msize);
}

const isDialect = (version: string): version is Dialect =>
  version === '9P2000' || version === '9P2000.u' || version === '9P2000.L';

async function attach(connection: Connection, options: ConnectOptions): Promise<Client> {
  const fids = new NumberPool(FIRST_FID);
  const number = fids.take();
  const request = { fid: number, afid: NOFID, aname: options.aname ?? '', ...caller(options) };
  const { qid } = await connection.rpc('Tattach', request, options.signal);
  return new Client(connection, new Fid(connection, fids, number, '/', qid));
}

function caller({ uname, nUname }: ConnectOptions): { uname: string; nUname: number } {
  if (uname !== undefined) return { uname, nUname: nUname ?? NONUNAME };
  return { uname: userName(), nUname: nUname ?? process.getuid?.() ?? NONUNAME };
}

/** The user's name; his number where the system has no name for it. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'none');
  }
}
