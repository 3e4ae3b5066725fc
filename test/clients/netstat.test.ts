/** What Plan 9's netstat reads, and how. */
import assert from 'node:assert/strict';
import { netstat } from '../../src/client/index.ts';
import type { ServerOptions } from '../../src/server/server.ts';
import { forEachDialect, forEachDoor, type Fixture } from '../support/fixture.ts';
import { facts } from '../support/machine.ts';
import type { Tree } from '../support/tree.ts';
import { endpoint, open, read } from './libc.ts';

interface Line {
  readonly protocol: string;
  readonly number: string;
  readonly owner: number | string | undefined;
  readonly state: string;
  readonly local: string;
  readonly remote: string;
}

/** A directory of the root is a protocol when its first conversation has a local. */
async function isProtocol(tree: Tree, name: string): Promise<boolean> {
  return tree.stat(`${name}/0/local`).then(
    () => true,
    () => false,
  );
}

async function lines({ client }: Fixture): Promise<Line[]> {
  const found: Line[] = [];
  for (const { name: protocol } of await client.readdir('')) {
    if (!(await isProtocol(client, protocol))) continue;
    for (const { name } of await client.readdir(protocol)) {
      if (name === 'clone' || name === 'stats') continue;
      const dir = `/net/${protocol}/${name}`;
      const status = await open(client, `${dir}/status`, 'r');
      const [state] = (await read(status, 128)).split(' ');
      await status.close();
      const [local, remote] = [
        await endpoint(client, `${dir}/local`),
        await endpoint(client, `${dir}/remote`),
      ];
      const { uid, owner } = await client.stat(`${protocol}/${name}`);
      found.push({
        ...{ protocol, number: name, owner: owner ?? uid, state: state! },
        ...{ local: `${local.system} ${local.service}`, remote: `${remote.system} ${remote.service}` },
      });
    }
  }
  return found;
}

/** Interfaces are listed as conversations of ipifc, as on Plan 9; here there are none. */
const options = (): ServerOptions => ({ facts: facts([]) });

forEachDoor(
  "Plan 9's netstat",
  t => {
    it('finds nothing where there was no conversation yet', async () => {
      assert.deepEqual(await lines(t), []);
    });

    it('finds every conversation, closed ones too, with owner, state and both ends', async () => {
      const { port } = await t.announce();
      const { socket } = await t.connect();
      await (await t.clone()).ctl.close();
      const datagrams = await t.announce('*!0', t.client, 'udp');
      const { uid, name } = t.server.owner;
      const owner = (await t.client.stat('tcp/0')).owner === undefined ? uid : name;
      const of = (number: string, state: string, local: string, remote: string): Line => ({
        ...{ protocol: 'tcp', number, owner, state, local, remote },
      });
      const udp = { ...of('0', 'Open', `:: ${datagrams.port}`, ':: 0'), protocol: 'udp' };
      assert.deepEqual(await lines(t), [
        of('0', 'Listen', `127.0.0.1 ${port}`, ':: 0'),
        of('1', 'Established', `127.0.0.1 ${socket.remotePort}`, `127.0.0.1 ${socket.localPort}`),
        of('2', 'Closed', ':: 0', ':: 0'),
        udp,
      ]);
    });
  },
  options,
);

forEachDialect(
  'the netstat of this client',
  t => {
    it("finds the same as Plan 9's", async () => {
      await t.announce();
      await t.connect();
      await (await t.clone()).ctl.close();
      const ours = (await netstat(t.client, { all: true })).map(({ number, state, local, remote }) => ({
        ...{
          number: String(number),
          state,
          local: local.replace('!', ' '),
          remote: remote.replace('!', ' '),
        },
      }));
      const theirs = (await lines(t)).map(({ number, state, local, remote }) => ({
        number,
        state,
        local,
        remote,
      }));
      assert.deepEqual(ours, theirs);
    });
  },
  options,
);
