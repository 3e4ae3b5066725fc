/** The log to the system's log; the daemon is a socket of the test's. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { syslogSink } from '../../src/host/syslog.ts';
import type { LineSink } from '../../src/host/backlog.ts';
import { Mailbox } from '../server/sockets.ts';
import { eventually } from '../support/fixture.ts';

const TIME = new Date(2026, 10, 5, 1, 2, 3);
const now = (): number => TIME.getTime();
/** LOG_AUTHPRIV and LOG_INFO; the day is padded with a blank. */
const HEAD = `<86>Nov  5 01:02:03 slashnet[${process.pid}]: `;

describe('the log to syslog', () => {
  let dir: string;
  let path: string;
  let daemon: Mailbox | undefined;
  let sink: LineSink | undefined;
  let errors: Error[];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    path = join(dir, 'log');
    errors = [];
  });
  afterEach(async () => {
    await sink?.close();
    daemon?.close();
    daemon = undefined;
    rmSync(dir, { recursive: true });
  });

  const opened = (most?: number): LineSink =>
    (sink = syslogSink(error => errors.push(error), { path, now, ...(most !== undefined && { most }) }));

  async function next(): Promise<string> {
    let message: string | undefined;
    await eventually(() => Promise.resolve((message = daemon?.take()) !== undefined));
    return message!;
  }

  it('sends each line as syslog(3) does', async () => {
    daemon = new Mailbox(path);
    const { write } = opened();
    write('verb=connect user=alice');
    write('verb=hangup %s%n');
    assert.equal(await next(), `${HEAD}verb=connect user=alice`);
    assert.equal(await next(), `${HEAD}verb=hangup %s%n`);
    assert.deepEqual(errors, []);
  });

  it('holds nobody up while the daemon is stuck, and loses nothing that finds room', async () => {
    daemon = new Mailbox(path);
    const { write } = opened();
    for (let n = 0; n < 3000; n++) write(`n=${n}`);
    for (let n = 0; n < 3000; n++) assert.equal(await next(), `${HEAD}n=${n}`);
    assert.deepEqual(errors, []);
  });

  it('says how many lines found no room while the daemon was stuck', async () => {
    daemon = new Mailbox(path);
    const { write } = opened(1000);
    const all = 10_000;
    for (let n = 0; n < all; n++) write(`n=${n}`);
    let seen = 0;
    for (;;) {
      const message = await next();
      const missed = / missed=(\d+)$/.exec(message)?.[1];
      if (missed !== undefined) {
        assert.equal(seen + Number(missed), all);
        break;
      }
      assert.equal(message, `${HEAD}n=${seen++}`);
    }
    write('after');
    assert.equal(await next(), `${HEAD}after`);
  });

  it('may have no daemon for a time: it is told once, and lines wait', async () => {
    const { write } = opened();
    write('one');
    await eventually(() => Promise.resolve(errors.length > 0));
    write('two');
    daemon = new Mailbox(path);
    assert.equal(await next(), `${HEAD}one`);
    assert.equal(await next(), `${HEAD}two`);
    assert.deepEqual(
      errors.map(error => error.message),
      [`ENOENT: cannot write to ${path}`],
    );
  });

  it('cuts what is too long for a message, between characters', async () => {
    daemon = new Mailbox(path, 64 * 1024);
    opened().write('€'.repeat(10_000));
    const message = await next();
    const bytes = Buffer.byteLength(message);
    assert.ok(bytes <= 8000 && bytes > 7990);
    assert.match(message, /^<86>[^€]*€+$/);
  });
});
