/** The command line: one file per command, each registered here. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { register as registerAnnounce } from './announce.ts';
import { register as registerCat } from './cat.ts';
import { register as registerChgrp } from './chgrp.ts';
import { register as registerChmod } from './chmod.ts';
import { register as registerChown } from './chown.ts';
import { register as registerDial } from './dial.ts';
import { register as registerExplain } from './explain.ts';
import { EXIT, reason, tell } from './failure.ts';
import { register as registerLog } from './log.ts';
import { register as registerLs } from './ls.ts';
import { fromMountHelper, MountOptionError } from './mounthelper.ts';
import { register as registerMkdir } from './mkdir.ts';
import { register as registerMv } from './mv.ts';
import { register as registerNetstat } from './netstat.ts';
import { register as registerPolicy } from './policy.ts';
import { register as registerResolve } from './resolve.ts';
import { register as registerRm } from './rm.ts';
import { register as registerServe } from './serve.ts';
import { register as registerStat } from './stat.ts';
import { register as registerTouch } from './touch.ts';
import { register as registerWrite } from './write.ts';

/** In the order in which they are listed. */
const COMMANDS = [
  registerServe,
  registerLs,
  registerCat,
  registerWrite,
  registerTouch,
  registerMkdir,
  registerMv,
  registerRm,
  registerStat,
  registerChmod,
  registerChown,
  registerChgrp,
  registerDial,
  registerAnnounce,
  registerResolve,
  registerNetstat,
  registerExplain,
  registerLog,
  registerPolicy,
];

function makeProgram(): Command {
  const program = new Command('slashnet')
    .description('The network as files: a Plan 9 /net, served over 9P and mounted by FUSE.')
    .version(version())
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'slashnet: ')),
    })
    .addHelpText(
      'after',
      `
Examples:
  slashnet serve                        serve /net to yourself, at a socket of your own
  slashnet serve --mount ~/net          mount it: ls -l ~/net/tcp
  slashnet ls -l tcp
  slashnet dial 'tcp!example.org!80'
  slashnet announce 'tcp!*!7' cat

Paths are those of the served tree: /net/tcp/clone, /tcp/clone and tcp/clone are one file.
Exit status: 0 done, 1 failed, 2 the command line was wrong.`,
    );
  for (const register of COMMANDS) register(program);
  return program;
}

function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

/** Runs the command line; the process ends with process.exitCode when nothing is left to do. */
async function main(): Promise<void> {
  try {
    const program = makeProgram();
    const commands = [...program.commands.map(command => command.name()), 'help'];
    await program.parseAsync(fromMountHelper(process.argv.slice(2), commands), { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version that were asked for are no mistake; commander has said the rest.
      process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    } else if (error instanceof MountOptionError) {
      tell(error.message);
      process.exitCode = EXIT.usage;
    } else {
      tell(reason(error));
      process.exitCode = EXIT.failed;
    }
  }
}

// Help that is piped into head ends like any other output.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
await main();
