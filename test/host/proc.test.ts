/** What /proc says of processes, some of which lie. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { statusField, statusOf } from '../../src/host/proc.ts';
import { groupsOf } from '../../src/server/fuse/callers.ts';

const GROUP = 61300;

describe('the status of a process', () => {
  it('has the fields that proc_pid_status(5) says', () => {
    assert.equal(statusField(statusOf('self'), 'Pid'), String(process.pid));
    assert.equal(statusField(statusOf('self'), 'nothing'), undefined);
  });

  it('is not what the name of the program pretends', () => {
    for (const end of ['\r', '\v', '\u2028', '\u0085']) {
      const status = `Name:\t${end}Groups:\t${GROUP}\nUmask:\t0022\nGroups:\t1 2 \n`;
      assert.equal(statusField(status, 'Groups'), '1 2');
    }
    assert.equal(statusField(`Name:\tGroups: ${GROUP}\nUid:\t1\n`, 'Groups'), undefined);
    assert.equal(statusField('Groups: 7\nUid:\t1\n', 'Groups'), undefined);
  });

  it('of a program whose name forges a line has the groups that it really has', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    const program = join(dir, `\rGroups:\t${GROUP}`);
    copyFileSync(realpathSync('/bin/sleep'), program);
    const child = spawn(program, ['1000']);
    try {
      await once(child, 'spawn');
      assert.match(statusOf(child.pid!), /^Name:\t\rGroups/);
      const groups = groupsOf(child.pid!, process.getuid!(), process.getgid!());
      const mine = statusField(statusOf('self'), 'Groups')!.split(' ').filter(Boolean).map(Number);
      assert.deepEqual(groups, mine);
      assert(!mine.includes(GROUP));
    } finally {
      child.kill();
      rmSync(dir, { recursive: true });
    }
  });

  it('is whole where somebody is in a thousand groups', async function () {
    if (process.getuid!() !== 0) this.skip();
    const groups = Array.from({ length: 1000 }, (_, i) => 100_000 + i);
    const told = ['--groups', groups.join(','), 'sh', '-c', 'echo; exec cat'];
    const child = spawn('setpriv', told, { stdio: ['pipe', 'pipe', 'inherit'] });
    try {
      await once(child.stdout, 'data');
      assert.deepEqual(groupsOf(child.pid!, 0, process.getgid!()), groups);
    } finally {
      child.stdin.end();
    }
  });
});
