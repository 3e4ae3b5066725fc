/** The server never dials its own doors: whoever is let into /net could else become somebody else there. */
import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { tcpDoor } from '../../src/server/transport/tcp.ts';
import { eventually, forEachDoor, isRefusal, type Fixture } from '../support/fixture.ts';
import { call } from '../support/remote.ts';
import { addressesBy } from '../support/resolver.ts';

/** A resolver of the test's: what a hostile name server could answer. */
const answers = new Map<string, string[]>();
const resolver = addressesBy(name => answers.get(name)!);

const DENIED = ['permission denied', 'EACCES'] as const;

/** How many came in by TCP. */
let arrived: number;

/** Opens a TCP door; everybody who comes in is believed. One did: the door is really there. */
async function door(t: Fixture, host: string): Promise<number> {
  arrived = 0;
  const opened = await t.server.addDoor(onClient => {
    const counted: typeof onClient = (...client) => {
      arrived++;
      onClient(...client);
    };
    return tcpDoor(host, 0, { trust: true }, counted);
  });
  const { port } = opened.address!;
  (await call(port, host.includes(':') ? '::1' : '127.0.0.1')).destroy();
  await eventually(() => Promise.resolve(arrived === 1));
  return port;
}

async function refused(t: Fixture, message: string): Promise<void> {
  const { ctl } = await t.clone();
  await t.refuses(ctl.write(message), ...DENIED).catch((error: Error) => {
    throw new Error(`${message}: ${error.message}`);
  });
  // A call that was made all the same would have arrived before this one.
  const { ctl: other } = await t.connect();
  await other.write('hangup');
  assert.equal(arrived, 1, `${message} reached the door`);
}

/** This machine's addresses beside loopback, where the test may reach them. */
const ownAddresses = (family: 'IPv4' | 'IPv6'): string[] =>
  Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .filter(each => each.family === family && !each.internal && !each.address.startsWith('fe80'))
    .map(({ address }) => address);

forEachDoor(
  'the server',
  t => {
    it('does not dial its door on 127.0.0.1, however it is written', async () => {
      const port = await door(t, '127.0.0.1');
      for (const host of ['127.0.0.1', '::ffff:127.0.0.1', '::FFFF:7F00:0001', '[::ffff:127.0.0.1]']) {
        await refused(t, `connect ${host}!${port}`);
        await refused(t, `connect ${host}!${port} 127.0.0.1!0`);
      }
    });

    it('does not dial it by a name either', async () => {
      const port = await door(t, '127.0.0.1');
      answers.set('evil.test', ['127.0.0.1']);
      await refused(t, `connect evil.test!${port}`);
    });

    for (const any of ['0.0.0.0', '::']) {
      it(`does not dial it by a name that is ${any}, which the kernel takes for this machine`, async () => {
        answers.set('evil.test', [any]);
        for (const host of ['127.0.0.1', '0.0.0.0', '::1', '::']) {
          const port = await door(t, host);
          const { ctl } = await t.clone();
          await assert.rejects(ctl.write(`connect evil.test!${port}`), isRefusal, `door on ${host}`);
        }
      });
    }

    it('goes on to the other addresses of such a name', async () => {
      const { port } = await t.remote('127.0.0.2');
      answers.set('both.test', ['127.0.0.1', '127.0.0.2']);
      await t.server.addDoor(onClient => tcpDoor('127.0.0.1', port, { trust: true }, onClient));
      const { dir } = await t.tell(`connect both.test!${port}`);
      assert.equal(await t.text(`${dir}/remote`), `127.0.0.2!${port}\n`);
    });

    it('does not dial its door on ::1', async () => {
      const port = await door(t, '::1');
      for (const host of ['::1', '0:0:0:0:0:0:0:1', '[::1]', '::0.0.0.1'])
        await refused(t, `connect ${host}!${port}`);
    });

    it("does not dial its door on all IPv4 addresses by any of this machine's", async () => {
      const port = await door(t, '0.0.0.0');
      for (const host of [
        '127.0.0.1',
        '127.0.0.2',
        '127.255.255.254',
        '::ffff:127.0.0.1',
        ...ownAddresses('IPv4'),
      ]) {
        await refused(t, `connect ${host}!${port}`);
      }
    });

    it("does not dial its door on all addresses by any of this machine's", async () => {
      const port = await door(t, '::');
      const hosts = ['::1', '127.0.0.1', '127.0.0.2', '::ffff:127.0.0.1'];
      for (const host of [...hosts, ...ownAddresses('IPv4'), ...ownAddresses('IPv6')]) {
        await refused(t, `connect ${host}!${port}`);
      }
    });

    it('says where it stopped in err', async () => {
      const port = await door(t, '127.0.0.1');
      const { ctl, dir } = await t.clone();
      await t.refuses(ctl.write(`connect 127.0.0.1!${port}`), ...DENIED);
      assert.match(await t.text(`${dir}/err`), new RegExp(`^permission denied: 127\\.0\\.0\\.1!${port} `));
    });

    it('dials another port of the same address, and the same port of another', async () => {
      const port = await door(t, '127.0.0.1');
      await t.connect();
      const other = await t.clone();
      await t.refuses(other.ctl.write(`connect 127.0.0.2!${port}`), 'connection refused', 'ECONNREFUSED');
    });

    it('may dial a port again when its door is closed', async () => {
      const opened = await t.server.addDoor(onClient => tcpDoor('127.0.0.1', 0, { trust: true }, onClient));
      opened.close();
      await opened.closed;
      const { ctl } = await t.clone();
      const message = `connect 127.0.0.1!${opened.address!.port}`;
      await t.refuses(ctl.write(message), 'connection refused', 'ECONNREFUSED');
    });

    it('dials what it announces itself: that is no door', async () => {
      const announced = await t.announce();
      const out = await t.tell(`connect 127.0.0.1!${announced.port}`);
      assert.equal(await t.state(out), 'Established');
    });
  },
  () => ({ resolver }),
);
