/**
 * What a policy file may say, and what it means. Each part is judged for itself, so that one mistake hides
 * no other. The custom issues say in `params` where exactly they are: see `Exactly`.
 */
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { EndpointError, parseEndpoint, type Endpoint } from '../../endpoint.ts';
import type { Caller, Users } from '../identity.ts';
import { zoneErrors } from '../lines.ts';
import { Unquoted } from './document.ts';
import {
  FILES,
  isZoneName,
  ZONE_MODE,
  type LogSettings,
  type PolicyError,
  type ZoneSettings,
} from './policy.ts';
import { MOST_BYTES, MOST_ERRORS } from './reading.ts';
import { nearest, shown } from './words.ts';

/** Where an issue is, if not at the value that its path leads to. */
export interface Exactly {
  /** At the path's last key. */
  readonly key?: boolean;
  /** Inside the string that the path leads to. */
  readonly inside?: { readonly line: number; readonly column: number };
  /** In another file. */
  readonly error?: PolicyError;
}

export interface Surroundings {
  /** The policy file's; paths are relative to its directory. */
  readonly path: string;
  readonly users: Users;
  /** An included file, by its absolute path; throws, and the message says why it cannot be had. */
  include(path: string): Included;
}

export interface Included {
  readonly text: string;
  readonly errors: readonly PolicyError[];
}

type Context = z.core.$RefinementCtx;

/** A leaf that cannot be understood; the message says what would be right. */
class Mistake extends Error {}

export type PolicyData = z.infer<ReturnType<typeof policySchema>>;

export function policySchema(around: Surroundings) {
  const { users } = around;
  const settings = settingsShape(users);
  return object('the sections files, zones, users, listen, mount and log', {
    listen: list(leaf(endpoint)).optional(),
    mount: list(leaf(path)).optional(),
    files: named(
      'the files with their settings',
      fileName,
      object("{ mode: '0660', group: ... }", settings),
    ).default(new Map()),
    zones: named('the zones with their settings', zoneName, zone(settings, around)).optional(),
    users: named('the users and who they are', userName, user(users)).default(new Map()),
    log: object('{ file: ..., syslog: true }', {
      file: leaf(value => resolve(dirname(around.path), path(value))).optional(),
      syslog: leaf(yesOrNo).optional(),
    })
      .transform(log => defined<LogSettings>(log))
      .default({}),
  });
}

const settingsShape = (users: Users) => ({
  mode: leaf(mode).optional(),
  owner: leaf(value => userId(value, users)).optional(),
  group: leaf(value => groupId(value, users)).optional(),
});

// ---- forms ------------------------------------------------------------------------------------

function leaf<T>(read: (value: unknown) => T) {
  return z.unknown().transform((value, context): T => {
    try {
      return read(value);
    } catch (error) {
      if (!(error instanceof Mistake)) throw error;
      return mistaken(context, error.message);
    }
  });
}

function mistaken(context: Context, message: string, params: Exactly = {}): never {
  context.addIssue({ code: 'custom', message, params: { ...params } });
  return z.NEVER;
}

/** One of these or several. */
function list<T extends z.ZodType>(item: T) {
  return z.preprocess(value => (Array.isArray(value) ? (value as unknown[]) : [value]), z.array(item));
}

/** A map whose keys are known. An issue of several unknown keys has a line of reasons for each. */
function object<S extends z.ZodRawShape>(what: string, shape: S) {
  const known = Object.keys(shape);
  const error = (issue: z.core.$ZodRawIssue): string =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map(key => unknownWord(key, known, 'setting')).join('\n')
      : expected(what, issue.input);
  const plain = (value: unknown): unknown => asObject(value);
  return z.preprocess(plain, z.strictObject(shape, { error }));
}

/** What is no map is none of zod's objects either, nor is an Unquoted. */
function asObject(value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value);
  return value === null ? null : undefined;
}

