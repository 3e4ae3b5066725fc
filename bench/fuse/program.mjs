// What a benchmark with a mount does from its start to its end.
import * as procs from '../datapath/procs.mjs';
import { enter, folder } from './namespace.mjs';

/** Runs `benchmark` or, with --profile, `profileOne` in a namespace of its own; all that it started ends with it. */
async function main(script, { help, readOptions, compile, benchmark, profileOne }) {
  const options = readOptions();
  if (options.help) return console.log(help);
  if (folder === undefined) {
    process.exitCode = await enter(script, process.argv.slice(2));
    return;
  }
  try {
    compile();
    await (options.profile ? profileOne : benchmark)({ ...options, tmp: folder, script: options.server });
  } finally {
    await procs.endAll();
  }
}

/** `script` is the program's own file. */
export async function program(script, parts) {
  try {
    await main(script, parts);
  } catch (e) {
    console.error(`bench: ${e.message}`);
    process.exitCode = 1;
  }
}
