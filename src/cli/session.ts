/** What the commands that talk to a server share: `--at`, connecting, and what to do when nobody is there. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { connect, TransportError, type Client, type Dialect } from '../client/index.ts';
import { defaultEndpoint, EndpointError, formatEndpoint, parseEndpoint, type Endpoint } from '../endpoint.ts';

export interface SessionOptions {
  readonly at?: Endpoint;
  readonly dialect?: Dialect;
}

/** A new command of the program that has a server's address among its options. */
export function clientCommand(program: Command, name: string, description: string): Command {
  const dialect = new Option('--dialect <dialect>', 'the dialect to propose')
    .choices(['9P2000', '9P2000.u', '9P2000.L'])
    .hideHelp();
  return program
    .command(name)
    .description(description)
    .option(
      '--at <address>',
      'the server: unix!PATH or tcp!HOST!PORT (default: slashnet.sock in $XDG_RUNTIME_DIR, root: in /run)',
      parseAt,
    )
    .addOption(dialect);
}

function parseAt(text: string): Endpoint {
  return argument(() => {
    const endpoint = parseEndpoint(text);
    if (endpoint.kind === 'stdio') throw new EndpointError('write unix!PATH or tcp!HOST!PORT');
    return endpoint;
  });
}

/** The value of an argument; what it throws is told as a mistake in the command line. */
export function argument<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

/** Connects, runs `use`, and closes the connection whatever happens. */
export async function withClient(
  options: SessionOptions,
  use: (client: Client) => Promise<void>,
): Promise<void> {
  const at = options.at ?? defaultEndpoint();
  const client = await reach(at, options.dialect);
  try {
    await use(client);
  } finally {
    client.close();
  }
}

/** How long a server may take for its first answers: one that speaks something else may wait for ever. */
const ANSWER_MS = 10_000;

async function reach(at: Endpoint, dialect: Dialect | undefined): Promise<Client> {
  try {
    return await connect(at, { dialect, signal: AbortSignal.timeout(ANSWER_MS) });
  } catch (error) {
    if (error instanceof DOMException) throw new Error(`${formatEndpoint(at)} does not answer in 9P`);
    if (!(error instanceof TransportError)) throw error;
    throw new Error(advice(at, error), { cause: error });
  }
}

function advice(at: Endpoint, error: TransportError): string {
  const where = formatEndpoint(at);
  switch (error.code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return isDefault(where)
        ? `no server at ${where}; start one: slashnet serve, or name another: --at unix!PATH`
        : `no server at ${where}; start one: slashnet serve --listen '${where}'`;
    case 'EACCES':
      return `${where}: permission denied; whoever runs the server can let you in: chmod or chgrp the socket`;
    default:
      return error.message;
  }
}

function isDefault(where: string): boolean {
  try {
    return formatEndpoint(defaultEndpoint()) === where;
  } catch {
    return false;
  }
}
