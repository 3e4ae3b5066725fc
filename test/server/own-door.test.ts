/** A door on every address is behind each address that the kernel takes for this machine's own. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { connect, NinepError, type Client } from '../../src/client/index.ts';
import { hostDialer } from '../../src/host/dialer.ts';
import { formatIp } from '../../src/netfs/address.ts';
import type { Dialer } from '../../src/netfs/dialer.ts';
import { FsError } from '../../src/netfs/error.ts';
import { Server } from '../../src/server/server.ts';
import { tcpDoor } from '../../src/server/transport/tcp.ts';
import { unixDoor } from '../../src/server/transport/unix.ts';

/** An address that no interface shows: one of an interface that is down, or of a local route. */
const HIDDEN = '10.50.0.7';
const FOREIGN = '10.50.0.8';

describe('a door on every address', () => {
  let dir: string;
  let server: Server;
  let client: Client;
  let dialled: string[];

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    dialled = [];
    const dialer: Dialer = {
      ...hostDialer,
      probe: local => {
        if (formatIp(local.ip) === FOREIGN) return Promise.reject(new FsError('Enotlocal'));
        return formatIp(local.ip) === HIDDEN ? Promise.resolve(local) : hostDialer.probe(local);
      },
      connect: to => {
        dialled.push(formatIp(to.ip));
        return Promise.reject(new FsError('Econrefused'));
      },
    };
    server = new Server({ dialer });
    const path = join(dir, 'sock');
    await server.addDoor(on => unixDoor(path, { mode: 0o600, squash: false, users: server.users }, on));
    client = await connect(`unix!${path}`);
  });

  afterEach(() => {
    client.close();
    server.close();
    rmSync(dir, { recursive: true });
  });

  async function dial(address: string): Promise<string> {
    const ctl = await client.open('tcp/clone', 'rw');
    const error = await ctl.write(`connect ${address}`).then(
      () => assert.fail('connected'),
      (thrown: unknown) => thrown,
    );
    await ctl.close();
    assert(error instanceof NinepError);
    return error.text;
  }

  it('is not dialled by an address that the host has and no interface shows', async () => {
    const { address } = await server.addDoor(on => tcpDoor('0.0.0.0', 0, { trust: true }, on));
    for (const host of [HIDDEN, '127.0.0.1', '127.3.2.1']) {
      assert.equal(await dial(`${host}!${address!.port}`), 'permission denied');
    }
    assert.deepEqual(dialled, []);
  });

  it('does not stand in the way to other machines, nor to other ports', async () => {
    const { address } = await server.addDoor(on => tcpDoor('0.0.0.0', 0, { trust: true }, on));
    assert.equal(await dial(`${FOREIGN}!${address!.port}`), 'connection refused');
    assert.equal(await dial(`${HIDDEN}!1`), 'connection refused');
    assert.deepEqual(dialled, [FOREIGN, HIDDEN]);
  });
});

describe('a client that has nothing to say', () => {
  it('is let go', async () => {
    const server = new Server({ limits: { fids: 1, tags: 1, writeBytes: 1, handshakeMs: 1 } });

    const silent = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
    const session = server.serve(silent, { caller: server.owner, claims: 'self' });
    await session.ended;
    assert.equal(server.sessions.size, 0);
    assert(silent.destroyed);
  });
});
