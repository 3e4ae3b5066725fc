/** The log as its readers see it: what is kept, what comes, and what they missed. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Abort } from '../../src/abort.ts';
import { FsError } from '../../src/netfs/error.ts';
import { Journal, LogFile } from '../../src/netfs/log.ts';
import type { Handle, Reply } from '../../src/netfs/node.ts';
import { Authority } from '../../src/policy/permissions.ts';
import type { Caller } from '../../src/policy/identity.ts';
import { ReplayBudget } from '../../src/server/9p/v9fs/replay.ts';
import { StreamReader } from '../../src/server/9p/v9fs/streams.ts';
import { V9fsFile } from '../server/v9fs-client.ts';
import { forEachDoor, inProcess, onFuse, type Fixture } from '../support/fixture.ts';
import { POLLIN } from '../support/fusefs.ts';

const TIME = Date.UTC(2026, 10, 25, 10, 0, 0, 123);
const now = (): number => TIME;
const STAMP = 'time=2026-11-25T10:00:00.123Z';
const OWNER: Caller = { name: 'glenda', uid: 1000, gid: 1000, groups: [] };

/** One who has opened a journal. */
class Reader {
  readonly handle: Handle;
  /** Whether he takes his answers, and what to call when he does again. */
  takes = true;
  again: (() => void) | undefined;

  constructor(journal: Journal) {
    const file = new LogFile(undefined as never, journal, {
      path: 1,
      authority: new Authority(OWNER),
      since: 0,
    });
    this.handle = file.open({ read: true, write: false, truncate: false });
  }

  async read(count = 64 * 1024, signal = new Abort(), nonblocking = false): Promise<string> {
    let bytes = Buffer.alloc(0);
    const reply: Reply = {
      count,
      room: size => (bytes = Buffer.alloc(Math.min(size, count))),
      drop: () => (bytes = Buffer.alloc(0)),
      mayAnswer: again => {
        this.again = again;
        return this.takes;
      },
    };
    const n = await this.handle.read(0, reply, { caller: OWNER, signal, nonblocking });
    return bytes.toString('utf8', 0, n);
  }

  /** All that is there now. */
  async all(count?: number): Promise<string> {
    let text = '';
    while (this.handle.poll!(undefined).readable) text += await this.read(count, undefined, true);
    return text;
  }
}

const isInterrupt = (error: unknown): boolean => error instanceof FsError && error.name === 'Eintr';
const isAgain = (error: unknown): boolean => error instanceof FsError && error.name === 'Eagain';

