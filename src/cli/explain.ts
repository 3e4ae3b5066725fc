/** `slashnet explain`: whether somebody may go somewhere, and why. */
import type { Command } from 'commander';
import { explain, type Client, type ExplainOptions } from '../client/index.ts';
import { EXIT, report } from './failure.ts';
import { treePath } from './path.ts';
import { printable } from './printable.ts';
import { clientCommand, withClient, type SessionOptions } from './session.ts';
import { OutputClosed, untilOutputCloses, writeOut } from './stdio.ts';

interface Options extends SessionOptions {
  readonly user?: string;
  readonly in?: string;
}

type Verb = NonNullable<ExplainOptions['verb']>;

const VERBS: readonly string[] = ['connect', 'announce', 'accept', 'resolve'] satisfies Verb[];

export function register(program: Command): void {
  clientCommand(program, 'explain', 'tell whether somebody may go somewhere, and why; nothing is done')
    .usage('[options] [verb] <destination>')
    .argument('<destination>', 'PROTOCOL!HOST!PORT, of resolve a name')
    .argument('[destination]', `behind a verb: ${VERBS.join(', ')} (default: connect)`)
    .option(
      '--user <name>',
      "somebody else, or none, as who comes by TCP: the server's owner may ask, of a view its maker, too",
    )
    .option('--in <view>', "in a view, 'view/3', and not in the /net around it")
    .addHelpText(
      'after',
      `
The answer is yes or no and what decided: the zone and its line, or what would allow it. The exit status is
0 for yes and 1 for no, or if it could not be asked.

Examples:
  slashnet explain 'tcp!example.org!443'
  slashnet explain --user alice announce 'tcp!*!8080'
  slashnet explain resolve example.org`,
    )
    .action((first: string, second: string | undefined, options: Options, command: Command) => {
      const verb = second === undefined ? undefined : first;
      if (verb !== undefined && !VERBS.includes(verb)) {
        command.error(`error: '${verb}' is no verb; write ${VERBS.join(', ')}`);
      }
      const question = { ...options, verb: verb as Verb | undefined };
      return withClient(options, client => untilOutputCloses(() => tell(client, second ?? first, question)));
    });
}

async function tell(
  client: Client,
  destination: string,
  { user, in: view, verb }: Options & { readonly verb: Verb | undefined },
): Promise<void> {
  const netdir = view === undefined ? undefined : treePath(view);
  try {
    const { allowed, reason } = await explain(client, destination, { user, verb, netdir });
    if (!allowed) process.exitCode = EXIT.failed;
    await writeOut(`${allowed ? 'yes' : 'no'}: ${printable(reason)}\n`);
  } catch (error) {
    if (error instanceof OutputClosed) throw error;
    report(`explain ${destination}`, error);
  }
}
