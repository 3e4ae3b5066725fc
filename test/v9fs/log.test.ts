/** The log in a /net that Linux's own 9p file system has mounted. */
import assert from 'node:assert/strict';
import type { Journal } from '../../src/netfs/log.ts';
import { DIALECTS } from '../server/bytes.ts';
import { Mounted } from './mounted.ts';

const STAMP = 'time=2026-11-25T10:00:00.000Z';

for (const dialect of DIALECTS) {
  describe(`the log, mounted by Linux in ${dialect}`, () => {
    const m = new Mounted(dialect);
    let journal: Journal;

    before(async function () {
      this.timeout(120_000);
      await m.start({ now: () => Date.UTC(2026, 10, 25, 10) });
      journal = m.server.net.journal;
      for (let n = 1; n <= 5000; n++) journal.write({ n });
    });
    after(() => m.stop());

    it('gives what is there to programs that read as much as they like', async () => {
      assert.equal(await m.ok('head -1 log'), `${STAMP} n=1\n`);
      assert.equal(await m.ok('head -5000 log | tail -1'), `${STAMP} n=5000\n`);
      const start = `${STAMP} n=1\n${STAMP} n=2\n`.slice(0, 40);
      assert.equal(await m.ok('dd if=log bs=40 count=1 status=none'), start);
      assert.equal(
        await m.ok('exec 3<log; read -r a <&3; read -r b <&3; echo "$a $b"'),
        `${STAMP} n=1 ${STAMP} n=2\n`,
      );
    });

    it('is followed by cat until it is killed, and by two at once', async () => {
      const all = 'all() { until [ "$(wc -l <$1)" = 5000 ]; do :; done; }';
      const script =
        ': >/tmp/a; : >/tmp/b; cat log >/tmp/a & p=$!; cat log >/tmp/b & q=$!; all /tmp/a; all /tmp/b';
      assert.equal(
        await m.ok(`${all}; ${script}; blocked read $p; blocked read $q; kill $p $q; echo done`),
        'done\n',
      );
    });

    it('is not written', async () => {
      const { status } = await m.run('echo x > log');
      assert.notEqual(status, 0);
      assert.equal(await m.ok('head -1 log'), `${STAMP} n=1\n`);
    });
  });
}
