/** `slashnet resolve`: what a name or an address stands for. */
import type { Command } from 'commander';
import { lookup, translate, type Client, type ResourceRecord } from '../client/index.ts';
import { report } from './failure.ts';
import { jsonText, printable } from './printable.ts';
import { clientCommand, withClient, type SessionOptions } from './session.ts';
import { untilOutputCloses, writeOut } from './stdio.ts';

interface ResolveOptions extends SessionOptions {
  readonly json?: boolean;
}

export function register(program: Command): void {
  clientCommand(program, 'resolve', "look a name up, in the server's view of the network")
    .argument('<name>', 'a name, an IP address, or what is to be dialled: tcp!HOST!SERVICE')
    .argument('[type]', 'ip, ipv6, cname, ptr, mx, ns, soa, srv, txt or all')
    .option('--json', 'as an array of objects')
    .addHelpText(
      'after',
      `
Of a name without a type the IPv4 and IPv6 addresses are told, of an address its names; both, and every
type, by the file dns, as NAME TYPE, a tab and the value. An address with ! is translated by the file
cs: the clone file to open and what to write to its ctl. The objects of --json have name, type and
value; or clone and address; or, of a question such as '!sys=*', answer.

Examples:
  slashnet resolve example.org
  slashnet resolve example.org mx
  slashnet resolve 192.0.2.7
  slashnet resolve 'tcp!example.org!http'`,
    )
    .action((name: string, type: string | undefined, options: ResolveOptions, command: Command) => {
      if (type !== undefined && name.includes('!')) {
        command.error(`error: ${name} is to be dialled and has no records; leave out '${type}'`);
      }
      return withClient(options, client =>
        untilOutputCloses(() => resolve(client, name, type, options.json === true)),
      );
    });
}

async function resolve(
  client: Client,
  name: string,
  type: string | undefined,
  asJson: boolean,
): Promise<void> {
  const answers = await find(client, name, type).catch((error: unknown) => {
    report(`resolve ${name}`, error);
    return undefined;
  });
  if (answers === undefined) return;
  await writeOut(
    asJson
      ? jsonText(answers)
      : answers.map(answer => `${printable(lineOf(Object.values(answer)))}\n`).join(''),
  );
}

type Answer =
  ResourceRecord | { readonly clone: string; readonly address: string } | { readonly answer: string };

async function find(client: Client, name: string, type: string | undefined): Promise<readonly Answer[]> {
  return name.includes('!') ? (await translate(client, name)).map(translation) : lookup(client, name, type);
}

function translation(line: string): Answer {
  const [, clone, address] = /^(\/\S+) (\S+)$/.exec(line) ?? [];
  return clone === undefined || address === undefined ? { answer: line } : { clone, address };
}

/** The words of an answer as the file has them. */
const lineOf = (words: readonly string[]): string =>
  words.length === 3 ? `${words[0]} ${words[1]}\t${words[2]}` : words.join(' ');
