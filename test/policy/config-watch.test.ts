/** A policy file and what it includes, edited as editors and administrators do. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { watchPolicy, type PolicyWatch } from '../../src/policy/config/index.ts';

describe('watching a policy file', () => {
  let top: string;
  let dir: string;
  let path: string;
  let watching: PolicyWatch | undefined;
  let told = 0;
  let wake: () => void = () => {};

  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), 'slashnet-watch-'));
    dir = join(top, 'etc');
    path = join(dir, 'policy.yaml');
    mkdirSync(dir);
    writeFileSync(path, 'one');
    told = 0;
  });

  afterEach(() => {
    watching?.close();
    rmSync(top, { recursive: true });
  });

  function start(includes: string[] = [], file = path): void {
    watching = watchPolicy(
      file,
      includes,
      () => {
        told++;
        wake();
      },
      { settle: 5 },
    );
  }

  /** Does something, and waits until a change is told. */
  async function seen(act: () => void): Promise<void> {
    const change = new Promise<void>(resolve => (wake = resolve));
    act();
    await change;
  }

  function replace(file: string, text: string): void {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  }

  it('tells when it is written in place, again and again', async () => {
    start();
    for (const text of ['two', 'three', 'four']) await seen(() => writeFileSync(path, text));
  });

  it('tells when another is renamed over it, again and again', async () => {
    start();
    for (const text of ['two', 'three', 'four']) await seen(() => replace(path, text));
    await seen(() => appendFileSync(path, 'five'));
  });

  it('tells when it is removed, and when it comes back', async () => {
    start();
    await seen(() => rmSync(path));
    await seen(() => writeFileSync(path, 'two'));
  });

  it('counts what happens at once as one change', async () => {
    start();
    await seen(() => {
      for (let i = 0; i < 50; i++) replace(path, String(i));
    });
    assert.equal(told, 1);
  });

  it('tells when an included file is changed, in whatever directory', async () => {
    mkdirSync(join(top, 'zones'));
    const zone = join(top, 'zones', 'web');
    start([zone]);
    await seen(() => writeFileSync(zone, 'one'));
    await seen(() => replace(zone, 'two'));
    await seen(() => replace(path, 'two'));
  });

  it('goes by the files of the last update, and tells once more, for they may have changed before', async () => {
    mkdirSync(join(top, 'zones'));
    const zone = join(top, 'zones', 'web');
    start();
    await seen(() => watching!.update([zone]));
    await seen(() => writeFileSync(zone, 'one'));
    watching!.update([zone]);
    assert.equal(told, 2);
  });

  it('tells when the directory is removed, replaced, or one above it is', async () => {
    start();
    await seen(() => rmSync(dir, { recursive: true }));
    await seen(() => {
      mkdirSync(join(top, 'new'));
      writeFileSync(join(top, 'new', 'policy.yaml'), 'two');
      renameSync(join(top, 'new'), dir);
    });
    await seen(() => replace(path, 'three'));
    await seen(() => {
      renameSync(dir, join(top, 'old'));
      mkdirSync(dir);
      writeFileSync(path, 'four');
    });
    await seen(() => replace(path, 'five'));
  });

  it('finds a file in directories that do not exist yet', async () => {
    const deep = join(top, 'a', 'b', 'policy.yaml');
    start([], deep);
    await seen(() => {
      mkdirSync(join(top, 'a', 'b'), { recursive: true });
      writeFileSync(deep, 'one');
    });
    await seen(() => replace(deep, 'two'));
  });

  it('follows links: to another file, to one that is edited, and by a directory that is swapped', async () => {
    const link = join(top, 'link.yaml');
    writeFileSync(join(top, 'other'), 'other');
    symlinkSync(path, link);
    start([], link);
    await seen(() => writeFileSync(path, 'two'));
    await seen(() => {
      symlinkSync(join(top, 'other'), `${link}.new`);
      renameSync(`${link}.new`, link);
    });
    await seen(() => appendFileSync(join(top, 'other'), 'more'));
    watching!.close();
    // As Kubernetes mounts its ConfigMaps.
    for (const version of ['v1', 'v2']) {
      mkdirSync(join(top, version));
      writeFileSync(join(top, version, 'policy.yaml'), version);
    }
    symlinkSync('v1', join(top, '..data'));
    symlinkSync('..data/policy.yaml', join(top, 'mapped.yaml'));
    start([], join(top, 'mapped.yaml'));
    await seen(() => {
      symlinkSync('v2', join(top, '..new'));
      renameSync(join(top, '..new'), join(top, '..data'));
    });
  });

  it('does not care about other files beside it', async () => {
    start();
    // Another that watches the same directory, and was told of everything later.
    let other: PolicyWatch | undefined;
    await new Promise<void>(resolve => {
      other = watchPolicy(join(dir, 'other'), [], resolve, { settle: 20 });
      writeFileSync(join(dir, 'other'), 'x');
    });
    other!.close();
    assert.equal(told, 0);
    await seen(() => replace(path, 'two'));
  });

  it('leaves nothing open, and tells nothing, once it is closed', () => {
    const before = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 20; i++) {
      start();
      replace(path, String(i));
      watching!.close();
    }
    assert(readdirSync('/proc/self/fd').length <= before + 1);
    assert.equal(told, 0);
  });
});
