/** What a policy that was read again changes. */
import assert from 'node:assert/strict';
import { differences, loadPolicy, type Policy } from '../../src/policy/config/index.ts';
import { ALICE, people, TEAM } from '../support/callers.ts';

async function policy(text: string): Promise<Policy> {
  const loaded = await loadPolicy('/p/policy.yaml', { users: people, read: () => Buffer.from(text) });
  assert('policy' in loaded);
  return loaded.policy;
}

const between = async (before: string | undefined, after: string) =>
  differences(before === undefined ? undefined : await policy(before), await policy(after));

const FULL = `
listen: unix!/run/a
mount: /net
files: { dns: { mode: '0666' }, cs: { owner: alice, group: team } }
zones: { a: { lines: '' }, b: { mode: '0755', lines: resolve * } }
users: { boss: alice }
log: { syslog: true }
`;

describe('the difference between two policies', () => {
  it('is nothing between one and the same, so that live changes stay', async () => {
    assert.deepEqual(await between(FULL, FULL), []);
    assert.deepEqual(await between(FULL, FULL.replace('{ dns', '\n  # a comment\n  { dns')), []);
    assert.deepEqual(await between(undefined, '{}'), []);
  });

  it('is at first all that there is', async () => {
    assert.deepEqual(await between(undefined, FULL), [
      { kind: 'file', path: 'dns', set: { mode: 0o666 } },
      { kind: 'file', path: 'cs', set: { owner: ALICE.uid, group: TEAM } },
      { kind: 'zone added', name: 'a', zone: { mode: 0o700, lines: '' } },
      { kind: 'zone added', name: 'b', zone: { mode: 0o755, lines: 'resolve *\n' } },
      { kind: 'users' },
      { kind: 'log' },
      { kind: 'listen' },
      { kind: 'mount' },
    ]);
  });

  it('has of a file what is new or other, and leaves what is not said any more', async () => {
    const before =
      "files: { dns: { mode: '0600', group: team }, cs: { mode: '0600' }, ndb: { mode: '0644' } }";
    const after = "files: { dns: { mode: '0660' }, cs: { mode: '0600', owner: alice } }";
    assert.deepEqual(await between(before, after), [
      { kind: 'file', path: 'dns', set: { mode: 0o660 } },
      { kind: 'file', path: 'cs', set: { owner: ALICE.uid } },
    ]);
  });

  it('has of a zone what is other, those that are gone first', async () => {
    const before =
      "zones: { a: { lines: '' }, b: { lines: resolve * }, c: { mode: '0755', owner: alice, lines: '' } }";
    const after = "zones: { b: { lines: resolve x }, c: { lines: '' }, d: { lines: '' } }";
    assert.deepEqual(await between(before, after), [
      { kind: 'zone removed', name: 'a' },
      { kind: 'zone changed', name: 'b', set: { lines: 'resolve x\n' } },
      // A zone of which no mode is given has 0700.
      { kind: 'zone changed', name: 'c', set: { mode: 0o700 } },
      { kind: 'zone added', name: 'd', zone: { mode: 0o700, lines: '' } },
    ]);
  });

  it('tells of users, log and doors as a whole', async () => {
    const kinds = (
      await between(
        FULL,
        "files: {}\nusers: { boss: bob }\nmount: [/net, /n]\nzones: { a: { lines: '' }, b: { mode: '0755', lines: resolve * } }",
      )
    ).map(({ kind }) => kind);
    assert.deepEqual(kinds, ['users', 'log', 'listen', 'mount']);
  });
});
