/** Files of the host's that anything may stand in the place of. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
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
import { Reread } from '../src/reread.ts';

describe('a file that is read again when it has changed', () => {
  let dir: string;
  let path: string;
  let file: Reread<string>;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'slashnet-reread-'));
    path = join(dir, 'hosts');
    file = new Reread(path, text => text);
  });

  afterEach(() => rmSync(dir, { recursive: true }));

  it('is parsed once for each content', () => {
    let parsed = 0;
    const counted = new Reread(path, text => `${++parsed} ${text}`);
    writeFileSync(path, 'a');
    assert.equal(counted.get(), '1 a');
    assert.equal(counted.get(), '1 a');
    appendFileSync(path, 'b');
    assert.equal(counted.get(), '2 ab');
    rmSync(path);
    assert.equal(counted.get(), '3 ');
    assert.equal(counted.get(), '3 ');
  });

  it('is empty where there is none, or a directory, a FIFO, a device, or a link to one or to itself', () => {
    assert.equal(file.get(), '');
    const places: (() => void)[] = [
      () => mkdirSync(path),
      () => execFileSync('mkfifo', [path]),
      () => symlinkSync('/dev/zero', path),
      () => symlinkSync('/dev/tty', path),
      () => symlinkSync(path, path),
      () => symlinkSync(join(dir, 'nothing'), path),
      () => symlinkSync(join(dir, 'file', 'below'), path),
      () => symlinkSync(dir, path),
    ];
    writeFileSync(join(dir, 'file'), 'x');
    for (const place of places) {
      writeFileSync(path, 'text');
      assert.equal(file.get(), 'text');
      rmSync(path);
      place();
      assert.equal(file.get(), '');
      assert.equal(file.get(), '');
      rmSync(path, { recursive: true });
    }
  });

  it('stays as it was where it cannot be read, and is tried again', () => {
    symlinkSync('/proc/self/mem', path);
    assert.equal(file.get(), '');
    rmSync(path);
    writeFileSync(path, 'text');
    assert.equal(file.get(), 'text');
    rmSync(path);
    symlinkSync('/proc/self/mem', path);
    assert.equal(file.get(), 'text');
    rmSync(path);
    assert.equal(file.get(), '');
  });

  it('is what its link leads to by now', () => {
    writeFileSync(join(dir, 'one'), '1');
    writeFileSync(join(dir, 'two'), '2');
    symlinkSync('one', path);
    assert.equal(file.get(), '1');
    symlinkSync('two', join(dir, 'new'));
    renameSync(join(dir, 'new'), path);
    assert.equal(file.get(), '2');
  });

  it('is read whole though it says that it has no size, as in /proc', () => {
    const status = new Reread('/proc/self/status', text => text);
    assert.match(status.get(), /^Name:.*\nvoluntary_ctxt_switches/ms);
  });

  it('is read to its last whole line of the first 16 MiB', () => {
    const line = `${'x'.repeat(1022)}\n`;
    writeFileSync(path, line.repeat(17 * 1024));
    const text = file.get();
    assert(text.length <= 16 * 1024 * 1024 && text.length > 16 * 1024 * 1024 - line.length);
    assert(text.endsWith(line));
    writeFileSync(path, 'x'.repeat(17 * 1024 * 1024));
    assert.equal(file.get(), '');
  });

  it('leaves no descriptor open', () => {
    const before = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 20; i++) {
      writeFileSync(path, String(i));
      assert.equal(file.get(), String(i));
    }
    assert.equal(readdirSync('/proc/self/fd').length, before);
  });
});
