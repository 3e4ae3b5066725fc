/**
 * /net/explain: whether somebody may, and why, with nothing done. Write `[user NAME] [VERB] DESTINATION`, such
 * as `tcp!example.com!443`; the answer begins with yes or no and says what decided. About others than himself
 * it answers only who governs the /net.
 */
import { formatEndpoint, parseDestination, parseLocal, type Endpoint } from './address.ts';
import { nearAttempt } from './conversation.ts';
import { destOf } from './ctlargs.ts';
import { canonicalName, zoneKey } from './domain.ts';
import { FsError } from './error.ts';
import { wanted, type Attempt } from './gate.ts';
import type { Destination } from './lookups.ts';
import type { DirNode, Req } from './node.ts';
import type { ProtocolDir } from './protodir.ts';
import { DIRECTORIES, ROOT_FILES } from './qid.ts';
import { QueryFile } from './query.ts';
import { shownLine, VERBS as DOING } from './refusal.ts';
import type { View } from './view.ts';
import type { ZoneFile } from './zone.ts';
import { sameCaller, unauthenticated, type Caller } from '../policy/identity.ts';
import type { Ruling } from '../policy/judge.ts';

export interface Explained {
  readonly view: View;
  /** By the names that destinations begin with. */
  readonly protocols: ReadonlyMap<string, ProtocolDir>;
  /** Where the server itself listens nobody dials. */
  isOwnListener(at: Endpoint): Promise<boolean>;
}

const USAGE = 'write [user NAME] [connect|announce|accept] PROTOCOL!HOST!PORT, or [user NAME] resolve HOST';
const VERBS = ['connect', 'announce', 'accept', 'resolve'] as const;

export function explainFile(parent: DirNode, since: number, about: Explained): QueryFile {
  const { authority, qids, surroundings } = about.view;
  const { unread } = surroundings;
  const path = qids.path(DIRECTORIES.root, undefined, ROOT_FILES.explain);
  return new QueryFile(
    parent,
    'explain',
    // Everybody may ask what he himself may.
    { path, since, authority, permissions: authority.file(0o666), unread },
    async (bytes, req) => [await explain(questionOf(bytes), about, req)],
    () => new FsError('Einprogress'),
  );
}

interface Question {
  readonly user: string | undefined;
  readonly verb: (typeof VERBS)[number];
  readonly dest: string;
}

function questionOf(bytes: Buffer): Question {
  const words = bytes.toString('utf8').trim().split(/\s+/);
  const user = words[0] === 'user' ? words.splice(0, 2)[1] : undefined;
  const verb = VERBS.find(each => each === words[0]);
  const [dest, ...more] = verb === undefined ? words : words.slice(1);
  if (dest === undefined || dest === '' || more.length > 0) throw new FsError('Ebadquery', USAGE);
  return { user, verb: verb ?? 'connect', dest };
}

async function explain(question: Question, about: Explained, req: Req): Promise<string> {
  const subject = subjectOf(question, about, req);
  try {
    return `yes: ${await allowed(question, about, subject, req)}`;
  } catch (error) {
    if (!(error instanceof FsError) || (error.name !== 'Eperm' && error.name !== 'Enotrans')) throw error;
    return `no: ${error.detail ?? error.message}`;
  }
}

function subjectOf({ user }: Question, { view }: Explained, { caller, privileged }: Req): Caller {
  if (user === undefined) return caller;
  const nobody = unauthenticated();
  const subject = view.surroundings.userByName(user) ?? (user === nobody.name ? nobody : undefined);
  const mayAsk = privileged === true || (subject !== undefined && sameCaller(subject, caller));
  if (!mayAsk) throw new FsError('Eperm', `only who governs this /net asks about others than himself`);
  if (subject === undefined) throw new FsError('Eunknownuser', `there is no user '${user}'`);
  return sameCaller(subject, caller) ? caller : subject;
}

