/** What SIGHUP does to a server. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isGone, until } from '../fuse/namespace.ts';
import { run } from './process.ts';

const BIN = new URL('../../bin/slashnet.js', import.meta.url).pathname;

describe('SIGHUP', () => {
  let dir: string;
  let at: string;
  let child: ChildProcess;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    at = `unix!${join(dir, 'sock')}`;
  });

  afterEach(() => {
    child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  });

  const serves = async (): Promise<boolean> => (await run(['ls', '--at', at, 'tcp'])).code === 0;

  /** Until it has said this word. */
  async function said(word: string): Promise<string> {
    let text = '';
    for await (const chunk of child.stdout!) {
      text += String(chunk);
      if (text.includes(word)) return text;
    }
    return assert.fail(`it ended without ${word}: ${text}`);
  }

  it('leaves a server without a terminal as it is: it looks at its groups again', async () => {
    const command = ['-c', 'exec "$@" 2>&1', 'sh', process.execPath, BIN, 'serve', '--listen', at];
    child = spawn('sh', command, { detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
    await said('try:');
    for (let i = 0; i < 3; i++) child.kill('SIGHUP');
    assert(await serves());
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });

  it('ends a server whose terminal is gone, and not one whose terminal is there', async () => {
    const serve = `echo pid $$; exec '${process.execPath}' '${BIN}' serve --listen '${at}'`;
    // script(1) gives it a terminal, which is hung up when script is killed.
    child = spawn('script', ['-qec', serve, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
    const pid = /pid (\d+)/.exec(await said('try:'))![1]!;
    process.kill(Number(pid), 'SIGHUP');
    assert(await serves());
    child.kill('SIGKILL');
    await until(() => isGone(pid));
    assert(!(await serves()));
  });
});