/** A map whose keys are names. */
function named<T extends z.ZodType>(what: string, check: (name: string) => void, value: T) {
  const key = z.string().superRefine((name, context) => {
    try {
      check(name);
    } catch (error) {
      if (!(error instanceof Mistake)) throw error;
      mistaken(context, error.message, { key: true });
    }
  });
  return z.map(key, value, { error: issue => expected(`${what}, or {} for none`, issue.input) });
}

const expected = (what: string, found: unknown): string =>
  found === null ? `nothing stands here; write ${what}` : `write ${what}`;

function unknownWord(word: string, known: readonly string[], kind: string): string {
  const meant = nearest(word.replace(/^\/+(net\/+)?/, ''), known);
  const advice = meant === undefined ? `there is ${known.join(', ')}` : `did you mean ${meant}?`;
  return `${shown(word)} is no ${kind} here; ${advice}`;
}

/** Without the fields that are undefined. */
function defined<T extends object>(fields: { [K in keyof T]?: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

// ---- leaves -----------------------------------------------------------------------------------

function text(value: unknown, what: string): string {
  if (typeof value === 'string' && value !== '') return value;
  if (value instanceof Unquoted)
    throw new Mistake(`${value.source} is a number to YAML; write ${what}, in quotes`);
  if (typeof value === 'boolean') throw new Mistake(`${value} is no text to YAML; write ${what}, in quotes`);
  throw new Mistake(value === null || value === '' ? `nothing stands here; write ${what}` : `write ${what}`);
}

/** `'0660'` or `0o660`; YAML reads 0660 as six hundred and sixty. */
function mode(value: unknown): number {
  if (value instanceof Unquoted && !/^0o/.test(value.source)) {
    throw new Mistake(`${value.source} is a decimal number to YAML; quote it: '${value.source}'`);
  }
  const digits = value instanceof Unquoted ? value.source.slice(2) : text(value, "a mode such as '0660'");
  if (!/^[0-7]{3,4}$/.test(digits))
    throw new Mistake(`${shown(digits)} is no mode; write three or four octal digits: '0660'`);
  const bits = Number.parseInt(digits, 8);
  if (bits > 0o777)
    throw new Mistake(`${shown(digits)}: there are only the nine permission bits, up to '0777'`);
  return bits;
}

/** The highest is no id but chown(2)'s way to say none. */
const MAX_ID = 0xffff_fffe;

/** A number written without sign, leading zeros or fractions. */
function id(value: unknown): number | undefined {
  const digits = value instanceof Unquoted ? value.source : value;
  if (typeof digits !== 'string' || !/^(0|[1-9]\d{0,9})$/.test(digits)) {
    if (value instanceof Unquoted)
      throw new Mistake(`${shown(value.source)} is no id; write a number from 0 to ${MAX_ID}`);
    return undefined;
  }
  if (Number(digits) > MAX_ID) throw new Mistake(`${digits} is no id; write a number from 0 to ${MAX_ID}`);
  return Number(digits);
}

/** As chown(1): a name first, then a number, which nobody need have. */
function userId(value: unknown, users: Users): number {
  const known = typeof value === 'string' ? users.byName(value)?.uid : undefined;
  const uid = known ?? id(value);
  if (uid !== undefined) return uid;
  throw new Mistake(`this machine has no user ${shown(text(value, 'a user'))}`);
}

function groupId(value: unknown, users: Users): number {
  const known = typeof value === 'string' ? users.groupId(value) : undefined;
  const gid = known ?? id(value);
  if (gid !== undefined) return gid;
  throw new Mistake(`this machine has no group ${shown(text(value, 'a group'))}`);
}

function endpoint(value: unknown): Endpoint {
  try {
    const parsed = parseEndpoint(text(value, 'unix!PATH or tcp!HOST!PORT'));
    if (parsed.kind !== 'stdio') return parsed;
    throw new Mistake('stdin and stdout are for the command line to serve: --listen -');
  } catch (error) {
    if (error instanceof EndpointError) throw new Mistake(error.message);
    throw error;
  }
}

function path(value: unknown): string {
  const path = text(value, 'a path');
  if (/[\0\n]/.test(path)) throw new Mistake('this is no path');
  return path;
}

function yesOrNo(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new Mistake('write true or false');
}

// ---- names ------------------------------------------------------------------------------------

function fileName(name: string): void {
  if (!FILES.includes(name)) throw new Mistake(unknownWord(name, FILES, 'file whose settings stand'));
}

function zoneName(name: string): void {
  if (isZoneName(name)) return;
  throw new Mistake(
    `${shown(name)} cannot be a zone's name; write up to 64 letters, digits and _ . + -, a letter, digit or _ first`,
  );
}

function userName(name: string): void {
  if (name === 'none') throw new Mistake("'none' is nobody, for whom nobody vouches");
  if (/^\d+$/.test(name)) throw new Mistake(`${shown(name)} would be a uid; clients claim names`);
  if (name.length > 256 || /[\s:/\x00-\x1f\x7f]/.test(name))
    throw new Mistake(`${shown(name)} cannot be a user's name`);
}

// ---- zones and users --------------------------------------------------------------------------

function zone(settings: ReturnType<typeof settingsShape>, around: Surroundings) {
  return object("{ mode: '0750', lines: '...' }, or { lines: '' } for an empty zone", {
    ...settings,
    lines: z.unknown().transform(zoneLines).optional(),
    include: list(z.unknown().transform((value, context) => included(value, context, around))).optional(),
  }).transform(({ mode, owner, group, lines, include }, context): ZoneSettings => {
    if (lines === undefined && include === undefined) {
      return mistaken(context, "a zone has lines or include; an empty one has lines: ''", { key: true });
    }
    const all = [lines ?? '', ...(include ?? [])].map(ended).join('');
    if (Buffer.byteLength(all) >= MOST_BYTES)
      mistaken(context, 'the zone has more than 16 MiB of lines', { key: true });
    return defined<ZoneSettings>({ mode: mode ?? ZONE_MODE, owner, group, lines: all });
  });
}

const ended = (lines: string): string => (lines === '' || lines.endsWith('\n') ? lines : `${lines}\n`);

function zoneLines(value: unknown, context: Context): string {
  if (typeof value !== 'string') return mistaken(context, "write | and the lines below it, or '' for none");
  for (const { line, column, reason } of zoneErrors(Buffer.from(value)).slice(0, MOST_ERRORS)) {
    mistaken(context, reason, { inside: { line, column } });
  }
  return value;
}

function included(value: unknown, context: Context, around: Surroundings): string {
  try {
    const { text, errors } = around.include(resolve(dirname(around.path), path(value)));
    for (const error of errors) mistaken(context, error.reason, { error });
    return text;
  } catch (error) {
    return mistaken(context, (error as Error).message);
  }
}

/** Another name for a user of the host, or one whom only the policy knows. */
function user(users: Users) {
  const group = leaf(value => groupId(value, users));
  const person = object('a user of this machine, or { uid: ..., gid: ..., groups: [...] }', {
    uid: leaf(value => uid(needed('uid', value))),
    gid: leaf(value => groupId(needed('gid', value), users)),
    groups: list(group).optional(),
  }).transform(({ uid, gid, groups = [] }) => ({ uid, gid, groups }));
  const alias = leaf(value => hostUser(value, users));
  // A union's error would only say that it is neither.
  return z.unknown().transform((value, context): Caller | Omit<Caller, 'name'> => {
    const result = (typeof value === 'string' ? alias : person).safeParse(value);
    if (result.success) return result.data;
    for (const issue of result.error.issues)
      context.issues.push({ ...issue, input: value } as z.core.$ZodRawIssue);
    return z.NEVER;
  });
}

function needed(name: string, value: unknown): unknown {
  if (value === undefined) throw new Mistake(`${name} is missing`);
  return value;
}

function uid(value: unknown): number {
  const uid = id(value);
  if (uid === undefined) throw new Mistake('write a number; who has a name on this machine is NAME: HISNAME');
  return uid;
}

function hostUser(value: unknown, users: Users): Caller {
  const name = text(value, 'a user');
  const user = users.byName(name);
  if (user === undefined) throw new Mistake(`this machine has no user ${shown(name)}`);
  return user;
}
