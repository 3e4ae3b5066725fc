/** /net/log in files and in the system's log besides. docs/log.md. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silent } from '../../src/log.ts';
import { Journal } from '../../src/netfs/log.ts';
import { LogSinks, SYSLOG } from '../../src/server/logsinks.ts';
import { until } from './rig.ts';

describe('the sinks of a log', () => {
  let dir: string;
  let journal: Journal;
  let sinks: LogSinks;
  let failures: object[];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    journal = new Journal({ now: Date.now });
    failures = [];
    const log = { ...silent, error: (fields: object) => void failures.push(fields) };
    sinks = new LogSinks({ journal, log, syslogPath: join(dir, 'dev-log') });
  });
  afterEach(async () => {
    await sinks.close(AbortSignal.timeout(1000));
    rmSync(dir, { recursive: true });
  });

  const at = (name: string): string => join(dir, name);
  const numbers = (name: string): string[] =>
    existsSync(at(name)) ? (readFileSync(at(name), 'utf8').match(/n=\d+/g) ?? []) : [];

  it('are files, each with every line from when it is named to when it is not any more', async () => {
    journal.write({ n: 0 });
    sinks.use([at('a')]);
    journal.write({ n: 1 });
    sinks.use([at('b'), at('a'), at('a')]);
    journal.write({ n: 2 });
    sinks.use([at('b')]);
    journal.write({ n: 3 });
    await sinks.close(AbortSignal.timeout(1000));
    assert.deepEqual(numbers('a'), ['n=1', 'n=2']);
    assert.deepEqual(numbers('b'), ['n=2', 'n=3']);
  });

  it('begin a new file when the old one was moved away', async () => {
    sinks.use([at('a')]);
    journal.write({ n: 1 });
    await until(() => numbers('a').length === 1);
    renameSync(at('a'), at('a.1'));
    sinks.reopen();
    journal.write({ n: 2 });
    await until(() => numbers('a').length === 1);
    assert.deepEqual([numbers('a'), numbers('a.1')], [['n=2'], ['n=1']]);
  });

  it('tell of failures, of the system’s log that nobody hears, too, and hold nobody up', async () => {
    execFileSync('mkfifo', [at('fifo')]);
    sinks.use([at('fifo'), SYSLOG]);
    journal.write({ n: 1 });
    await until(() => failures.length === 2);
    const logs = failures.map(each => (each as { log: string }).log).sort();
    assert.deepEqual(logs, [at('fifo'), SYSLOG]);
    await sinks.close(AbortSignal.timeout(1000));
  });
});