describe('the journal', () => {
  let journal: Journal;
  beforeEach(() => (journal = new Journal({ now })));

  it('gives what is kept, from the oldest line on', async () => {
    journal.write({ verb: 'connect', user: 'alice' });
    journal.write({ verb: 'hangup' });
    assert.equal(
      await new Reader(journal).read(),
      `${STAMP} verb=connect user=alice\n${STAMP} verb=hangup\n`,
    );
  });

  it('says in the journal above in which view it happened, and nothing of it below', async () => {
    const three = new Journal({ now, above: { journal, view: '3' } });
    const inner = new Journal({ now, above: { journal: three, view: '1' } });
    inner.write({ verb: 'connect' });
    three.write({ verb: 'announce' });
    journal.write({ verb: 'policy' });
    assert.equal(await new Reader(inner).all(), `${STAMP} verb=connect\n`);
    assert.equal(await new Reader(three).all(), `${STAMP} view=1 verb=connect\n${STAMP} verb=announce\n`);
    assert.equal(
      await new Reader(journal).all(),
      `${STAMP} view=3/1 verb=connect\n${STAMP} view=3 verb=announce\n${STAMP} verb=policy\n`,
    );
  });

  it('gives each line to every sink, without its newline', () => {
    const seen: string[] = [];
    journal.addSink(line => seen.push(`a ${line}`));
    journal.addSink(line => seen.push(`b ${line}`));
    journal.write({ verb: 'zone' });
    assert.deepEqual(seen, [`a ${STAMP} verb=zone`, `b ${STAMP} verb=zone`]);
  });

  it('answers a read that waits when a line comes, for several readers at once', async () => {
    const readers = [new Reader(journal), new Reader(journal), new Reader(journal)];
    const reads = readers.map(reader => reader.read());
    journal.write({ verb: 'accept' });
    assert.deepEqual(await Promise.all(reads), Array(3).fill(`${STAMP} verb=accept\n`));
  });

  it('serves reads of one open file in their order', async () => {
    const reader = new Reader(journal);
    const reads = [reader.read(), reader.read()];
    journal.write({ n: 1 });
    journal.write({ n: 2 });
    assert.deepEqual(await Promise.all(reads), [`${STAMP} n=1\n`, `${STAMP} n=2\n`]);
  });

  it('loses nothing to a read that is flushed', async () => {
    const reader = new Reader(journal);
    const flush = new Abort();
    const read = reader.read(undefined, flush);
    flush.abort(new FsError('Eintr'));
    await assert.rejects(read, isInterrupt);
    journal.write({ n: 1 });
    assert.equal(await reader.read(), `${STAMP} n=1\n`);
  });

  it('gives the next in line what a flushed read waited for', async () => {
    const reader = new Reader(journal);
    const flush = new Abort();
    const [first, second] = [reader.read(undefined, flush), reader.read()];
    flush.abort(new FsError('Eintr'));
    await assert.rejects(first, isInterrupt);
    journal.write({ n: 1 });
    assert.equal(await second, `${STAMP} n=1\n`);
  });

  it('keeps lines while a client does not take its answers', async () => {
    const reader = new Reader(journal);
    const read = reader.read();
    reader.takes = false;
    journal.write({ n: 1 });
    journal.write({ n: 2 });
    reader.takes = true;
    reader.again!();
    assert.equal(await read, `${STAMP} n=1\n${STAMP} n=2\n`);
  });

  it('does not wait for who will not wait, and polls readable when there is something', async () => {
    const reader = new Reader(journal);
    const closed = new Abort();
    let told = 0;
    const changed = (): void => void told++;
    await assert.rejects(reader.read(10, undefined, true), isAgain);
    assert.equal(reader.handle.poll!({ changed, closed }).readable, false);
    journal.write({ n: 1 });
    assert.equal(told, 1);
    assert.equal(reader.handle.poll!(undefined).readable, true);
    await reader.read();
    assert.equal(reader.handle.poll!(undefined).readable, false);
  });

  it('answers whole lines where they have room', async () => {
    for (const n of [1, 2, 3]) journal.write({ n });
    const line = `${STAMP} n=1\n`.length;
    const reader = new Reader(journal);
    assert.equal(await reader.read(2 * line + 5), `${STAMP} n=1\n${STAMP} n=2\n`);
    assert.equal(await reader.read(2 * line + 5), `${STAMP} n=3\n`);
  });

  it('goes on in the next read with a line that is longer than one', async () => {
    journal.write({ reason: 'x'.repeat(100) });
    journal.write({ n: 2 });
    const reader = new Reader(journal);
    let text = '';
    while (!text.includes('\n')) {
      const part = await reader.read(7);
      assert.ok(part.length <= 7);
      text += part;
    }
    assert.equal(text, `${STAMP} reason=${'x'.repeat(100)}\n`);
    assert.equal(await reader.read(), `${STAMP} n=2\n`);
  });

  it('finishes a line that it has begun, though the ring has overtaken it', async () => {
    const small = new Journal({ now, bytes: 200 });
    small.write({ reason: 'x'.repeat(100) });
    const reader = new Reader(small);
    const begun = await reader.read(20);
    for (let n = 0; n < 100; n++) small.write({ n });
    assert.equal(begun + (await reader.read()), `${STAMP} reason=${'x'.repeat(100)}\n`);
    assert.match(await reader.read(), new RegExp(`^${STAMP} missed=\\d+\n$`));
  });

  it('tells a reader who was overtaken how many lines he missed, in their place', async () => {
    const small = new Journal({ now, bytes: 500 });
    const reader = new Reader(small);
    small.write({ n: 0 });
    assert.equal(await reader.all(), `${STAMP} n=0\n`);
    for (let n = 1; n <= 1000; n++) small.write({ n });
    const [missed, ...lines] = (await reader.all()).trimEnd().split('\n');
    const first = Number(/n=(\d+)$/.exec(lines[0]!)![1]);
    assert.equal(missed, `${STAMP} missed=${first - 1}`);
    assert.deepEqual(
      lines,
      Array.from({ length: 1001 - first }, (_, i) => `${STAMP} n=${first + i}`),
    );
  });

  it('begins for a new reader with what is kept, and he has missed nothing', async () => {
    const small = new Journal({ now, bytes: 500 });
    for (let n = 1; n <= 1000; n++) small.write({ n });
    assert.doesNotMatch(await new Reader(small).all(), /missed/);
  });

  it('counts a line that is larger than all it may keep as missed', async () => {
    const tiny = new Journal({ now, bytes: 64 });
    const reader = new Reader(tiny);
    tiny.write({ n: 1 });
    tiny.write({ reason: 'x'.repeat(100) });
    tiny.write({ n: 3 });
    assert.equal(await reader.all(), `${STAMP} missed=2\n${STAMP} n=3\n`);
  });

  it('takes no more memory than it was given, and little until it needs it', () => {
    const { lines } = journal;
    const ring = (): number => (lines as unknown as { ring: Buffer }).ring.length;
    assert.ok(ring() <= 4096);
    for (let n = 0; n < 10_000; n++) journal.write({ n, reason: 'x'.repeat(500) });
    assert.equal(ring(), 1024 * 1024);
    assert.ok(lines.end - lines.start <= ring());
  });

  it('gives ten thousand lines to one who follows and to one who comes later', async () => {
    const follower = new Reader(journal);
    const seen: string[] = [];
    for (let n = 0; n < 10_000; n++) {
      const read = follower.read();
      journal.write({ n });
      seen.push(await read);
    }
    const expected = Array.from({ length: 10_000 }, (_, n) => `${STAMP} n=${n}\n`).join('');
    assert.equal(seen.join(''), expected);
    assert.equal(await new Reader(journal).all(), expected);
  });

  it('says every line or that it was missed, however large the reads and the ring', async () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ write: fc.integer({ min: 0, max: 150 }) }),
        fc.record({ read: fc.integer({ min: 1, max: 400 }) }),
      ),
      { maxLength: 60 },
    );
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 600 }), steps, async (bytes, list) => {
        const ring = new Journal({ now, bytes });
        const reader = new Reader(ring);
        let written = 0;
        let text = '';
        for (const step of list) {
          if ('write' in step) ring.write({ n: written++, pad: 'x'.repeat(step.write) });
          else if (reader.handle.poll!(undefined).readable) text += await reader.read(step.read);
        }
        text += await reader.all();
        assert.equal(accountedFor(text), written);
      }),
      { numRuns: 500 },
    );
  });

  it('is left alone by a reader who has closed it', async () => {
    const reader = new Reader(journal);
    const flush = new Abort();
    const read = reader.read(undefined, flush);
    reader.handle.close();
    flush.abort(new FsError('Ehungup'));
    await assert.rejects(read);
    assert.equal((journal as unknown as { followers: { some: boolean } }).followers.some, false);
  });
});

