/** Permissions, zones and views under Linux's own 9p file system: many users of one mount, each as himself. */
import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import { loadPolicy } from '../../src/policy/config/index.ts';
import type { Users } from '../../src/policy/identity.ts';
import { DIALECTS } from '../server/bytes.ts';
import { ALICE, CAROL, people, TEAM } from '../support/callers.ts';
import { HOST } from './guest.ts';
import { Mounted } from './mounted.ts';
import { ROOT } from './people.ts';

const users: Users = {
  ...people,
  byName: name => (name === 'root' ? ROOT : people.byName(name)),
  byId: uid => (uid === 0 ? ROOT : people.byId(uid)),
};

/** `alice SCRIPT` and `carol SCRIPT`: only Alice is in the team. The kernel of the guest looks at groups, too. */
const PEOPLE = `
alice() { setpriv --reuid ${ALICE.uid} --regid ${ALICE.uid} --groups ${TEAM} -- bash -c "$1"; }
carol() { setpriv --reuid ${CAROL.uid} --regid ${CAROL.uid} --clear-groups -- bash -c "$1"; }
export LC_ALL=C
`;

for (const dialect of DIALECTS) {
  describe(`who may go where, under Linux in ${dialect}`, () => {
    const m = new Mounted(dialect);
    let remote: Server;
    let port: number;

    before(async function () {
      this.timeout(120_000);
      await m.start({ users });
      remote = createServer(socket => socket.on('error', () => {}).write('hello\n')).listen(0, '127.0.0.1');
      await once(remote, 'listening');
      port = (remote.address() as AddressInfo).port;
    });

    after(async () => {
      remote.close();
      await m.stop();
    });

    const apply = async (text: string): Promise<void> => {
      const loaded = await loadPolicy('/p.yaml', { users, read: () => Buffer.from(text) });
      if ('errors' in loaded) assert.fail(JSON.stringify(loaded.errors));
      m.server.policy.apply(loaded.policy, '/p.yaml');
    };

    /** Each begins with no zone. */
    beforeEach(async () => {
      for (const zone of ['web', 'all', 'old', 'new']) {
        const there = m.server.net.zones.walk(zone);
        if (there !== undefined) m.server.net.zones.drop(there);
      }
      await apply("files: { tcp/clone: { mode: '0600', owner: root, group: '0' } }");
      await apply('{}');
    });

    const ok = (script: string): Promise<string> => m.ok(PEOPLE + script);
    const run = (script: string): ReturnType<Mounted['run']> => m.run(PEOPLE + script);

    const CONNECT = (): string => `exec 3<>tcp/clone; read -r n <&3; echo "connect 127.0.0.1!${port}" >&3`;
    const LINE = 'connect tcp!127.0.0.1!*';

    describe('zones', () => {
      it('are made by >, and what they allow is dialled from then on', async () => {
        const refused = await run(`${CONNECT()} 2>/dev/null; cat tcp/$n/err`);
        assert.match(refused.output, /no line of any zone/);
        assert.equal(
          await ok(`echo '${LINE}' > zone/web; stat -c %a zone/web; cat zone/web`),
          `700\n${LINE}\n`,
        );
        assert.match(await ok(`${CONNECT()}; cat tcp/$n/status`), /^Established /);
      });

      it('are edited by >>, sed -i, cp, mv and rm, each as a whole', async () => {
        assert.equal(
          await ok(`cd zone; echo '${LINE}' > web; echo 'resolve a.test' >> web; cat web`),
          `${LINE}\nresolve a.test\n`,
        );
        assert.equal(await ok('cd zone; sed -i s/a.test/b.test/ web; cat web'), `${LINE}\nresolve b.test\n`);
        assert.equal(
          await ok('cd zone; echo resolve x.test > new; mv new web; cat web; ls'),
          'resolve x.test\nweb\n',
        );
        assert.equal(await ok('cd zone; mv web old; cat old; ls; rm old; ls'), 'resolve x.test\nold\n');
      });

      it('keep what they had when a line is wrong', async () => {
        await ok(`echo '${LINE}' > zone/web`);
        const { status } = await run("echo 'conect tcp!127.0.0.1!80' > zone/web");
        assert.notEqual(status, 0);
        assert.equal(await ok('cat zone/web'), `${LINE}\n`);
      });

      it('hang up whom they do not allow any more', async () => {
        const out = await ok(`echo '${LINE}' > zone/web; ${CONNECT()}; head -1 tcp/$n/data
          rm zone/web; cat tcp/$n/data >/dev/null 2>&1; cat tcp/$n/err`);
        assert.match(out, /^hello\n.*root .*no line of any zone/);
      });
    });

    it('explain answers, and the log tells of both', async () => {
      const asked = `exec 5<>explain; echo -n 'tcp!127.0.0.1!${port}' >&5; cat <&5; exec 5>&-; echo`;
      assert.match(await ok(asked), /^no: root /);
      assert.match(await ok(`echo '${LINE}' > zone/web; ${asked}`), /^yes: root .*zone web/);
      const find =
        'while read -r line; do case $line in *verb=zone*zone=web*) echo "$line"; break; esac; done <log';
      assert.match(await ok(find), / user=root .*verb=zone /);
    });

    describe('a view', () => {
      it('is made by each opening of clone, several at a time, and ends with its ctl', async () => {
        await ok(`echo '${LINE}' > zone/web`);
        const out = await ok(`exec 3<>view/clone; read -r v <&3; exec 4<>view/clone; read -r w <&4
          echo 'allow ${LINE}' >&3
          try() { exec 5<>view/$1/tcp/clone; read -r n <&5; echo "connect 127.0.0.1!${port}" >&5; } 2>/dev/null
          try $v; head -1 view/$v/tcp/$n/data
          try $w; cat view/$w/tcp/$n/err
          exec 5>&- 3>&-; ls -1 view`);
        assert.match(out, /^hello\n.*no line of any zone[^\n]*\n\d+\nclone\n$/);
        assert.equal(await ok('ls view'), 'clone\n');
      });

      it('is mounted by itself, and there is no way up from it', async () => {
        await ok(`echo '${LINE}' > zone/web`);
        const mount = m.options.replace(/,aname=\w+/, '');
        const out = await ok(`exec 3<>view/clone; read -r v <&3; echo 'allow ${LINE}' >&3
          mkdir /tmp/inside; mount -i -t 9p -o ${mount},aname=v9fs:view/$v ${HOST} /tmp/inside || exit 1
          ( cd /tmp/inside; ls -1d view zone tcp; ls ../inside/zone
            exec 5<>tcp/clone; read -r n <&5; echo "connect 127.0.0.1!${port}" >&5; head -1 tcp/$n/data
            cat ctl 2>&1 | cut -d: -f3
            echo '${LINE}' 2>/dev/null > zone/mine || echo refused )
          umount /tmp/inside; rmdir /tmp/inside`);
        assert.equal(out, 'tcp\nview\nzone\nallowed\nhello\n Permission denied\nrefused\n');
      });
    });

    if (dialect === '9P2000') return;

    describe('users', () => {
      it('connect by the group to which clone was given, and nobody else', async () => {
        await ok(
          `echo '${LINE}' > zone/web; chmod 755 zone/web; chgrp ${TEAM} tcp/clone; chmod 660 tcp/clone`,
        );
        assert.match(await ok(`alice '${CONNECT()}; cat tcp/$n/status'`), /^Established /);
        assert.match((await run(`carol '${CONNECT()}'`)).output, /tcp\/clone: Permission denied/);
      });

      it('pass a zone by o+x, and are hung up by o-x, the owner not', async () => {
        await ok(`echo '${LINE}' > zone/web; chmod 666 tcp/clone`);
        const refused = await run(`carol '${CONNECT()} 2>/dev/null; cat tcp/$n/err'`);
        assert.match(refused.output, /carol .*: zone web decides, mode 0700/);
        const out = await ok(`chmod o+x zone/web
          ${CONNECT()}; rm -f /tmp/n
          carol '${CONNECT()}; head -1 tcp/$n/data >/tmp/n; cat tcp/$n/data >/dev/null 2>&1; cat tcp/$n/err' &
          until [ -s /tmp/n ]; do :; done
          chmod o-x zone/web; wait $!; cat tcp/$n/status; rm -f /tmp/n`);
        assert.match(out, /^permission denied: carol .*: zone web decides, mode 0700.*\nEstablished /);
      });

      it('govern a zone that was given to them, and no other', async () => {
        await ok(`echo '${LINE}' > zone/web; echo '${LINE}' > zone/old; chown ${ALICE.uid} zone/web`);
        assert.equal(await ok("alice 'chmod 755 zone/web; stat -c %a zone/web'"), '755\n');
        assert.notEqual((await run("alice 'chmod 755 zone/old'")).status, 0);
        assert.notEqual((await run("carol 'chmod 777 zone/web'")).status, 0);
        assert.notEqual((await run("carol 'touch zone/mine'")).status, 0);
        assert.equal(await ok('stat -c "%U %a" zone/old | cut -d" " -f2'), '700\n');
      });

      it('make views for themselves, which nobody else comes into', async () => {
        await ok(`echo '${LINE}' > zone/web; chmod 755 zone/web; chmod 666 tcp/clone`);
        const out =
          await ok(`alice 'exec 3<>view/clone; read -r v <&3; echo "allow ${LINE}" >&3; echo $v >/tmp/v
            exec 5<>view/$v/tcp/clone; read -r n <&5; echo "connect 127.0.0.1!${port}" >&5; head -1 view/$v/tcp/$n/data
            until [ -e /tmp/go ]; do :; done' &
          until [ -s /tmp/v ]; do :; done; export v=$(cat /tmp/v)
          carol 'ls view/$v/tcp 2>&1; cat view/$v/ctl 2>&1' | grep -c 'Permission denied'
          touch /tmp/go; wait; rm -f /tmp/go /tmp/v; ls -1 view`);
        assert.deepEqual(out.split('\n').sort(), ['', '2', 'clone', 'hello']);
      });

      it('ask explain of themselves, and the owner of others; the log is the owner’s', async () => {
        await ok(`echo '${LINE}' > zone/web`);
        const ask = (what: string): string => `exec 5<>explain; echo -n "${what}" >&5; cat <&5; echo`;
        const dest = `tcp!127.0.0.1!${port}`;
        assert.match(await ok(`carol '${ask(dest)}'`), /^no: carol /);
        assert.match(await ok(ask(`user carol ${dest}`)), /^no: carol /);
        assert.doesNotMatch((await run(`carol '${ask(`user alice ${dest}`)}'`)).output, /yes|no:/);
        assert.match((await run("carol 'head -1 log'")).output, /Permission denied/);
      });
    });
  });
}
