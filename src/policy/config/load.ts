/** From a policy file's path to what it says, or to all that is wrong with it. */
import { isUtf8 } from 'node:buffer';
import type { z } from 'zod';
import type { Users } from '../identity.ts';
import { zoneErrors } from '../lines.ts';
import type { Document, Path } from './document.ts';
import type { FileSettings, Policy, PolicyError } from './policy.ts';
import { MOST_ERRORS, readWhole, whyUnreadable } from './reading.ts';
import { Lines } from './rows.ts';
import type { Exactly, Included, PolicyData } from './schema.ts';
import { plain } from './words.ts';

export interface LoadOptions {
  /** Who is who; names in the file are looked up here. */
  readonly users: Users;
  /** The content of a file; throws if there is none. By default it reads plain files of up to 16 MiB and never waits. */
  readonly read?: (path: string) => Buffer;
}

export type Loaded =
  | { readonly policy: Policy }
  /** In the order of their places. `includes` as in a policy: a change of any may mend it. */
  | { readonly errors: readonly PolicyError[]; readonly includes: readonly string[] };

/** Reads a policy file and what it includes. Never throws for what a file holds or that it cannot be read. */
export async function loadPolicy(path: string, { users, read = readWhole }: LoadOptions): Promise<Loaded> {
  const file = new PolicyFile(path, users, read);
  const policy = await file.load();
  return policy === undefined
    ? { errors: file.sortedErrors(), includes: [...file.included.keys()] }
    : { policy };
}

class PolicyFile {
  readonly included = new Map<string, Included | Error>();
  private readonly path: string;
  private readonly users: Users;
  private readonly read: (path: string) => Buffer;
  private readonly errors: PolicyError[] = [];

  constructor(path: string, users: Users, read: (path: string) => Buffer) {
    this.path = path;
    this.users = users;
    this.read = read;
  }

  async load(): Promise<Policy | undefined> {
    const text = this.text();
    if (text === undefined) return undefined;
    // YAML and the schema take their time to load, and most runs never need them.
    const { readDocument } = await import('./document.ts');
    const document = readDocument(text);
    for (const { offset, reason } of document.faults) this.fault(document, offset, reason);
    if (document.value === undefined) return undefined;
    const { policySchema } = await import('./schema.ts');
    const schema = policySchema({ path: this.path, users: this.users, include: path => this.include(path) });
    const result = schema.safeParse(document.value);
    for (const issue of result.error?.issues ?? []) this.issue(document, issue);
    return this.errors.length > 0 || !result.success ? undefined : this.policy(result.data);
  }

  private policy(data: PolicyData): Policy {
    const { files, zones, users, listen, mount, log } = data;
    return {
      files: new Map([...files].map(([name, settings]) => [name, given(settings)])),
      zones,
      users: new Map([...users].map(([name, user]) => [name, { name, ...user }])),
      listen,
      mount,
      log,
      includes: [...this.included.keys()],
    };
  }

  /** The policy file's text; undefined, and the reason told, where it has none. */
  private text(): string | undefined {
    try {
      const bytes = this.read(this.path);
      // What editors on other systems put first is no character of the file.
      const text = bytes.toString('utf8').replace(/^\ufeff/, '');
      if (isUtf8(bytes)) return text;
      this.add({ file: this.path, ...firstBad(bytes), reason: 'this is not UTF-8' });
    } catch (error) {
      this.add({ file: this.path, line: 1, column: 1, reason: whyUnreadable(error) });
    }
    return undefined;
  }

  /** Zones may share a file: it is read once. */
  private include(path: string): Included {
    let included = this.included.get(path);
    if (included === undefined) this.included.set(path, (included = this.readInclude(path)));
    if (included instanceof Error) throw included;
    return included;
  }

  private readInclude(path: string): Included | Error {
    try {
      const bytes = this.read(path);
      const errors = zoneErrors(bytes).slice(0, MOST_ERRORS);
      const text = bytes.toString('utf8');
      return {
        text,
        errors: errors.map(({ line, column, reason }) => ({ file: path, line, column, reason })),
      };
    } catch (error) {
      return new Error(`${plain(path)}: ${whyUnreadable(error)}`);
    }
  }

  // ---- errors ---------------------------------------------------------------------------------

  private issue(document: Document, issue: z.core.$ZodIssue): void {
    const { path } = issue;
    if (issue.code === 'unrecognized_keys') {
      const reasons = issue.message.split('\n');
      for (const [i, key] of issue.keys.entries())
        this.fault(document, document.keyAt([...path, key]), reasons[i]!);
      return;
    }
    const { key, inside, error } = (issue.code === 'custom' ? (issue.params ?? {}) : {}) as Exactly;
    if (error !== undefined) this.add(error);
    else if (inside !== undefined) this.inside(document, path, inside, issue.message);
    else if (key === true) this.fault(document, document.keyAt(path), issue.message);
    else if (!document.isRefused(document.valueAt(path))) {
      this.fault(document, document.valueAt(path), issue.message);
    }
  }

  private inside(document: Document, path: Path, at: NonNullable<Exactly['inside']>, reason: string): void {
    const { line, column } = at;
    const offset = document.insideAt(path, line, column);
    if (offset !== undefined) this.fault(document, offset, reason);
    else this.fault(document, document.valueAt(path), `in line ${line}, column ${column} of this: ${reason}`);
  }

  private fault(document: Document, offset: number, reason: string): void {
    this.add({ file: this.path, ...document.lines.at(offset), reason });
  }

  private add(error: PolicyError): void {
    this.errors.push({ ...error, reason: plain(error.reason) });
  }

  /** One for each place, the first that was found: what was refused as YAML is not what else is wrong with it. */
  sortedErrors(): PolicyError[] {
    const first = new Map<string, PolicyError>();
    for (const error of this.errors) {
      const place = `${error.file}\0${error.line}:${error.column}`;
      if (!first.has(place)) first.set(place, error);
    }
    const rank = (file: string): string => (file === this.path ? '' : file);
    return [...first.values()]
      .sort((a, b) => compare(rank(a.file), rank(b.file)) || a.line - b.line || a.column - b.column)
      .slice(0, MOST_ERRORS);
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Without the fields that are undefined. */
function given(settings: { [K in keyof FileSettings]?: number | undefined }): FileSettings {
  const { mode, owner, group } = settings;
  return {
    ...(mode === undefined ? {} : { mode }),
    ...(owner === undefined ? {} : { owner }),
    ...(group === undefined ? {} : { group }),
  };
}

/** Where bytes stop being UTF-8. */
function firstBad(bytes: Buffer): { line: number; column: number } {
  const text = bytes.toString('utf8');
  const again = Buffer.from(text);
  let same = 0;
  while (same < bytes.length && bytes[same] === again[same]) same++;
  return new Lines(text).at(bytes.toString('utf8', 0, same).length);
}
