/** A policy file that is followed: every change is read, one reading at a time. */
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silent } from '../../src/log.ts';
import type { Loaded } from '../../src/policy/config/index.ts';
import { PolicyFile } from '../../src/server/policyfile.ts';
import { people } from '../support/callers.ts';
import { until } from './rig.ts';

describe('a policy file that is followed', () => {
  let dir: string;
  let path: string;
  let file: PolicyFile;
  let seen: string[];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    path = join(dir, 'policy.yaml');
    seen = [];
    put('a');
    file = new PolicyFile(path, people, silent);
  });
  afterEach(() => {
    file.close();
    rmSync(dir, { recursive: true });
  });

  function put(zone: string): void {
    writeFileSync(`${path}.new`, `zones: { ${zone}: { lines: '' } }`);
    renameSync(`${path}.new`, path);
  }

  const note = (loaded: Loaded): void =>
    void seen.push('errors' in loaded ? 'errors' : [...loaded.policy.zones!.keys()].join());

  it('is told of at each change, what is wrong with it, too', async () => {
    await file.load();
    file.follow(note);
    put('b');
    await until(() => seen.at(-1) === 'b');
    writeFileSync(path, 'zones: 1');
    await until(() => seen.at(-1) === 'errors');
    rmSync(path);
    put('c');
    await until(() => seen.at(-1) === 'c');
  });

  it('misses no change between the first reading and the time when it is followed', async () => {
    const loaded = await file.load();
    put('b');
    note(loaded);
    await file.reload();
    assert.deepEqual(seen, ['a']);
    file.follow(note);
    await until(() => seen.length === 2);
    assert.deepEqual(seen, ['a', 'b']);
  });

  it('is read once more, and not more, however often that is asked for while it is read', async () => {
    await file.load();
    file.follow(note);
    await Promise.all([file.reload(), file.reload(), file.reload(), file.reload()]);
    assert.deepEqual(seen, ['a', 'a']);
  });

  it('is told of no more when it is closed', async () => {
    await file.load();
    file.follow(note);
    const reading = file.reload();
    file.close();
    await reading;
    assert.deepEqual(seen, []);
  });
});
