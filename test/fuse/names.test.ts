/** cs and ndb as a shell in a mount uses them: echo, cat, > and >>. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { need, needFuse } from '../support/packages.ts';
import { Namespace, isRoot, sourcesIn } from './namespace.ts';

describe('a shell in a mount', function () {
  this.timeout(30_000);
  let work: string;
  let dir: string;
  let ns: Namespace;

  before(function () {
    if (!isRoot) this.skip();
    needFuse();
    need({ fusermount3: 'fuse3' });
  });

  beforeEach(async () => {
    work = mkdtempSync(join(tmpdir(), 'slashnet-'));
    dir = join(work, 'net');
    mkdirSync(dir);
    ns = await Namespace.ofRoot();
    const { node, slashnet } = sourcesIn(undefined);
    const serve = [node, `${slashnet}/bin/slashnet.js`, 'serve', '--mount', dir];
    const server = ns.run(['sh', '-c', 'exec "$@" 2>&1', 'sh', ...serve]);
    await server.says('slashnet: mounted on');
  });

  afterEach(async () => {
    await (ns as Namespace | undefined)?.end();
    rmSync(work, { recursive: true, force: true });
  });

  /** What a script says, run where the tree is mounted. */
  const says = (script: string, shell = 'bash'): Promise<string> =>
    ns.run([shell, '-c', `cd ${dir}\n${script}`]).everything();

  const isSaid = async (script: string, text: string, shell = 'bash'): Promise<void> =>
    assert.equal(await says(script, shell), text, script);

  it('asks cs with echo and reads one answer a read, one question after the other', async () => {
    const one = 'read -r answer <&6; echo "$answer"';
    for (const shell of ['bash', 'sh']) {
      await isSaid(
        `echo 'dom=two.example ip=192.0.2.1 ip=192.0.2.2' > ndb
        exec 6<>cs
        echo 'tcp!192.0.2.7!http' >&6; cat <&6
        echo 'tcp!two.example!9fs' >&6; ${one}; ${one}; cat <&6
        echo 'tcp![2001:db8::1]!https' >&6; cat <&6
        echo '!protocol=udp' >&6; cat <&6`,
        [
          `${dir}/tcp/clone 192.0.2.7!80`,
          `${dir}/tcp/clone 192.0.2.1!564`,
          `${dir}/tcp/clone 192.0.2.2!564`,
          `${dir}/tcp/clone 2001:db8::1!443`,
          'protocol=udp ipv4proto=17',
          '',
        ].join('\n'),
        shell,
      );
    }
  });

  it('dials what cs says', async () => {
    await isSaid(
      `exec 3<>tcp/clone; read -r -u3 n; echo 'announce 127.0.0.1!0' >&3
      port=$(cut -d! -f2 tcp/$n/local)
      exec 6<>cs; echo "tcp!localhost!$port" >&6
      read -r clone address <&6; set -- "$clone" "$address"
      exec 4<>$1; read -r -u4 m; echo "connect $2" >&4
      head -c 11 tcp/$m/status`,
      'Established',
    );
  });

  it('is told by a failed write that a question has no answer', async () => {
    const said = await says(`exec 6<>cs; echo 'tcp!192.0.2.7!nosuch' >&6 || echo failed; cat <&6`);
    assert.match(said, /write error: Invalid argument/);
    assert.match(said, /failed/);
  });

  it('edits ndb with >, >>, cat, tee, cp, truncate and dd', async () => {
    for (const shell of ['bash', 'sh']) {
      await isSaid('echo x > ndb; cat ndb; stat -c %s ndb', 'x\n2\n', shell);
      await isSaid('echo y >> ndb; cat ndb', 'x\ny\n', shell);
      await isSaid(
        `cat > ndb <<'END'
sys=here ip=192.0.2.99
	dom=here.example
END
        cat ndb`,
        'sys=here ip=192.0.2.99\n\tdom=here.example\n',
        shell,
      );
      await isSaid('{ echo a=1; cat /dev/null; echo b=2; } > ndb; cat ndb', 'a=1\nb=2\n', shell);
      await isSaid('{ cat; } <<< c=3 > ndb; cat ndb', 'c=3\n');
      await isSaid('echo d=4 | tee ndb; cat ndb', 'd=4\nd=4\n', shell);
      await isSaid('echo e=5 | tee -a ndb >/dev/null; cat ndb', 'd=4\ne=5\n', shell);
      await isSaid(`echo f=6 > ${work}/f; cp ${work}/f ndb; cat ndb`, 'f=6\n', shell);
      await isSaid('printf g=7 | dd of=ndb conv=notrunc status=none; cat ndb', 'g=7\n', shell);
      await isSaid('truncate -s 0 ndb; cat ndb; stat -c %s ndb', '0\n', shell);
      await isSaid('echo h=8 > ndb; : > ndb; cat ndb', '', shell);
      await isSaid(
        'exec 3>>ndb; echo i=9 >&3; echo j=10 >> ndb; echo k=11 >&3; cat ndb',
        'i=9\nj=10\nk=11\n',
        shell,
      );
    }
  });

  it('is told that a line is none, and ndb is what it was', async () => {
    const said = await says('echo a=1 > ndb; echo =2 > ndb || echo failed; cat ndb');
    assert.match(said, /^failed\na=1\n.*write error: Invalid argument\n$/s);
  });

  it('changes by ndb what cs answers', async () => {
    await isSaid(
      `printf 'sys=printer ip=192.0.2.44\\n' >> ndb
      exec 6<>cs; echo 'tcp!printer!printer' >&6; cat <&6`,
      `${dir}/tcp/clone 192.0.2.44!515\n`,
    );
  });
});
