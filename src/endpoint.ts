/** Where a 9P server listens, and where a client dials it: `unix!PATH`, `tcp!HOST!PORT`, or `-`. */
import { existsSync } from 'node:fs';

export type Endpoint =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'stdio' };

/** An endpoint that cannot be understood; the message says what would be right. */
export class EndpointError extends Error {}

/** The longest path that fits sockaddr_un.sun_path with its final NUL (unix(7)). */
const MAX_UNIX_PATH = 107;

/** The port of a 9P file server (IANA: 9pfs), taken when `tcp!HOST` names none. */
const NINEP_PORT = 564;

export function parseEndpoint(text: string): Endpoint {
  if (text === '-') return { kind: 'stdio' };
  const [network, ...rest] = text.split('!');
  if (network === 'unix') return unixEndpoint(rest.join('!'));
  if (network === 'tcp') return tcpEndpoint(text, rest);
  throw new EndpointError(
    `${text}: not an address; write unix!PATH, tcp!HOST!PORT or - for stdin and stdout`,
  );
}

function unixEndpoint(path: string): Endpoint {
  if (path === '') throw new EndpointError('unix!: the path is missing; write unix!/run/slashnet.sock');
  if (Buffer.byteLength(path) > MAX_UNIX_PATH) {
    throw new EndpointError(`unix!${path}: a socket's path has at most ${MAX_UNIX_PATH} bytes`);
  }
  if (path.includes('\0')) throw new EndpointError('unix!: a path holds no NUL');
  return { kind: 'unix', path };
}

function tcpEndpoint(text: string, rest: string[]): Endpoint {
  const [host = '', port = String(NINEP_PORT), ...more] = rest;
  if (host === '' || more.length > 0) {
    throw new EndpointError(`${text}: write tcp!HOST!PORT, for example tcp!127.0.0.1!5640`);
  }
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) {
    throw new EndpointError(`${text}: ${port} is no port; write a number from 0 to 65535`);
  }
  return { kind: 'tcp', host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}

export function formatEndpoint(at: Endpoint): string {
  switch (at.kind) {
    case 'unix':
      return `unix!${at.path}`;
    case 'tcp':
      return `tcp!${at.host}!${at.port}`;
    case 'stdio':
      return '-';
  }
}

/** The socket that `serve` listens on and every other command dials when none is named. */
export function defaultEndpoint(env: NodeJS.ProcessEnv = process.env, uid = process.getuid!()): Endpoint {
  if (uid === 0) return unixEndpoint('/run/slashnet.sock');
  const runtime = env['XDG_RUNTIME_DIR'] ?? `/run/user/${uid}`;
  if (!existsSync(runtime)) {
    throw new EndpointError(
      `${runtime} does not exist, so there is no default socket; set XDG_RUNTIME_DIR or name one: unix!PATH`,
    );
  }
  return unixEndpoint(`${runtime}/slashnet.sock`);
}
