/** arp, iproute, ipselftab and ipifc as files. ip(3) */
import assert from 'node:assert/strict';
import { FsError } from '../../src/netfs/error.ts';
import { forEachDoor } from '../support/fixture.ts';
import { address, ifc, ip, lo, Machine, route } from '../support/facts.ts';

const FILES = ['arp', 'iproute', 'ipselftab', 'ipifc/stats'];
const OF_INTERFACE = ['addr', 'ctl', 'local', 'remote', 'status'];
const DENIED = ['permission denied', 'EACCES'] as const;

let machine: Machine;

/** A loopback, an interface without an address, and one with. */
function plain(): Machine {
  const made = new Machine();
  made.all = [
    lo('127.0.0.1/8', '::1/128'),
    ifc(2, 'eth0'),
    ifc(3, 'eth1', { addresses: [address('192.0.2.7/24')] }),
  ];
  made.known = [route('192.0.2.0/24', { interfaceIndex: 3 })];
  made.near = [
    { ip: ip('192.0.2.1'), mac: Uint8Array.of(1, 2, 3, 4, 5, 6), interfaceIndex: 3, state: 'stale' },
  ];
  return made;
}

forEachDoor(
  'the facts of the host',
  t => {
    const names = async (path: string): Promise<string[]> =>
      (await t.client.readdir(path)).map(({ name }) => name);
    const files = [...FILES, ...OF_INTERFACE.map(name => `ipifc/1/${name}`)];

    it('are files of mode 0444', async () => {
      for (const path of files) {
        const { mode, isDirectory, length } = await t.client.stat(path);
        assert.deepEqual({ mode, isDirectory, length }, { mode: 0o444, isDirectory: false, length: 0 }, path);
      }
    });

    it('refuse to be written, truncated, changed', async () => {
      for (const path of files) {
        for (const mode of ['w', 'rw'] as const) await t.refuses(t.client.open(path, mode), ...DENIED);
        await t.refuses(t.client.writeFile(path, 'add 0 0 0'), ...DENIED);
      }
    });

    it('are what the machine has', async () => {
      assert.match(
        await t.text('iproute'),
        /^192\.0\.2\.0 +\/120 192\.0\.2\.0 +4i +ifc +1 0\.0\.0\.0 +\/96 \n$/,
      );
      assert.match(await t.text('arp'), /^ether {2}OK {3}192\.0\.2\.1 +010203040506 +192\.0\.2\.7\n$/);
      assert.match(await t.text('ipselftab'), /^192\.0\.2\.7 +01 +4u$/m);
      assert.match(await t.text('ipifc/stats'), /^Forwarding: \d\nDefaultTTL: \d+\nInReceives: \d+\n/);
    });

    it('are those of now, also in a file that was opened before', async () => {
      const file = await t.client.open('iproute');
      const before = (await file.read(4096, 0)).toString();
      machine.known = [...machine.known, route('198.51.100.0/24', { gateway: ip('192.0.2.1') })];
      const after = (await file.read(4096, 0)).toString();
      assert(!before.includes('198.51.100.0'));
      assert(after.includes('198.51.100.0'));
      assert(after.startsWith(before));
      assert.equal(await t.text('iproute'), after);
    });

    it('are of one time, however small the reads', async () => {
      machine.known = Array.from({ length: 100 }, (_, i) => route(`10.0.${i}.0/24`));
      const whole = await t.text('iproute');
      const file = await t.client.open('iproute');
      const parts = [await file.read(100, 0)];
      machine.known = [];
      for (let at = 100; at < whole.length; at += 100) parts.push(await file.read(100, at));
      assert.equal(Buffer.concat(parts).toString(), whole);
    });

    it('are all there with ten thousand routes, and the machine is asked once', async () => {
      machine.known = Array.from({ length: 10_000 }, (_, i) => route(`10.${i >> 8}.${i & 255}.0/24`));
      const { asked } = machine;
      const lines = (await t.text('iproute')).split('\n');
      assert.equal(lines.length, 10_001);
      assert(machine.asked - asked <= 3, String(machine.asked - asked));
    });

    it('say so when the kernel refuses to tell', async () => {
      machine.routes = () => {
        throw new FsError('Eperm', 'the server may not use netlink');
      };
      await t.refuses(t.text('iproute'), ...DENIED);
      await t.text('arp');
    });

    describe('ipifc', () => {
      it('has a directory for each interface that has an address, without a gap, then clone and stats', async () => {
        assert.deepEqual(await names('ipifc'), ['0', '1', 'clone', 'stats']);
        assert.deepEqual(await names('ipifc/1'), OF_INTERFACE);
        assert.match(
          await t.text('ipifc/1/status'),
          /^device \S*\/ipifc\/eth1 maxtu 1500 .*\n\t192\.0\.2\.7 /,
        );
      });

      it('follows the interfaces as they come and go', async () => {
        machine.all = [...machine.all, ifc(9, 'eth9', { addresses: [address('198.51.100.1/24')] })];
        assert.deepEqual(await names('ipifc'), ['0', '1', '2', 'clone', 'stats']);
        assert.match(await t.text('ipifc/2/status'), /\/eth9 /);
        machine.all = machine.all.filter(({ name }) => name !== 'eth1');
        assert.deepEqual(await names('ipifc'), ['0', '1', 'clone', 'stats']);
        assert.match(await t.text('ipifc/1/status'), /\/eth9 /);
      });

      it('knows an interface by its name too, whatever its number', async () => {
        machine.all = [ifc(1, 'a', { addresses: [address('192.0.2.1/24')] }), ...machine.all.slice(1)];
        for (const file of OF_INTERFACE)
          assert.equal(await t.text(`ipifc/eth1/${file}`), await t.text(`ipifc/1/${file}`));
        assert.equal(await t.text('ipifc/eth1/ctl'), '1');
        assert.equal(await t.text('ipifc/eth1/addr'), '020000000003\n');
        assert.deepEqual(await names('ipifc/eth1'), OF_INTERFACE);
      });

      it('has nothing else', async () => {
        for (const name of ['2', '01', '-1', 'eth0', 'eth7', 'toString', '__proto__', '99999999999999999999'])
          await t.refuses(t.client.stat(`ipifc/${name}`), 'file does not exist', 'ENOENT');
        await t.refuses(t.client.stat('ipifc/0/data'), 'file does not exist', 'ENOENT');
      });

      it('gives every file a qid of its own', async () => {
        const paths = ['ipifc', ...['clone', 'stats', '0', '1', 'eth1'].map(name => `ipifc/${name}`)];
        for (const dir of ['0', '1', 'lo', 'eth1'])
          paths.push(...OF_INTERFACE.map(name => `ipifc/${dir}/${name}`));
        const qids = await Promise.all(paths.map(async path => (await t.client.stat(path)).qid.path));
        assert.equal(new Set(qids).size, paths.length);
      });

      it('takes no name that is a number or a file for an interface', async () => {
        const named = ['0', 'clone', "a'b"].map((name, i) =>
          ifc(5 + i, name, { addresses: [address('10.0.0.1/8')] }),
        );
        machine.all = [...machine.all, ...named];
        for (const number of [2, 3, 4])
          assert.match(await t.text(`ipifc/${number}/status`), new RegExp(`^device \\S*/ipifc/${number} `));
        assert.match(await t.text('ipifc/0/status'), /^device \/dev\/null /);
        await t.refuses(t.client.open('ipifc/clone', 'r'), ...DENIED);
      });

      it('makes no interface', async () => {
        for (const mode of ['r', 'w', 'rw'] as const)
          await t.refuses(t.client.open('ipifc/clone', mode), ...DENIED);
      });

      it('says that a file is gone when its interface is, and shows it again with the interface', async () => {
        const before = machine.all;
        const file = await t.client.open('ipifc/eth1/status');
        machine.all = [];
        await t.refuses(file.read(4096, 0), 'file does not exist', 'ENOENT');
        machine.all = before;
        assert.match((await file.read(4096, 0)).toString(), /^device /);
      });

      it('looks to netstat like a protocol of conversations', async () => {
        assert.notEqual(await t.text('ipifc/0/local'), '');
        assert.equal(await t.text('ipifc/0/remote'), '::!0\n');
        assert.equal(await t.text('ipifc/1/ctl'), '1');
      });

      it('lists a thousand interfaces and tells of each', async () => {
        machine.all = Array.from({ length: 1000 }, (_, i) =>
          ifc(i + 1, `veth${i}`, { addresses: [address(`10.${i >> 8}.${i & 255}.1/24`)] }),
        );
        const listed = await names('ipifc');
        assert.deepEqual(
          listed.slice(0, -2),
          Array.from({ length: 1000 }, (_, i) => String(i)),
        );
        assert.match(await t.text('ipifc/999/status'), /\/veth999 .*\n\t10\.3\.231\.1 /);
      });
    });
  },
  () => ({ facts: (machine = plain()), netdir: '/net' }),
);
