/** A server of Glenda's whose files everybody may use, and whose zones hold only what a test writes. */
import type { Caller } from '../../src/policy/identity.ts';
import type { ServerOptions } from '../../src/server/server.ts';
import { ALICE, BOB, CAROL, GLENDA, people } from './callers.ts';
import { forEachDoor, type Fixture, type Protocol } from './fixture.ts';
import type { OpenFile, Tree } from './tree.ts';

export const DENIED = ['permission denied', 'EACCES'] as const;
/** chmod(2) and chown(2) of what is another's. */
export const NOT_OWNER = ['permission denied', 'EPERM'] as const;

export interface People {
  glenda: Tree;
  /** In the group `team`, as Bob is. */
  alice: Tree;
  bob: Tree;
  carol: Tree;
}

/** Runs a suite by each door; each test begins with no zone, and with clone, cs and dns for everybody. */
export function withZones(
  subject: string,
  define: (t: Fixture, by: People) => void,
  options: () => ServerOptions = () => ({}),
): void {
  forEachDoor(
    subject,
    t => {
      const by = {} as People;
      beforeEach(async () => {
        await lend(t);
        const [alice, bob, carol] = await Promise.all([ALICE, BOB, CAROL].map(who => t.as(who)));
        Object.assign(by, { glenda: t.client, alice, bob, carol });
      });
      define(t, by);
    },
    () => ({ owner: GLENDA, users: people, ...options() }),
  );
}

export async function lend(t: Fixture): Promise<void> {
  await t.client.remove('zone/all');
  for (const file of ['tcp/clone', 'udp/clone', 'cs', 'dns']) await t.client.chmod(file, 0o666);
}

export interface Made {
  readonly mode?: number;
  readonly owner?: Caller;
  readonly group?: number;
}

/** A zone of Glenda's with these lines, in place of what it had; everybody's to pass by default. */
export async function zone(
  t: Fixture,
  name: string,
  lines: readonly string[],
  { mode = 0o755, ...whose }: Made = {},
): Promise<void> {
  await t.client.writeFile(`zone/${name}`, lines.map(line => `${line}\n`).join(''), { create: true });
  await t.client.setStat(`zone/${name}`, { ...idsOf(t, whose) });
  await t.client.chmod(`zone/${name}`, mode);
}

/** Owner and group, by name in 9P2000 and by number else. */
export function idsOf(t: Fixture, { owner, group }: Pick<Made, 'owner' | 'group'>) {
  const plain = t.door === '9P2000';
  return {
    ...(owner && { uid: plain ? owner.name : owner.uid }),
    ...(group !== undefined && { gid: plain ? people.groupName(group) : group }),
  };
}

/** What /net/log says of it, a line each that holds all of `words`. */
export function logged(t: Fixture, ...words: string[]): string[] {
  const { lines } = t.server.net.journal;
  const text = Buffer.alloc(lines.end - lines.start);
  lines.copy(lines.start, text);
  return text
    .toString()
    .split('\n')
    .filter(line => words.every(word => line.includes(word)));
}

/** Connects as this client; the error is the dial's. */
export async function dials(
  t: Fixture,
  client: Tree,
  destination: string,
  protocol: Protocol = 'tcp',
): Promise<{ readonly dir: string; readonly ctl: OpenFile }> {
  return t.tell(`connect ${destination}`, client as typeof t.client, protocol);
}

/** Why a dial was refused, by `err` of its conversation. */
export async function whyNot(
  t: Fixture,
  client: Tree,
  message: string,
  protocol: Protocol = 'tcp',
): Promise<string> {
  const { ctl, dir } = await t.clone(client as typeof t.client, 'rw', protocol);
  await t.refuses(ctl.write(message), ...DENIED);
  const why = await t.text(`${dir}/err`, client as typeof t.client);
  await ctl.close();
  return why;
}
