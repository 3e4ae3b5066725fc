/** `slashnet policy`: what a policy file says, and what is in force as one. */
import type { Command } from 'commander';
import { NinepError, type Client, type Stat } from '../client/index.ts';
import type { ShownPolicy, ShownSettings } from '../policy/config/index.ts';
import { EXIT, report } from './failure.ts';
import { printable } from './printable.ts';
import { clientCommand, withClient, type SessionOptions } from './session.ts';
import { untilOutputCloses, writeOut } from './stdio.ts';

export function register(program: Command): void {
  const policy = program
    .command('policy')
    .description('check a policy file, or show what is in force as one')
    .addHelpText(
      'after',
      `
Examples:
  slashnet policy check /etc/slashnet/policy.yaml
  slashnet policy show > now.yaml`,
    );
  policy
    .command('check')
    .description('tell all that is wrong with a policy file, each with its line and column')
    .argument('<file>', 'the policy file')
    .addHelpText(
      'after',
      `
Examples:
  slashnet policy check policy.yaml`,
    )
    .action(check);
  clientCommand(policy, 'show', 'print modes, owners and zones as they are, as a policy file')
    .addHelpText(
      'after',
      `
Examples:
  slashnet policy show > now.yaml; slashnet policy check now.yaml`,
    )
    .action((options: SessionOptions) =>
      withClient(options, client => untilOutputCloses(() => show(client))),
    );
}

// ---- check ------------------------------------------------------------------------------------

async function check(file: string): Promise<void> {
  const { errorText, loadPolicy } = await import('../policy/config/index.ts');
  const { hostUsers } = await import('../host/users.ts');
  const loaded = await loadPolicy(file, { users: hostUsers() });
  if ('errors' in loaded) {
    for (const error of loaded.errors) process.stderr.write(`${printable(errorText(error))}\n`);
    process.exitCode = EXIT.failed;
  } else {
    const zones = [...(loaded.policy.zones?.values() ?? [])];
    const lines = zones.reduce((sum, zone) => sum + countLines(zone.lines), 0);
    await untilOutputCloses(() =>
      writeOut(`${printable(file)}: sound: ${count(zones.length, 'zone')}, ${count(lines, 'line')}\n`),
    );
  }
}

/** Those that say something: comments do not count. */
const countLines = (text: string): number => text.split('\n').filter(line => /^\s*[^#\s]/.test(line)).length;

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

// ---- show -------------------------------------------------------------------------------------

async function show(client: Client): Promise<void> {
  const { FILES, formatPolicy } = await import('../policy/config/index.ts');
  const files = new Map<string, ShownSettings>();
  for (const path of FILES) {
    const stat = await allowed(path, client.stat(path));
    if (stat !== undefined) files.set(path, settingsOf(stat));
  }
  await writeOut(formatPolicy({ files, zones: await zones(client) }));
}

/** None rather than nothing of them: without zones a policy allows everything. */
async function zones(client: Client): Promise<NonNullable<ShownPolicy['zones']>> {
  const { isZoneName } = await import('../policy/config/index.ts');
  const found = new Map<string, ShownSettings & { lines: string }>();
  for (const stat of (await allowed('zone', client.ls('zone'))) ?? []) {
    // Not what an editor left there.
    if (!isZoneName(stat.name)) continue;
    const path = `zone/${stat.name}`;
    const lines = await allowed(path, client.readFile(path));
    if (lines !== undefined) found.set(stat.name, { ...settingsOf(stat), lines: lines.toString('utf8') });
  }
  return found;
}

/** A name where the server gives one. */
const settingsOf = ({ mode, owner, uid, group, gid }: Stat): ShownSettings => ({
  mode,
  owner: owner ?? uid,
  group: group ?? gid,
});

/** What is not there is left out; what may not be seen, too, and the file is known not to be all of it. */
async function allowed<T>(path: string, asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof NinepError)) throw error;
    if (error.code === 'ENOENT') return undefined;
    report(`policy show: ${path} is left out`, error);
    return undefined;
  }
}
