/** `slashnet serve`: the server. */
import { resolve } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { parseNameServer, type NameServer } from '../host/dns/resolvconf.ts';
import type { LogTarget } from '../server/logsinks.ts';
import { defaultEndpoint, EndpointError, parseEndpoint, type Endpoint } from '../endpoint.ts';

const EXAMPLES = `
Examples:
  slashnet serve                                    on the default socket, for yourself alone
  slashnet serve --mount ~/net                      mounted, for every program: ls ~/net/tcp
  slashnet serve --listen 'unix!/tmp/net.sock'      on a socket of your choice
  slashnet serve --listen 'tcp!127.0.0.1!5640' --trust-tcp
                                                    for clients that cannot do unix sockets
  ssh host slashnet serve --listen -                another machine's /net, over ssh
  slashnet serve --policy /etc/slashnet/policy.yaml --mount /net --allow-other
                                                    for all users, who may go where the policy lets them

Then, in another shell:
  slashnet ls tcp
  slashnet dial 'tcp!example.com!http'
`;

/** What the command line asked for. */
export interface ServeFlags {
  policy?: string;
  netLog?: LogTarget[];
  listen?: Endpoint[];
  mount?: string[];
  mountName: string;
  netdir?: string;
  allowOther?: boolean;
  background?: boolean;
  trustTcp?: boolean;
  trustMount?: boolean;
  squash?: boolean;
  socketMode: number;
  conversations: number;
  dns?: NameServer[];
  trace?: boolean;
  logLevel: string;
}

const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'];

export function register(program: Command): void {
  program
    .command('serve')
    .description('serve /net, the network of this machine as files, over 9P and mounted by FUSE')
    .option('--policy <file>', 'who may go where, as YAML; read again when it changes and at SIGHUP')
    .option(
      '--listen <addr>',
      'unix!PATH, tcp!HOST!PORT, or - for stdin and stdout; may be repeated (default: slashnet.sock in $XDG_RUNTIME_DIR, root: in /run)',
      collect,
    )
    .option('--mount <dir>', 'mount it on a directory, by FUSE; may be repeated', more)
    .addOption(new Option('--mount-name <name>', 'the source that /proc/mounts shows').default('slashnet'))
    .option(
      '--netdir <dir>',
      'what the answers of cs begin with: where clients have this tree (default: the first --mount, else /net)',
      directory,
    )
    .option('--allow-other', 'let other users into the mounts, as far as permissions let them')
    .option('--background', 'return when everything is open, and go on in the background')
    .option('--trust-tcp', 'believe who TCP clients say they are (else they are the user none)')
    .option('--trust-mount', 'a descriptor in --mount /dev/fd/N was mounted here, not in a container')
    .option('--squash', 'on unix sockets: whoever a client claims to be, it is its own user')
    .addOption(
      new Option('--socket-mode <mode>', 'permission bits of unix sockets, octal')
        .argParser(octal)
        .default(0o600, '600'),
    )
    .option('--conversations <n>', 'most conversations of a protocol at a time', count, 16384)
    .option(
      '--dns <addr>',
      "ADDR or ADDR!PORT of a name server to ask in place of the host's; may be repeated",
      nameServers,
    )
    .option(
      '--net-log <target>',
      "a file, or syslog: where the lines of /net/log go, too; may be repeated, and adds to the policy's",
      logTargets,
    )
    .option('--trace', 'print every 9P and FUSE message to stderr')
    .option('--log-level <level>', LEVELS.join(', '), level, 'info')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: ServeFlags) => {
      // The server is loaded here, so that the other commands start without it.
      if (flags.background === true) await (await import('./background.ts')).serveInBackground(flags);
      else await (await import('./serving.ts')).serve(flags);
    });
}

/** Where to listen: with neither an address nor a mount, at the default socket. */
export function endpoints(flags: ServeFlags): Endpoint[] {
  return flags.listen ?? (flags.mount === undefined ? [defaultEndpoint()] : []);
}

/** What the answers of cs begin with. */
export function netdir({ netdir: given, mount }: ServeFlags): string {
  const dir = given ?? (mount?.[0] === undefined ? '/net' : resolve(mount[0]));
  return dir.replace(/(?<=.)\/+$/, '');
}

const more = (text: string, before: string[] = []): string[] => [...before, text];

function collect(text: string, before: Endpoint[] = []): Endpoint[] {
  try {
    return [...before, parseEndpoint(text)];
  } catch (error) {
    if (error instanceof EndpointError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

function nameServers(text: string, before: NameServer[] = []): NameServer[] {
  const server = parseNameServer(text);
  if (server !== undefined) return [...before, server];
  throw new InvalidArgumentError('write ADDR or ADDR!PORT, for example 192.0.2.53 or [2001:db8::53]!5353');
}

/** A file of that name is `./syslog`. */
function logTargets(text: string, before: LogTarget[] = []): LogTarget[] {
  if (text === '') throw new InvalidArgumentError('write the path of a file, or syslog');
  return [...before, text === 'syslog' ? text : resolve(text)];
}

/** Answers are divided by blanks. */
function directory(text: string): string {
  if (/^\/\S*$/.test(text)) return text;
  throw new InvalidArgumentError('write an absolute path without blanks, for example /net');
}

function octal(text: string): number {
  if (!/^0?[0-7]{3}$/.test(text)) throw new InvalidArgumentError('write three octal digits, for example 660');
  return parseInt(text, 8);
}

function count(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError('write a number from 1 to 9999999');
  return Number(text);
}

function level(text: string): string {
  if (!LEVELS.includes(text)) throw new InvalidArgumentError(`write one of ${LEVELS.join(', ')}`);
  return text;
}
