/** A file that the log goes to, with whatever may be wrong with it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileSink } from '../../src/host/logfile.ts';
import type { LineSink } from '../../src/host/backlog.ts';
import { eventually } from '../support/fixture.ts';

const now = (): number => Date.UTC(2026, 10, 25);
const MISSED = /^time=2026-11-25T00:00:00.000Z missed=(\d+)$/;

describe('a file that the log goes to', () => {
  let dir: string;
  let path: string;
  let errors: Error[];
  let sink: LineSink | undefined;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    path = join(dir, 'log');
    errors = [];
  });
  afterEach(async () => {
    await sink?.close();
    rmSync(dir, { recursive: true });
  });

  const opened = (at = path, most?: number): LineSink =>
    (sink = fileSink(at, error => errors.push(error), { now, ...(most !== undefined && { most }) }));
  const content = (at = path): string => readFileSync(at, 'utf8');
  const has = (text: string, at = path): Promise<void> =>
    eventually(() =>
      Promise.resolve(statSync(at, { throwIfNoEntry: false }) !== undefined && content(at) === text),
    );

  it('gets each line, in their order, and is its owner’s alone', async () => {
    const { write } = opened();
    let expected = '';
    for (let n = 0; n < 5000; n++) {
      write(`n=${n}`);
      expected += `n=${n}\n`;
    }
    await has(expected);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(errors, []);
  });

  it('is appended to, and keeps the mode that it has', async () => {
    writeFileSync(path, 'before\n');
    chmodSync(path, 0o640);
    opened().write('after');
    await has('before\nafter\n');
    assert.equal(statSync(path).mode & 0o777, 0o640);
  });

  it('is made anew when it was moved away or removed', async () => {
    const { write } = opened();
    write('one');
    await has('one\n');
    renameSync(path, `${path}.1`);
    write('two');
    await has('two\n');
    unlinkSync(path);
    write('three');
    await has('three\n');
    assert.equal(content(`${path}.1`), 'one\n');
  });

  it('is opened again when that is asked for', async () => {
    const { write, reopen } = opened();
    write('one');
    await has('one\n');
    reopen();
    write('two');
    await has('one\ntwo\n');
  });

  it('goes on from the start after a copy was truncated', async () => {
    const { write } = opened();
    write('one');
    await has('one\n');
    writeFileSync(path, '');
    write('two');
    await has('two\n');
  });

  it('gets what is still on its way when it is closed', async () => {
    const { write, close } = opened();
    for (let n = 0; n < 1000; n++) write(`n=${n}`);
    await close();
    assert.equal(content().split('\n').length, 1001);
  });

  it('may not be there for a time: it is told once, and lines wait', async () => {
    const { write } = opened(join(dir, 'later', 'log'));
    write('one');
    await eventually(() => Promise.resolve(errors.length > 0));
    write('two');
    mkdirSync(join(dir, 'later'));
    await has('one\ntwo\n', join(dir, 'later', 'log'));
    assert.deepEqual(
      errors.map(error => (error as NodeJS.ErrnoException).code),
      ['ENOENT'],
    );
  });

  it('says how many lines were lost while it could not be written', async () => {
    const at = join(dir, 'later', 'log');
    const { write } = opened(at, 1000);
    for (let n = 0; n < 1000; n++) write(`n=${n} ${'x'.repeat(10)}`);
    await eventually(() => Promise.resolve(errors.length > 0));
    mkdirSync(join(dir, 'later'));
    await eventually(() =>
      Promise.resolve(
        statSync(at, { throwIfNoEntry: false }) !== undefined && content(at).includes('missed'),
      ),
    );
    write('after');
    await eventually(() => Promise.resolve(content(at).endsWith('after\n')));
    const lines = content(at).trimEnd().split('\n');
    const [missed] = lines.splice(-2);
    assert.equal(lines.length + Number(MISSED.exec(missed!)![1]), 1000);
    assert.ok(content(at).length < 1200);
  });

  it('may be on a full disk, which stops nobody', async () => {
    const { write, close } = opened('/dev/full', 10_000);
    for (let n = 0; n < 100_000; n++) write(`n=${n}`);
    await eventually(() => Promise.resolve(errors.length > 0));
    await close();
    assert.deepEqual(
      errors.map(error => (error as NodeJS.ErrnoException).code),
      ['ENOSPC'],
    );
  });

  it('may be a FIFO that nobody reads, and whose reader is slow: no line is torn', async () => {
    execFileSync('mkfifo', [path]);
    const { write } = opened();
    let expected = '';
    for (let n = 0; n < 5000; n++) {
      write(`n=${n} ${'x'.repeat(50)}`);
      expected += `n=${n} ${'x'.repeat(50)}\n`;
    }
    await eventually(() => Promise.resolve(errors.length > 0));
    assert.equal((errors[0] as NodeJS.ErrnoException).code, 'ENXIO');
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      let text = '';
      await eventually(() => {
        text += readSome(fd);
        return Promise.resolve(text.length >= expected.length);
      });
      assert.equal(text, expected);
    } finally {
      closeSync(fd);
    }
  });

  it('is no symbolic link', async () => {
    symlinkSync(join(dir, 'victim'), path);
    opened().write('one');
    await eventually(() => Promise.resolve(errors.length > 0));
    assert.equal((errors[0] as NodeJS.ErrnoException).code, 'ELOOP');
    assert.equal(statSync(join(dir, 'victim'), { throwIfNoEntry: false }), undefined);
  });
});

/** What a FIFO has, 1000 bytes at most. */
function readSome(fd: number): string {
  const bytes = Buffer.alloc(1000);
  try {
    return bytes.toString('utf8', 0, readSync(fd, bytes));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'EAGAIN');
    return '';
  }
}
