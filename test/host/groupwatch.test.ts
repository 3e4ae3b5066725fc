/** Hearing that the files of users and groups have changed. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { watchGroups, type GroupWatch } from '../../src/host/groupwatch.ts';
import { silent } from '../../src/log.ts';

const SOURCE = new URL('../../src/host/groupwatch.ts', import.meta.url).href;

describe('a watch on the files of groups', () => {
  let dir: string;
  let watch: GroupWatch | undefined;
  let calls: number;
  let called: () => void;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    for (const file of ['group', 'passwd', 'hosts']) writeFileSync(join(dir, file), 'before\n');
    calls = 0;
  });

  afterEach(() => {
    watch?.close();
    watch = undefined;
    rmSync(dir, { recursive: true, force: true });
  });

  const start = (): void => {
    watch = watchGroups(
      () => {
        calls++;
        called();
      },
      { dir },
    );
  };

  const next = (): Promise<void> => new Promise(resolve => (called = resolve));

  /** As usermod(8) does. */
  function replace(file: string): void {
    writeFileSync(join(dir, `${file}+`), 'after\n');
    renameSync(join(dir, `${file}+`), join(dir, file));
  }

  for (const file of ['group', 'passwd']) {
    it(`tells of a ${file} that was replaced, each time`, async () => {
      start();
      for (let i = 0; i < 2; i++) {
        const told = next();
        replace(file);
        await told;
      }
    });

    it(`tells of a ${file} that was written in place`, async () => {
      start();
      const told = next();
      writeFileSync(join(dir, file), 'after\n');
      await told;
    });
  }

  it('tells once of many changes in a row, and nothing of other files', async () => {
    start();
    const told = next();
    for (let i = 0; i < 20; i++) replace('hosts');
    for (let i = 0; i < 20; i++) replace(i % 2 === 0 ? 'group' : 'passwd');
    await told;
    const again = next();
    replace('hosts');
    replace('group');
    await again;
    assert.equal(calls, 2);
  });

  it('tells nothing when it is closed, of what had changed neither', async () => {
    start();
    called = () => assert.fail('it was closed');
    replace('group');
    watch?.close();
    // Another, which hears of what comes later.
    await new Promise<void>(resolve => {
      const other = watchGroups(
        () => {
          other.close();
          resolve();
        },
        { dir },
      );
      replace('group');
    });
    assert.equal(calls, 0);
  });

  it('where there is no directory says so in the log, and is no failure', () => {
    const warnings: object[] = [];
    watch = watchGroups(() => {}, {
      dir: join(dir, 'no'),
      log: { ...silent, warn: fields => void warnings.push(fields) },
    });
    assert.equal(warnings.length, 1);
  });

  it('keeps no process alive, not after a change either', async () => {
    const script = `
      import { renameSync, writeFileSync } from 'node:fs';
      import { watchGroups } from '${SOURCE}';
      watchGroups(() => {}, { dir: '${dir}' });
      writeFileSync('${dir}/new', ''); renameSync('${dir}/new', '${dir}/group');
      setImmediate(() => {});
    `;
    await promisify(execFile)(process.execPath, ['--import=tsx', '--input-type=module', '-e', script], {
      timeout: 15_000,
    });
  });
});
