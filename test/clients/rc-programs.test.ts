/** rc itself, of Debian's 9base, in a mount: scripts as they are written on Plan 9. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Namespace, sourcesIn, type Lines } from '../fuse/namespace.ts';
import { need, needFuse } from '../support/packages.ts';
import { closedPort } from '../support/remote.ts';

const RC = '/usr/lib/plan9/bin/rc';
const PAGE = Array.from({ length: 2000 }, (_, i) => `line ${i} of the page\n`).join('');

describe('rc', function () {
  this.timeout(30_000);
  let work: string;
  let dir: string;
  let ns: Namespace;
  let http: Server;
  const requests: string[] = [];
  const { node, slashnet } = sourcesIn(undefined);

  before(async function () {
    this.timeout(120_000);
    needFuse();
    need({ [RC]: '9base' });
    // What rc writes ends its lines as Plan 9 does; not every server of HTTP takes that.
    http = createServer(socket => {
      let request = '';
      socket.setEncoding('utf8').on('data', (text: string) => {
        request += text;
        if (!request.endsWith('\n\n')) return;
        requests.push(request);
        socket.end(PAGE);
      });
    }).listen(0, '127.0.0.1');
    await once(http, 'listening');
    work = mkdtempSync(join(tmpdir(), 'slashnet-'));
    dir = join(work, 'net');
    mkdirSync(dir);
    ns = await Namespace.make(['-U', '-r', '-m']);
    const server = ns.run([
      'sh',
      '-c',
      'exec "$@" 2>&1',
      'sh',
      node,
      `${slashnet}/bin/slashnet.js`,
      'serve',
      '--mount',
      dir,
    ]);
    assert.equal(await server.says('slashnet: mounted on'), dir);
  });

  after(async () => {
    await ns.end();
    http.close();
    rmSync(work, { recursive: true, force: true });
  });

  const script = (name: string, port: number): Lines =>
    ns.run([RC, `${slashnet}/test/scripts/${name}`, dir, '127.0.0.1', String(port), '/page']);

  it('fetches a page by the files of a conversation', async () => {
    const { port } = http.address() as AddressInfo;
    const fetched = script('fetch.rc', port);
    // The last thing that it does is to tell, on stderr, what remote says.
    assert.equal(await fetched.everything(), `${PAGE}127.0.0.1!${port}\n`);
    assert.equal(requests.pop(), 'GET /page HTTP/1.0\n\n');
  });

  it('fetches a page by opening an address', async () => {
    const fetched = script('dial.rc', (http.address() as AddressInfo).port);
    assert.equal(await fetched.everything(), PAGE);
    assert.equal(requests.pop(), 'GET /page HTTP/1.0\n\n');
  });

  it('is told by the open of an address that it is refused', async () => {
    const refused = script('dial.rc', await closedPort());
    await refused.closed;
    assert.notEqual(refused.child.exitCode, 0);
  });
});