describe('the log as Linux’s own 9P client reads it', () => {
  const RSIZE = 512;
  let journal: Journal;
  let file: V9fsFile;
  beforeEach(() => {
    journal = new Journal({ now, bytes: 100_000 });
    const { handle } = new Reader(journal);
    file = new V9fsFile(new StreamReader(handle, RSIZE, new ReplayBudget()), RSIZE);
  });

  for (const size of [16, RSIZE, 100 * RSIZE]) {
    it(`gives each line once, and waits for none once it has some, by reads of ${size}`, async () => {
      let expected = '';
      let seen = '';
      for (let n = 0; n < 300; n++) {
        journal.write({ n });
        expected += `${STAMP} n=${n}\n`;
        if (n % 20 === 0) while (seen.length < expected.length) seen += (await file.read(size)).toString();
      }
      while (seen.length < expected.length) seen += (await file.read(size)).toString();
      assert.equal(seen, expected);
    });
  }

  it('follows: a read that waits has the next line when it comes', async () => {
    const read = file.read(4096);
    journal.write({ n: 1 });
    assert.equal((await read).toString(), `${STAMP} n=1\n`);
  });

  it('gives a shell the line after the one that it took, though it reads more and seeks back', async () => {
    for (const n of [1, 2, 3]) journal.write({ n });
    const line = `${STAMP} n=1\n`.length;
    for (const n of [1, 2, 3]) {
      const bytes = await file.read(128);
      file.position -= bytes.length - line;
      assert.equal(bytes.toString('utf8', 0, line), `${STAMP} n=${n}\n`);
    }
  });
});

