/** What is written as a policy file is read as the same. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Endpoint } from '../../src/endpoint.ts';
import {
  FILES,
  formatPolicy,
  loadPolicy,
  type FileSettings,
  type Policy,
  type ZoneSettings,
} from '../../src/policy/config/index.ts';
import { zoneErrors } from '../../src/policy/lines.ts';
import { ALICE, BOB, people, TEAM } from '../support/callers.ts';

async function read(text: string): Promise<Policy> {
  const loaded = await loadPolicy('/p/policy.yaml', { users: people, read: () => Buffer.from(text) });
  if ('errors' in loaded) assert.fail(`${text}\n${JSON.stringify(loaded.errors)}`);
  return loaded.policy;
}

const optional = { requiredKeys: [] as never[], noNullPrototype: true };
const id = fc.integer({ min: 0, max: 0xffff_fffe });
const mode = fc.integer({ min: 0, max: 0o777 });
const settings = fc.record({ mode, owner: id, group: id }, optional);
const line = fc.oneof(
  fc.constantFrom(
    'connect tcp!*.github.com!22,443',
    '  resolve *',
    'announce tcp!*!8000-8999 # ours',
    '',
    '\t',
    '# - ? : | > & * ! %',
    '---',
  ),
  fc.string({ unit: 'grapheme', maxLength: 20 }).map(text => `# ${text}`),
);
/** As a zone has them: those that would be errors are left out. */
const lines = fc.array(line, { maxLength: 6 }).map(all =>
  all
    .filter(each => zoneErrors(Buffer.from(each)).length === 0)
    .map(each => `${each}\n`)
    .join(''),
);
const zone = fc
  .tuple(settings, mode, lines)
  .map(([rest, mode, lines]): ZoneSettings => ({ ...rest, mode, lines }));
const zoneName = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,12}$/),
  fc.constantFrom('null', 'true', '0x1f', '1e3', '600', '0o17', '__proto__', 'no'),
);
const path = fc.stringMatching(/^\/[ -~é\u2028]{0,20}$/).map(text => text.replace(/\/+/g, '/'));
const endpoint = fc.oneof(
  path.map((path): Endpoint => ({ kind: 'unix', path })),
  fc.integer({ min: 0, max: 65535 }).map((port): Endpoint => ({ kind: 'tcp', host: '::1', port })),
);
const userName = fc
  .stringMatching(/^[a-z'"{}*&!|>%@-][a-z0-9'"#*{} -]{0,10}$/)
  .filter(name => !/\s|^none$|^\d+$/.test(name));
const user = fc.oneof(
  fc.constantFrom(ALICE, BOB),
  fc.record({ uid: id, gid: id, groups: fc.array(id, { maxLength: 3 }) }, { noNullPrototype: true }),
);

const policies = fc
  .record({
    files: fc.array(fc.tuple(fc.constantFrom(...FILES), settings)),
    zones: fc.option(fc.array(fc.tuple(zoneName, zone)), { nil: undefined }),
    users: fc.array(fc.tuple(userName, user)),
    listen: fc.option(fc.array(endpoint, { maxLength: 3 }), { nil: undefined }),
    mount: fc.option(fc.array(path, { maxLength: 3 }), { nil: undefined }),
    log: fc.record({ file: fc.constant('/var/log/"net".log'), syslog: fc.boolean() }, optional),
  })
  .map(({ files, zones, users, ...rest }): Policy => ({
    ...rest,
    files: new Map<string, FileSettings>(files),
    zones: zones && new Map(zones),
    users: new Map(users.map(([name, who]) => [name, 'name' in who ? who : { name, ...who }])),
    includes: [],
  }));

describe('a policy written as a file', () => {
  it('is the same when it is read', async () => {
    await fc.assert(
      fc.asyncProperty(policies, async policy => assert.deepEqual(await read(formatPolicy(policy)), policy)),
      { numRuns: 300 },
    );
  });

  it('quotes modes and names, and has its lines in a block', () => {
    const text = formatPolicy({
      files: new Map([['tcp/clone', { mode: 0o60, owner: 'root', group: 'no' }]]),
      zones: new Map([
        ['github', { mode: 0o750, group: 100, lines: '# git\n\nconnect tcp!github.com!22,443\n' }],
      ]),
    });
    assert.equal(
      text,
      `files:
  tcp/clone: { mode: '0060', owner: "root", group: "no" }
zones:
  github:
    mode: '0750'
    group: 100
    lines: |
      # git

      connect tcp!github.com!22,443
`,
    );
  });

  it('is {} where it says nothing, for an empty file is refused', () =>
    assert.equal(formatPolicy({}), '{}\n'));

  it('has names that a server gives, and numbers that it gives in place of names', async () => {
    const text = formatPolicy({
      files: new Map([
        ['dns', { owner: 'alice', group: 'team' }],
        ['cs', { owner: '12', group: '34' }],
      ]),
    });
    assert.deepEqual(
      (await read(text)).files,
      new Map([
        ['dns', { owner: ALICE.uid, group: TEAM }],
        ['cs', { owner: 12, group: 34 }],
      ]),
    );
  });

  it('moves no cursor, whatever a server says', () => {
    const evil = 'a\x1b[2J\u009b\u202e\r\nb';
    const text = formatPolicy({
      mount: [evil],
      files: new Map([[evil, { mode: 0, owner: evil }]]),
      zones: new Map([[evil, { lines: `${evil}\n` }]]),
      log: { file: evil },
    });
    assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
    assert.equal(text.trimEnd().split('\n').length, 7);
  });
});