/** Why he may; Eperm with the reason if not. */
async function allowed(question: Question, about: Explained, subject: Caller, req: Req): Promise<string> {
  const { verb, dest } = question;
  if (verb === 'resolve') return resolved(dest, about, subject, req);
  const [name = '', ...rest] = dest.split('!');
  const protocol = about.protocols.get(name);
  if (protocol === undefined || rest.length < 2) throw new FsError('Ebadaddr', USAGE);
  protocol.checkWay(subject);
  const attempts = await attemptsOf(verb, protocol.protocol.name, rest.join('!'), about, subject, req);
  return firstAllowed(attempts, about, subject, req.caller);
}

async function attemptsOf(
  verb: 'connect' | 'announce' | 'accept',
  protocol: string,
  where: string,
  about: Explained,
  subject: Caller,
  { signal, caller }: Req,
): Promise<readonly Attempt[]> {
  if (verb !== 'connect') {
    const local = parseLocal(where, protocol);
    return [{ verb, protocol, dest: `${protocol}!${formatEndpoint(local)}`, ...local }];
  }
  const to = parseDestination(where, protocol);
  const { host, port } = to;
  const near = nearAttempt(protocol, { local: undefined, reserved: to.reserved });
  if (near !== undefined) mustBeAllowed(near, about.view, subject, caller);
  const found: readonly Destination[] =
    typeof host === 'string'
      ? await about.view.lookups.destinations(host, subject, signal, 'nothing')
      : [{ ip: host, names: [], trusted: false }];
  return found.map(each => ({ verb, protocol, dest: destOf(protocol, to), port, ...each }));
}

async function firstAllowed(
  attempts: readonly Attempt[],
  about: Explained,
  subject: Caller,
  reader: Caller,
): Promise<string> {
  let refusal: FsError | undefined;
  for (const attempt of attempts) {
    try {
      return await oneAllowed(attempt, about, subject, reader);
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      refusal = error;
    }
  }
  throw refusal!;
}

async function oneAllowed(
  attempt: Attempt,
  { view, isOwnListener }: Explained,
  subject: Caller,
  reader: Caller,
): Promise<string> {
  const { verb, dest } = attempt;
  const at = formatEndpoint(attempt);
  if (verb === 'connect' && (await isOwnListener(attempt))) {
    throw new FsError('Eperm', `${at} is where this server itself listens`);
  }
  const ruling = mustBeAllowed(attempt, view, subject, reader);
  const zone = ruling.verdict.zone === undefined ? 'learning' : `zone ${ruling.verdict.zone.name}`;
  const shown = dest.includes(at) ? '' : ` (${at})`;
  return `${subject.name} may ${DOING[verb]} ${dest}${shown}: ${zone} ${shownLine(ruling, reader)}`.trimEnd();
}

function mustBeAllowed(attempt: Attempt, { gate }: View, subject: Caller, reader: Caller): Ruling<ZoneFile> {
  const { ruling } = gate.rule(attempt, subject);
  if (ruling.verdict.allowed) return ruling;
  throw new FsError('Eperm', gate.sentence(ruling, wanted(attempt), subject, reader));
}

function resolved(name: string, { view }: Explained, subject: Caller, { caller }: Req): string {
  if (canonicalName(name) === undefined) throw new FsError('Ebadaddr', `'${name}' is no domain name`);
  view.lookups.check(subject);
  const key = zoneKey(name);
  const [found] = view.lookups.candidates(name, subject);
  const ruling = view.gate.ruleNames([zoneKey(found!)], subject);
  if (!ruling.verdict.allowed) {
    const what = { verb: 'resolve', dest: key, line: `resolve ${key}` };
    throw new FsError('Eperm', view.gate.sentence(ruling, what, subject, caller));
  }
  const { zone } = ruling.verdict;
  const by = zone === undefined ? '' : `: zone ${zone.name} ${shownLine(ruling, caller)}`;
  return `${subject.name} may look up ${key}${by}`.trimEnd();
}
