/**
 * Users of a FUSE mount who are users to the kernel: processes with uids, gids and supplementary groups of
 * the test's choice, which need not be in /etc/passwd, and a user database that the test changes. Only
 * root can make them: the titles of tests that were left out say so.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { Caller, Users } from '../../src/policy/identity.ts';
import type { ServerOptions } from '../../src/server/server.ts';
import { ALICE, BOB, CAROL, GLENDA, people } from './callers.ts';
import { onFuse, type FuseFixture } from './fixture.ts';

/** A user database of made-up people, which can be changed as usermod(8) would. */
export class UserDatabase implements Users {
  private readonly entries = new Map<number, Caller>([GLENDA, ALICE, BOB, CAROL].map(who => [who.uid, who]));
  /** How often somebody was looked up. */
  lookups = 0;

  byName(name: string): Caller | undefined {
    this.lookups++;
    return [...this.entries.values()].find(each => each.name === name);
  }

  byId(uid: number): Caller | undefined {
    this.lookups++;
    return this.entries.get(uid);
  }

  userName(uid: number): string {
    return people.userName(uid);
  }

  groupName(gid: number): string {
    return people.groupName(gid);
  }

  groupId(name: string): number | undefined {
    return people.groupId(name);
  }

  /** He is in these groups from now on, and in his primary one. */
  setGroups(who: Caller, ...groups: number[]): void {
    this.entries.set(who.uid, { ...who, groups: [who.gid, ...groups] });
  }

  remove({ uid }: Caller): void {
    this.entries.delete(uid);
  }
}

/** A server of Glenda's, mounted for everybody; each test has a database of its own. */
export function withRealUsers(
  subject: string,
  define: (t: FuseFixture, database: () => UserDatabase) => void,
  options: ServerOptions = {},
): void {
  let database: UserDatabase;
  onFuse(
    subject,
    t => define(t, () => database),
    () => ({ owner: GLENDA, ...options, users: (database = new UserDatabase()) }),
  );
}

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a shell script in the mounted directory, by setpriv(1) as this caller. */
export async function shellAs(
  t: FuseFixture,
  { uid, gid, groups = [] }: Pick<Caller, 'uid' | 'gid' | 'groups'>,
  script: string,
): Promise<Outcome> {
  const { pid, dir } = t.inside;
  const others = groups.length > 0 ? `--groups=${groups.join(',')}` : '--clear-groups';
  const enter = ['-t', String(pid), '-m', `--wdns=${dir}`];
  const become = ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, others];
  const child = spawn('nsenter', [...enter, ...become, 'sh', '-c', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C' },
  });
  const [[code], stdout, stderr] = await Promise.all([
    once(child, 'close') as Promise<[number | null]>,
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code, stdout, stderr };
}
