/**
 * Linux's own 9p file system on slashnet, in each dialect: what people do in a mounted /net, with the
 * programs they do it with. The kernel is a guest's (guest.ts); the server and the peers are here.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { DIALECTS } from '../server/bytes.ts';
import { Peers, until } from '../server/rig.ts';
import { call, ending, receive, Remote, Tarpit } from '../support/remote.ts';
import { Mounted } from './mounted.ts';

const run = promisify(execFile);

const MIB = 1024 * 1024;
const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const portOf = (address: string): string => address.split('!')[1]!;
const script = (name: string): Buffer => readFileSync(new URL(`../scripts/${name}`, import.meta.url));

for (const dialect of DIALECTS) {
  const plain = dialect === '9P2000';

  describe(`mounted by Linux in ${dialect}`, () => {
    const m = new Mounted(dialect);
    let peers: Peers;

    before(async function () {
      this.timeout(120_000);
      await m.start();
    });
    after(() => m.stop());

    beforeEach(() => (peers = new Peers()));
    afterEach(async () => {
      await peers.close();
      await until(() => m.inUse === 0);
    });

    /** A peer that sends so many bytes and ends; and what they are. */
    async function source(size: number): Promise<{ port: string; bytes: Buffer }> {
      const bytes = randomBytes(size);
      return { port: portOf(await peers.listen(socket => socket.end(bytes))), bytes };
    }

    /** A peer that sends a text in two halves, the second when it is asked for. */
    async function says(text: string): Promise<string> {
      return portOf(await peers.listen(socket => void socket.write(text)));
    }

    describe('looking around', () => {
      it('ls shows the tree', async () => {
        assert.equal(
          await m.ok('ls -1'),
          'arp\ncs\ndial\ndns\nexplain\nipifc\niproute\nipselftab\nlog\nndb\ntcp\nudp\nview\nzone\n',
        );
        assert.match(await m.ok('ls -1 tcp'), /^clone\nstats\n$/m);
        assert.equal(
          await m.ok('exec 3<>tcp/clone; read n <&3; ls -1 tcp/$n'),
          'ctl\ndata\nerr\nlisten\nlocal\nremote\nstatus\n',
        );
      });

      it('ls -l shows owners and modes, and what is opened anew each time as a symlink', async () => {
        const listing = await m.ok('exec 3<>tcp/clone; read n <&3; ls -ln tcp/$n | cut -d" " -f 1,3');
        const owner = plain ? 4294967294 : 0;
        const file = (mode: string): string => `${mode} ${owner}`;
        const separate = file(plain ? '-rw-------' : 'lrwxrwxrwx');
        assert.deepEqual(listing.trim().split('\n').slice(1), [
          ...[separate, separate, file('-rw-------'), separate],
          ...[file('-r--r--r--'), file('-r--r--r--'), file('-r--r--r--')],
        ]);
      });

      it('ls -lL and stat -L show what the symlinks lead to', async () => {
        const file = `-rw------- ${plain ? '4294967294' : '0'} regular empty file\n`;
        assert.equal(await m.ok('stat -L -c "%A %u %F" tcp/clone'), file);
        assert.match(await m.ok('ls -lL tcp'), /^-rw------- .* clone$/m);
      });

      it('every text can be read by cat, and by cp, grep, wc and sed', async () => {
        const { port } = await source(0);
        const out = await m.ok(`dial ${port}
          for f in ctl local remote status; do echo "$f: $(cat tcp/$n/$f)"; done
          cat tcp/stats | grep -c ': '; grep -c '^MaxConn' tcp/stats; wc -l <tcp/$n/status
          cp tcp/$n/remote /tmp/copy; sed s/127.0.0.1// /tmp/copy; cat tcp/$n/err`);
        assert.match(
          out,
          /^ctl: \d+\nlocal: 127.0.0.1!\d+\nremote: 127.0.0.1!\d+\nstatus: (Established|Close_wait) /,
        );
        assert.match(out, new RegExp(`\n1\n1\n!${port}\n$`));
      });

      it('find, realpath and a directory as the place to be', async () => {
        const out = await m.ok(`exec 3<>tcp/clone; read n <&3; cd tcp/$n; pwd; cat ../../tcp/$n/ctl; echo
          realpath local; find . -name 'l*' | sort`);
        assert.match(out, /^(\/mnt\/net\/tcp\/(\d+))\n\2\n\1\/local\n\.\/listen\n\.\/local\n$/);
      });

      it('df and mounts name it', async () => {
        assert.match(await m.ok('stat -f -c %T .; grep -c "/mnt/net 9p" /proc/mounts'), /^v9fs\n1\n$/);
      });
    });

    describe('ctl', () => {
      it('clone opened again and again gives new conversations, also after writes', async () => {
        assert.equal(
          await m.ok(`exec 3<>tcp/clone; read a <&3; echo 'ttl 9' >&3; echo 'tos 3' >&3
            exec 4<>tcp/clone; read b <&4; echo 'ttl 200' >&4
            exec 5<tcp/clone; read c <&5; exec 6>tcp/clone; cat tcp/*/ctl | wc -c
            echo $((b-a)) $((c-b))`),
          '4\n1 1\n',
        );
      });

      it('takes messages by > and by >>, and by a descriptor that reads it too', async () => {
        const out = await m.ok(`exec 3<>tcp/clone; read n <&3
          echo 'ttl 9' >tcp/$n/ctl && echo 'tos 1' >>tcp/$n/ctl && echo 'ttl 7' >&3 && echo 'bind 127.0.0.1!0' >&3
          read m <&3; read k <tcp/$n/ctl; [ "$m" = "$n" ] && [ "$k" = "$n" ] && cat tcp/$n/local`);
        assert.match(out, /^127\.0\.0\.1!\d+\n$/);
      });

      it('many writes and reads on one descriptor do not confuse the client', async () => {
        assert.equal(
          await m.ok(`exec 3<>tcp/clone; read n <&3
            for i in {1..20}; do echo "ttl $i" >&3; read m <&3; [ "$m" = "$n" ] || echo "$i: $m"; done
            echo done`),
          'done\n',
        );
      });

      it('a number read from before a message comes with newlines, and the client goes on', async () => {
        const out = await m.ok(`perl -e 'open F, "+<", "tcp/clone"; syswrite F, "ttl 5" . " " x 95;
          sysseek F, 0, 0; print sysread(F, $text, 4096), " $text"'`);
        assert.match(out, /^100 \d+\n+$/);
      });

      it('echo >ctl while another reads data is done at once', async () => {
        const port = await says('');
        await m.ok(`dial ${port}; cat tcp/$n/data & blocked read $!; echo 'ttl 5' >tcp/$n/ctl; echo 'ttl 6' >>tcp/$n/ctl
          kill $!; wait $! 2>/dev/null; true`);
      });

      it('a refused message fails, and err has the reason', async () => {
        const { status, output } = await m.run(
          'exec 3<>tcp/clone; read n <&3; echo nonsense >&3 && exit 9; cat tcp/$n/err; exit 1',
        );
        assert.equal(status, 1);
        assert.match(output, /write error.*\nunknown control request: 'nonsense'/);
      });
    });

    describe('data', () => {
      it('4 MiB come as they were sent', async () => {
        const { port, bytes } = await source(4 * MIB);
        assert.equal(await m.ok(`dial ${port}; cat tcp/$n/data | sha256sum`), `${sha(bytes)}  -\n`);
      });

      it('4 MiB go as they were given', async () => {
        const one = await peers.one();
        const received = one.socket.then(ending);
        const sum = await m.ok(`head -c ${4 * MIB} /dev/urandom >/tmp/file; dial ${portOf(one.address)}
          cat /tmp/file >tcp/$n/data; sha256sum </tmp/file`);
        const { bytes, by } = await received;
        assert.deepEqual([by, `${sha(bytes)}  -\n`], ['FIN', sum]);
      });

      it('both directions at once, by two descriptors', async () => {
        const port = portOf(await peers.echo());
        const at = (n: number): string => (plain ? `@${n}` : '');
        const out = await m.ok(`head -c ${MIB} /dev/urandom >/tmp/file; dial ${port}
          exec 4<tcp/$n/data${at(1)} 5>tcp/$n/data${at(2)}
          (head -c ${MIB} <&4 | cmp - /tmp/file && echo same) & cat /tmp/file >&5; wait $!`);
        assert.equal(out, 'same\n');
      });

      it('a line that came is read though the stream goes on', async () => {
        const one = await peers.one();
        const reading = m.ok(`dial ${portOf(one.address)}; exec 4<tcp/$n/data
          read -r a <&4; echo "<$a>"; read -r b <&4; echo "<$b>"; cat <&4; echo`);
        const socket = await one.socket;
        socket.write('first\n');
        await m.guest.says(/<first>/);
        socket.write('second\nand ');
        await m.guest.says(/<second>\nand /);
        socket.end('the rest');
        assert.equal(await reading, '<first>\n<second>\nand the rest\n');
      });

      for (const size of [1, 7, 512, 4096, 65512, 65536, 131072, 1048576]) {
        it(`dd in blocks of ${size} loses nothing`, async () => {
          const { port, bytes } = await source(size < 512 ? 301 : size < 4096 ? 30_001 : 300_001);
          const sum = await m.ok(`dial ${port}; dd if=tcp/$n/data bs=${size} 2>/dev/null | sha256sum`);
          assert.equal(sum, `${sha(bytes)}  -\n`);
        });
      }

      it('what comes in drops is read as it comes', async () => {
        const one = await peers.one();
        const reading = m.ok(`dial ${portOf(one.address)}; cat tcp/$n/data`);
        const socket = await one.socket;
        for (const drop of ['one ', 'two ', 'three ']) {
          socket.write(drop);
          await m.guest.says(new RegExp(drop));
        }
        socket.end('end');
        assert.equal(await reading, 'one two three end');
      });

      it('read -u, read -n, mapfile and head take lines and leave the rest', async () => {
        const { port } = { port: portOf(await peers.listen(s => s.end('1\n2\n345\n6\n7\n8\n9\nrest'))) };
        const out = await m.ok(`dial ${port}; exec 4<tcp/$n/data
          read -u 4 a; read -u 4 b; read -u 4 -n 2 c; read -u 4 d; mapfile -n 2 -t -u 4 e; head -n 1 <&4
          echo "$a,$b,$c,$d,\${e[*]}"; cat <&4`);
        assert.equal(out, '8\n1,2,34,5,6 7\n9\nrest');
      });

      it('a conversation on one descriptor: write a line, read a line', async () => {
        const port = portOf(await peers.echo());
        const out = await m.ok(`dial ${port}; exec 4<>tcp/$n/data
          for i in 1 22 333; do echo "line $i"; done >&4
          read a <&4; echo "more $a" >&4; read b <&4; read c <&4; read d <&4; echo "$a/$b/$c/$d"`);
        assert.equal(out, 'line 1/line 22/line 333/more line 1\n');
      });

      it('the end of the stream is the end of the file, and later an error', async () => {
        const { port } = await source(3);
        const out = await m.ok(`dial ${port}; exec 4<tcp/$n/data
          cat <&4 | wc -c; cat <&4 | wc -c; cat <&4 2>&1 | wc -c; cat <&4 2>&1 | cut -d: -f3`);
        assert.match(out, /^3\n0\n/);
      });

      it('a reset comes after what was received', async () => {
        const one = await peers.one();
        const reading = m.run(
          `dial ${portOf(one.address)}; exec 4<tcp/$n/data; head -c 5 <&4; echo; cat <&4`,
        );
        const socket = await one.socket;
        socket.write('hello');
        await m.guest.says(/hello\n/);
        socket.resetAndDestroy();
        const { status, output } = await reading;
        assert.equal(status, 1);
        assert.match(output, plain ? /Unknown error 526/ : /Connection reset by peer/);
      });

      it('a reader that is killed has taken nothing', async () => {
        const one = await peers.one();
        const running = m.ok(`dial ${portOf(one.address)}; exec 4<tcp/$n/data
          cat <&4 & blocked read $!; kill $!; wait $! 2>/dev/null; echo killed; cat <&4`);
        const socket = await one.socket;
        await m.guest.says(/killed/);
        socket.end('all of it');
        assert.equal(await running, 'killed\nall of it');
      });

      it('six shells at once each have their own', async () => {
        const port = portOf(await peers.echo());
        const out = await m.ok(`for i in 1 2 3 4 5 6; do
            (dial ${port}; exec 4<>tcp/$n/data; echo "shell $i" >&4; read a <&4; echo "$a") &
          done; wait`);
        assert.deepEqual(
          out.trim().split('\n').sort(),
          [1, 2, 3, 4, 5, 6].map(i => `shell ${i}`),
        );
      });
    });

    describe('listen', () => {
      it('waits for a call and is its ctl', async () => {
        const running = m.ok(`announce; echo "port $port."; exec 4<>tcp/$n/listen; read c <&4
          cat tcp/$c/remote; exec 5<>tcp/$c/data; read line <&5; echo "you said $line" >&5; cat tcp/$n/status`);
        const [, port] = await m.guest.says(/port (\d+)\./);
        const socket = await call(Number(port));
        socket.write('hello\n');
        assert.equal((await receive(socket, 15)).toString(), 'you said hello\n');
        assert.match(await running, /127\.0\.0\.1!\d+\nListen /);
        socket.destroy();
      });

      it('an open that waits can be killed, and the call goes to the next', async () => {
        const running = m.ok(`announce
          bash -c 'exec 4<tcp/'$n'/listen' & blocked open $!; kill -KILL $!; wait $! 2>/dev/null
          echo "port $port."; read c <tcp/$n/listen; echo "call $((c != n))"`);
        const [, port] = await m.guest.says(/port (\d+)\./);
        const socket = await call(Number(port));
        assert.match(await running, /call 1\n$/);
        socket.destroy();
      });
    });

    describe('refusals', () => {
      const refusal = async (command: string): Promise<string> => (await m.run(command)).output;

      it('names that are not there', async () => {
        assert.match(await refusal('cat tcp/nothing'), /No such file or directory/);
        assert.match(await refusal('cat tcp/stats@1'), /No such file or directory/);
        assert.match(await refusal('cat tcp@1/stats'), /No such file or directory/);
        assert.match(await refusal('cat tcp/clone/x'), /Not a directory/);
      });

      it('nothing is made or removed', async () => {
        assert.match(await refusal('mkdir tcp/x'), /Permission denied/);
        assert.match(await refusal('rm tcp/stats'), /Permission denied/);
        assert.match(await refusal('ln -s a tcp/x'), /(Permission denied|Operation not permitted)/);
        assert.match(await refusal('mv tcp/stats tcp/x'), /(Permission denied|Operation not permitted)/);
        assert.match(await refusal('echo x >tcp/x'), /Permission denied/);
      });

      it('data before there is a connection', async () => {
        const told = await refusal('exec 3<>tcp/clone; read n <&3; cat tcp/$n/data');
        assert.match(
          told,
          plain
            ? /Transport endpoint is not connected|Unknown error 526/
            : /Transport endpoint is not connected/,
        );
      });

      it('listen of what is not announced', async () => {
        const told = await refusal('exec 3<>tcp/clone; read n <&3; cat tcp/$n/listen');
        assert.match(told, plain ? /Unknown error 526/ : /Invalid argument/);
      });
    });

    describe('users', () => {
      if (plain) {
        it('plain 9P2000 knows none: all is done as who mounted it', async () => {
          assert.match((await m.run(`as 1000 'cat tcp/clone'`)).output, /Permission denied/);
          assert.match(await m.ok(`as 1000 'cat tcp/stats'`), /^MaxConn/m);
        });
        return;
      }

      it('another user may not clone until the owner lets him', async () => {
        assert.match((await m.run(`as 1000 'cat tcp/clone'`)).output, /Permission denied/);
        const out = await m.ok(`chmod 666 tcp/clone
          as 1000 'exec 3<>tcp/clone; read n <&3; stat -c "%u %A" tcp/$n/err; echo "ttl 5" >tcp/$n/ctl'
          chmod 600 tcp/clone`);
        assert.equal(out, '1000 -rw-------\n');
        assert.match((await m.run(`as 1000 'cat tcp/clone'`)).output, /Permission denied/);
      });

      it("a user's conversation is refused to others, under its fresh names too, until he opens it", async () => {
        const out = await m.ok(`exec 3<>tcp/clone; read n <&3; export n
          as 1000 'cat tcp/$n/ctl' 2>&1 | cut -d: -f3; as 1000 'cat tcp/$n/ctl@5' 2>&1 | cut -d: -f3
          chmod 644 tcp/$n/ctl; as 1000 'cat tcp/$n/ctl; echo'
          as 1000 'echo "ttl 5" >tcp/$n/ctl' 2>&1 | cut -d: -f4`);
        assert.match(out, /^ Permission denied\n Permission denied\n\d+\n Permission denied\n$/);
      });

      it('one fresh name used by two users at once is refused rather than asked for ever', async () => {
        const out = await m.ok(`exec 3<>tcp/clone; read n <&3; export n
          exec 4<>tcp/$n/ctl@mine; chmod 666 tcp/$n/ctl@mine; echo 'ttl 5        ' >&4
          as 1000 'read x <tcp/$n/ctl@mine; echo "read $x"' 2>&1`);
        assert.match(out, /Invalid argument/);
      });
    });

    describe('dial', () => {
      it('an address that is opened is a connection, another each time, and close hangs up', async () => {
        let calls = 0;
        const port = portOf(
          await peers.listen(socket => {
            socket.write(`call ${++calls}\n`);
          }),
        );
        const out = await m.ok(`exec 4<>'dial/tcp!127.0.0.1!${port}'; read -r a <&4
          exec 5<>'dial/net!127.0.0.1!${port}'; read -r b <&5; echo "$a, $b"; cat tcp/*/remote`);
        assert.match(out, new RegExp(`^call 1, call 2\n(.*\n)*127.0.0.1!${port}\n`));
        await until(() => m.inUse === 0);
      });

      it('takes an IPv6 address, bare and in brackets', async () => {
        const remote = await Remote.listen('::1');
        const [bare, bracketed] = ['::1', '[::1]'].map(host => `'dial/tcp!${host}!${remote.port}'`);
        const printed = m.ok(`cat ${bare} ${bracketed}`);
        for (const text of ['six\n', 'VI\n']) (await remote.accept()).end(text);
        assert.equal(await printed, 'six\nVI\n');
        remote.close();
      });

      it('ls, test and stat dial nothing, and > dials once', async () => {
        let calls = 0;
        const port = portOf(await peers.listen(() => void calls++));
        const out = await m.ok(`name='dial/tcp!127.0.0.1!${port}'
          ls dial; [ -e "$name" ] && [ ! -d "$name" ] && stat -L -c '%a %s' "$name"; ls -lL "$name" | cut -c1-10`);
        assert.deepEqual([out, calls], ['600 0\n-rw-------\n', 0]);
        await m.ok(`echo hello >'dial/tcp!127.0.0.1!${port}'`);
        await until(() => calls === 1);
      });

      it('says why it could not, and what is no address', async () => {
        const port = portOf(await peers.freePort());
        const out = await m.ok(`(exec 3<>'dial/tcp!127.0.0.1!${port}') 2>&1 | sed 's/.*: //'
          (exec 3<>'dial/tcp!127.0.0.1') 2>&1 | sed 's/.*: //'; (exec 3<dial/x) 2>&1 | sed 's/.*: //'`);
        const [refused, ...others] = out.trimEnd().split('\n');
        assert.equal(refused, plain ? 'Unknown error 526' : 'Connection refused');
        assert.deepEqual(others, ['No such file or directory', 'No such file or directory']);
      });

      it('an open that is killed leaves nothing behind', async () => {
        const tarpit = await Tarpit.dig();
        await m.ok(
          `cat 'dial/tcp!${tarpit.address}' & blocked open $!; kill -9 $!; wait $! 2>/dev/null; true`,
        );
        await until(() => m.inUse === 0);
        await tarpit.fill();
      });
    });

    describe('scripts', () => {
      before(() => {
        for (const name of ['fetch.sh', 'dial.sh', 'serve-page.sh']) m.guest.give(name, script(name));
      });

      for (const fetching of ['bash /mnt/io/fetch.sh', 'bash /mnt/io/dial.sh', 'dash /mnt/io/dial.sh']) {
        it(`${fetching} fetches a page of an HTTP server`, async () => {
          const page = `${'a line of the page\n'.repeat(5000)}end\n`;
          const web = createServer((request, response) => {
            assert.equal(request.url, '/page');
            response.end(page);
          }).listen(0, '127.0.0.1');
          await once(web, 'listening');
          const { port } = web.address() as AddressInfo;
          assert.equal(await m.ok(`${fetching} /mnt/net 127.0.0.1 ${port} /page`), page);
          web.close();
        });
      }

      it('fetch.sh says why it could not connect', async () => {
        const port = portOf(await peers.freePort());
        const { status, output } = await m.run(`/mnt/io/fetch.sh /mnt/net 127.0.0.1 ${port} /`);
        assert.equal(status, 1);
        assert.match(output, /connection refused/);
      });

      it('serve-page.sh serves a page to curl', async () => {
        const page = m.guest.give('page', 'the page\n'.repeat(10_000));
        const serving = m.ok(`/mnt/io/serve-page.sh /mnt/net 0 ${page}`);
        const [, at] = await m.guest.says(/serving at (\S+)\n/);
        const { stdout } = await run('curl', ['-sS', '--max-time', '10', `http://${at}/some/page`]);
        assert.equal(stdout, 'the page\n'.repeat(10_000));
        assert.match(await serving, /asked for \/some\/page by GET\n/);
      });
    });

    describe('the end', () => {
      it('umount is busy while somebody reads, and succeeds when he is gone', async () => {
        const port = await says('');
        const out = await m.ok(`dial ${port}; exec 4<tcp/$n/data; cat <&4 & blocked read $!
          cd /; umount /mnt/net 2>&1 | grep -o busy; kill $!; wait $! 2>/dev/null; exec 3>&- 4>&-
          umount /mnt/net && echo gone`);
        assert.equal(out, 'busy\ngone\n');
        await until(() => m.server.sessions.size === 0);
      });

      it('it is mounted again, and a lazy umount with a blocked reader ends when he does', async () => {
        await m.ok(`mount -i -t 9p -o ${m.options} 10.0.2.2 /mnt/net`, { prelude: '' });
        const port = await says('');
        await m.ok(`dial ${port}; cat tcp/$n/data & blocked read $!; exec 3>&-; cd /
          umount -l /mnt/net; kill $!; wait $! 2>/dev/null; true`);
        await until(() => m.server.sessions.size === 0);
        await m.ok(`mount -i -t 9p -o ${m.options} 10.0.2.2 /mnt/net`, { prelude: '' });
        assert.match(await m.ok('cat tcp/stats'), /^MaxConn/m);
      });
    });
  });
}
