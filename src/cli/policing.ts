/** The policy file of `slashnet serve`: what it says at first, and whenever it is read again. */
import type { Log } from '../log.ts';
import { FsError } from '../netfs/error.ts';
import { errorText, type Loaded, type Policy } from '../policy/config/index.ts';
import { SYSLOG, type LogSinks, type LogTarget } from '../server/logsinks.ts';
import type { PolicyFile } from '../server/policyfile.ts';
import type { Server } from '../server/server.ts';
import { tellParent } from './background.ts';
import { printable } from './printable.ts';
import type { ServeFlags } from './serve.ts';

/** What is served at first; undefined without a policy file, and `unsound` where it is not, which is told. */
export async function firstPolicy(
  file: PolicyFile | undefined,
  say: (line: string) => void,
): Promise<Policy | 'unsound' | undefined> {
  if (file === undefined) return undefined;
  const loaded = await file.load();
  if (!('errors' in loaded)) return loaded.policy;
  const lines = loaded.errors.map(error => printable(errorText(error)));
  tellParent(lines.join('\n'));
  for (const line of lines) say(line);
  file.close();
  process.exitCode = 1;
  return 'unsound';
}

/** Where to listen and to mount, the command line says, or else the policy. */
export function withPolicy(flags: ServeFlags, policy: Policy | undefined): ServeFlags {
  const listen = flags.listen ?? policy?.listen;
  const mount = flags.mount ?? policy?.mount;
  return { ...flags, ...(listen && { listen: [...listen] }), ...(mount && { mount: [...mount] }) };
}

export function logTargets({ netLog = [] }: ServeFlags, policy: Policy | undefined): LogTarget[] {
  const { file, syslog } = policy?.log ?? {};
  return [...netLog, ...(file === undefined ? [] : [file]), ...(syslog === true ? [SYSLOG] : [])];
}

interface Served {
  readonly server: Server;
  readonly sinks: LogSinks;
  readonly flags: ServeFlags;
  readonly log: Log;
  readonly path: string;
}

/** A policy that was read again; one that is not sound changes nothing. */
export function bring(loaded: Loaded, { server, sinks, flags, log, path }: Served): void {
  if ('errors' in loaded) {
    for (const error of loaded.errors) log.error({}, `the policy is not sound: ${errorText(error)}`);
    server.policy.refuse(loaded.errors, path);
    return;
  }
  try {
    const done = server.policy.apply(loaded.policy, path);
    sinks.use(logTargets(flags, loaded.policy));
    log.info({ policy: path, done }, 'the policy was read again');
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    log.error({ policy: path }, `the policy is not applied: ${error.sentence}`);
    server.policy.refuse([{ file: path, line: 1, column: 1, reason: error.sentence }], path);
  }
}
