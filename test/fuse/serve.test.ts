/** `slashnet serve --mount`, and scripts of nothing but the shell that use the network through it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { need, needFuse } from '../support/packages.ts';
import { ALICE, asAlice, isRoot, Lines, Namespace, sourcesIn, until } from './namespace.ts';

const PAGE = Array.from({ length: 5000 }, (_, i) => `line ${i} of the page\n`).join('');

/** The root, as ls sorts it. */
const LISTING = `arp
cs
dial
dns
explain
ipifc
iproute
ipselftab
log
ndb
tcp
udp
view
zone
`;

describe('slashnet serve --mount', function () {
  this.timeout(30_000);
  let work: string;
  let dir: string;
  let ns: Namespace;
  let http: Server;
  let port: number;

  before(async function () {
    this.timeout(120_000);
    needFuse();
    need({ fusermount3: 'fuse3', curl: 'curl' });
    http = createServer((_request, response) => response.end(PAGE)).listen(0, '127.0.0.1');
    await once(http, 'listening');
    port = (http.address() as AddressInfo).port;
  });

  after(() => {
    http.closeAllConnections();
    http.close();
  });

  beforeEach(() => {
    work = mkdtempSync(join(tmpdir(), 'slashnet-'));
    chmodSync(work, 0o755);
    dir = join(work, 'net');
    mkdirSync(dir);
  });

  afterEach(async () => {
    // A test that was left out has made none.
    await (ns as Namespace | undefined)?.end();
    rmSync(work, { recursive: true, force: true });
  });

  /** The sources and Node as seen in the namespace. */
  let at: { node: string; slashnet: string };

  interface Way {
    readonly make: () => Promise<Namespace>;
    readonly by?: readonly string[];
    /** Also for who may not come to where the sources are. */
    readonly moved?: true;
  }

  const WAYS: Record<string, Way> = {
    'as root': { make: () => Namespace.ofRoot() },
    'in a user namespace': { make: () => Namespace.make(['-U', '-r', '-m']) },
    'as an ordinary user': {
      by: asAlice,
      moved: true,
      make: () => {
        chownSync(dir, ALICE, ALICE);
        return Namespace.ofOthers(work, Namespace.ordinary(work));
      },
    },
  };

  for (const [how, { make, by = [], moved }] of Object.entries(WAYS)) {
    describe(how, () => {
      before(function () {
        if (moved === true && !isRoot) this.skip();
      });

      beforeEach(async () => {
        at = sourcesIn(moved === true ? work : undefined);
        ns = await make();
      });

      const slashnet = (...args: string[]): Lines =>
        ns.run(['sh', '-c', 'exec "$@" 2>&1', 'sh', at.node, `${at.slashnet}/bin/slashnet.js`, ...args], {
          by,
        });

      const script = (name: string, ...args: string[]): Lines => scriptIn('bash', name, ...args);

      const scriptIn = (shell: string, name: string, ...args: string[]): Lines =>
        ns.run([shell, `${at.slashnet}/test/scripts/${name}`, dir, ...args], { by });

      async function serving(...args: string[]): Promise<Lines> {
        const server = slashnet('serve', '--mount', dir, ...args);
        assert.equal(await server.says('slashnet: mounted on'), dir);
        return server;
      }

      it('has a script of exec, read, echo and cat fetch a page from an HTTP server', async () => {
        await serving();
        const fetched = script('fetch.sh', '127.0.0.1', String(port), '/');
        assert.equal(await fetched.everything(), PAGE);
      });

      for (const shell of ['bash', 'dash']) {
        it(`has ${shell} fetch it by opening the address, and told why it cannot`, async () => {
          await serving();
          const fetched = scriptIn(shell, 'dial.sh', 'localhost', String(port), '/');
          assert.equal(await fetched.everything(), PAGE);
          const refused = scriptIn(shell, 'dial.sh', '127.0.0.1', '1', '/');
          await refused.closed;
          assert.notEqual(refused.child.exitCode, 0);
          const told = ns.run(['sh', '-c', `exec 3<>'${dir}/dial/tcp!127.0.0.1!1'`], { by });
          await told.closed;
          assert.notEqual(told.child.exitCode, 0);
        });
      }

      it('has such a script serve a page to curl', async () => {
        await serving();
        const file = join(work, 'page');
        writeFileSync(file, PAGE);
        const page = script('serve-page.sh', '0', file);
        const url = `http://${await page.says('serving at')}/some/where`;
        const curl = new Lines(['curl', '-sS', '--http1.0', url]);
        assert.equal(await curl.everything(), PAGE);
        assert.equal(await page.says('asked for'), '/some/where by GET');
        await page.closed;
      });

      it('ends in good order by SIGTERM, and when it is unmounted', async () => {
        const first = await serving();
        first.child.kill('SIGTERM');
        await first.closed;
        assert.equal(first.child.exitCode, 0);
        assert.deepEqual(ns.at(dir), []);
        const second = await serving();
        const unmount = moved === true ? ['fusermount3', '-u', dir] : ['umount', dir];
        await ns.run(unmount, { by }).closed;
        await second.closed;
        assert.equal(second.child.exitCode, 0);
      });

      it('is gone within two seconds after kill -9, and the next one just works', async () => {
        const server = await serving();
        const reader = ns.run(['sh', '-c', `exec 3<>${dir}/tcp/clone; echo open; read -r x`], { by });
        await reader.says('open');
        const killed = Date.now();
        await server.kill();
        await until(() => ns.at(dir).length === 0);
        assert(Date.now() - killed < 2000);
        await serving();
        assert.equal(await ns.run(['ls', dir], { by }).everything(), LISTING);
      });

      it('--background returns when it is mounted, or says why it is not', async () => {
        const started = slashnet('serve', '--mount', dir, '--background');
        assert.equal(await started.everything(), '');
        assert.equal(started.child.exitCode, 0);
        assert.equal(await ns.run(['ls', dir], { by }).everything(), LISTING);
        const again = slashnet('serve', '--mount', dir, '--background');
        assert.match(await again.everything(), /^slashnet: serve: a slashnet of .* is running on .* already/);
        assert.equal(again.child.exitCode, 1);
        const unmount = moved === true ? ['fusermount3', '-u', dir] : ['umount', dir];
        await ns.run(unmount, { by }).closed;
        assert.deepEqual(ns.at(dir), []);
      });
    });
  }

  it('by a line of fstab goes on in the background, with the source that the line has', async function () {
    if (!isRoot) this.skip();
    at = sourcesIn(undefined);
    // mount(8) has a PATH of its own, so the program is named whole.
    const program = join(work, 'slashnet');
    const fstab = join(work, 'fstab');
    writeFileSync(program, `#!/bin/sh\nexec ${at.node} ${at.slashnet}/bin/slashnet.js "$@"\n`);
    chmodSync(program, 0o755);
    writeFileSync(fstab, `${program}#net ${dir} fuse3 allow_other 0 0\n`);
    ns = await Namespace.ofRoot();
    const mounting = ns.run(['mount', '-T', fstab, dir]);
    assert.equal(await mounting.everything(), '');
    assert.match(ns.at(dir)[0]!, /fuse\.slashnet net .*allow_other/);
    assert.equal(await ns.run(['ls', dir]).everything(), LISTING);
    await ns.run(['umount', dir]).closed;
  });
});
