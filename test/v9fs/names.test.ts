/** cs and ndb under Linux's own 9p file system, with echo and cat, in each dialect. */
import assert from 'node:assert/strict';
import { DIALECTS } from '../server/bytes.ts';
import { Mounted } from './mounted.ts';

for (const dialect of DIALECTS) {
  describe(`names under Linux in ${dialect}`, () => {
    const m = new Mounted(dialect);

    before(async function () {
      this.timeout(120_000);
      await m.start();
    });
    after(() => m.stop());

    it('> and >> edit ndb', async () => {
      assert.equal(await m.ok('echo x > ndb; cat ndb'), 'x\n');
      assert.equal(
        await m.ok('echo dom=two.example ip=192.0.2.1 ip=192.0.2.2 > ndb; cat ndb | head -c 10'),
        'dom=two.ex',
      );
      assert.equal(await m.ok('echo y >> ndb; tail -n 1 ndb'), 'y\n');
      assert.equal(await m.ok('echo a=1 > ndb; echo b=2 >> ndb; cat ndb; stat -c %s ndb'), 'a=1\nb=2\n8\n');
      assert.equal(await m.ok('truncate -s 0 ndb; cat ndb; stat -c %s ndb'), '0\n');
    });

    it('cs answers what is echoed into it', async () => {
      assert.equal(
        await m.ok(
          "echo dom=two.example ip=192.0.2.1 ip=192.0.2.2 > ndb; exec 6<>cs; echo 'tcp!two.example!http' >&6; cat <&6",
        ),
        '/net/tcp/clone 192.0.2.1!80\n/net/tcp/clone 192.0.2.2!80\n',
      );
    });
  });
}
