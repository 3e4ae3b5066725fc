// The command line that the benchmarks with a mount share.
import { parseArgs } from 'node:util';
import { places } from './cpus.mjs';

/** What was written, `more` options of parseArgs among it; `cpus` are where things run. */
export function parseOptions(more, { rounds, profileSeconds }) {
  const string = { type: 'string' };
  const flag = { type: 'boolean', default: false };
  const { values } = parseArgs({
    options: {
      rounds: string,
      seconds: string,
      only: string,
      json: string,
      profile: string,
      server: { ...string, default: 'bin/slashnet.js' },
      'no-pin': flag,
      quick: flag,
      help: flag,
      ...more,
    },
  });
  const positive = (name, otherwise) => {
    const n = Number(values[name] ?? otherwise);
    if (!(n > 0)) throw new Error(`--${name} ${values[name]}: want a number above 0`);
    return n;
  };
  return {
    ...values,
    cpus: values['no-pin'] ? {} : places(),
    rounds: positive('rounds', values.quick ? 1 : rounds),
    seconds: positive('seconds', values.profile ? profileSeconds : values.quick ? 0.2 : 0.4),
  };
}