/** Checks that lines are whole and in their order; how many there are, the missed ones among them. */
function accountedFor(text: string): number {
  let next = 0;
  for (const line of text.split('\n').slice(0, -1)) {
    const [, missed, n] = /^time=\S+Z (?:missed=(\d+)|n=(\d+) pad=(?:x+|""))$/.exec(line) ?? [];
    if (missed === undefined) assert.equal(Number(n), next++);
    else next += Number(missed);
  }
  assert.ok(text === '' || text.endsWith('\n'));
  return next;
}

forEachDoor(
  '/net/log',
  t => {
    let journal: Journal;
    beforeEach(() => (journal = t.server.net.journal));

    it('gives what is kept and then follows', async () => {
      journal.write({ n: 1 });
      const log = await t.client.open('log');
      assert.equal((await log.read()).toString(), `${STAMP} n=1\n`);
      const read = log.read();
      assert.equal(await t.pending(read), true);
      journal.write({ n: 2 });
      assert.equal((await read).toString(), `${STAMP} n=2\n`);
    });

    it('is followed by several at once', async () => {
      const logs = await Promise.all([t.client.open('log'), (await t.another()).open('log')]);
      const reads = logs.map(log => log.read());
      for (const read of reads) assert.equal(await t.pending(read), true);
      journal.write({ n: 1 });
      for (const read of reads) assert.equal((await read).toString(), `${STAMP} n=1\n`);
    });

    it('loses nothing to a read that is interrupted', async () => {
      const log = await t.client.open('log');
      const interrupt = new AbortController();
      const read = log.read(100, undefined, interrupt.signal);
      assert.equal(await t.pending(read), true);
      interrupt.abort();
      await assert.rejects(read);
      journal.write({ n: 1 });
      assert.equal((await log.read()).toString(), `${STAMP} n=1\n`);
    });

    it('is not written, and stays as it is when it is truncated', async () => {
      journal.write({ n: 1 });
      await t.refuses(t.client.open('log', 'w'), 'permission denied', 'EACCES');
      await t.refuses(t.client.open('log', 'rw'), 'permission denied', 'EACCES');
      await t.client.setStat('log', { length: 0 });
      assert.equal(await firstOf(t), `${STAMP} n=1\n`);
    });

    it('is its owner’s to read, who may let others', async () => {
      const { mode, uid } = await t.client.stat('log');
      assert.deepEqual([mode & 0o777, Number(uid ?? t.server.owner.uid)], [0o600, t.server.owner.uid]);
      await t.client.chmod('log', 0o777);
      assert.equal((await t.client.stat('log')).mode & 0o777, 0o666);
    });

    it('was changed when its last line was written', async () => {
      journal.write({ n: 1 });
      assert.equal((await t.client.stat('log')).mtime, Math.floor(TIME / 1000));
    });
  },
  () => ({ now }),
);

async function firstOf(t: Fixture): Promise<string> {
  const log = await t.client.open('log');
  return (await log.read()).toString();
}

inProcess(
  '/net/log and strangers',
  t => {
    it('is closed to them', async () => {
      const stranger = await t.as({ ...OWNER, uid: t.server.owner.uid + 4321 });
      await t.refuses(stranger.open('log'), 'permission denied', 'EACCES');
      await t.refuses(stranger.chmod('log', 0o644), 'permission denied', 'EPERM');
      await t.client.chmod('log', 0o644);
      await stranger.open('log');
    });
  },
  () => ({ now }),
);

onFuse(
  '/net/log by its descriptor',
  t => {
    it('can be read to what is there by who will not wait, and polls', async () => {
      const journal = t.server.net.journal;
      const log = await t.client.open('log');
      await log.setNonblocking(true);
      await t.refuses(log.read(), '', 'EAGAIN');
      assert.equal(await log.poll(POLLIN, 0), 0);
      const polled = log.poll(POLLIN);
      journal.write({ n: 1 });
      assert.equal(await polled, POLLIN);
      assert.equal((await log.read()).toString(), `${STAMP} n=1\n`);
    });

    it('answers a large read with what is there', async () => {
      const journal = t.server.net.journal;
      for (let n = 0; n < 10_000; n++) journal.write({ n, reason: 'x'.repeat(50) });
      const log = await t.client.open('log');
      let text = '';
      while (!text.includes(' n=9999 ')) text += (await log.read(4 * 1024 * 1024)).toString();
      assert.equal(text.split('\n').length, 10_001);
    });
  },
  () => ({ now }),
);
