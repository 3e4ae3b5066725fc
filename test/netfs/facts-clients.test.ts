/**
 * What programs written for Plan 9 do with the facts of the host: Go's net (ipsock_plan9.go,
 * interface_plan9.go, parse.go) and 9front's readipifc(2), by which its cs and ipconfig know the interfaces.
 */
import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { formatIp, parseIp } from '../../src/netfs/address.ts';
import { forEachDoor } from '../support/fixture.ts';
import { address, ifc, ip, lo, Machine, route } from '../support/facts.ts';
import type { OpenFile, Tree } from '../support/tree.ts';

/** Go's file of lines: a buffer of one page, filled as far as it goes, from wherever the last read ended. */
class GoFile {
  private readonly file: OpenFile;
  private data = '';
  private atEnd = false;

  private constructor(file: OpenFile) {
    this.file = file;
  }

  static async open(client: Tree, path: string): Promise<GoFile> {
    return new GoFile(await client.open(path, 'r'));
  }

  /** undefined is what Go calls !ok. */
  async readLine(): Promise<string | undefined> {
    const line = this.take();
    if (line !== undefined) return line;
    while (this.data.length < 4096 && !this.atEnd) {
      const part = await this.file.read(4096 - this.data.length);
      if (part.length === 0) this.atEnd = true;
      this.data += part.toString();
    }
    return this.take();
  }

  private take(): string | undefined {
    const end = this.data.indexOf('\n');
    if (end < 0 && !(this.atEnd && this.data.length > 0)) return undefined;
    const line = end < 0 ? this.data : this.data.slice(0, end);
    this.data = end < 0 ? '' : this.data.slice(end + 1);
    return line;
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

const fields = (line: string): string[] => line.split(/[ \r\t\n]+/).filter(Boolean);

/** The digits a text begins with. */
const leadingNumber = (text: string): number | undefined => {
  const digits = /^-?\d+/.exec(text)?.[0];
  return digits === undefined || Math.abs(Number(digits)) >= 0xffffff ? undefined : Number(digits);
};

interface GoInterface {
  readonly index: number;
  readonly name: string;
  readonly mtu: number;
  readonly mac: string;
  readonly loopback: boolean;
}

/** Go's net, on a tree that its programs find at `netdir`. */
class Go {
  private readonly client: Tree;
  private readonly netdir: string;

  constructor(client: Tree, netdir: string) {
    this.client = client;
    this.netdir = netdir;
  }

  private open(path: string): Promise<GoFile> {
    assert(path.startsWith(`${this.netdir}/`), `${path} is not below ${this.netdir}`);
    return GoFile.open(this.client, path.slice(this.netdir.length + 1));
  }

  /** supportsIPv4 and supportsIPv6, before every dial. */
  async probe(query: '4i' | '6i'): Promise<boolean> {
    const file = await this.open(`${this.netdir}/iproute`);
    let found = false;
    for (let line = await file.readLine(); line !== undefined && !found; line = await file.readLine()) {
      const words = fields(line);
      if (words.length >= 3) found = words.includes(query);
    }
    await file.close();
    return found;
  }

  /** net.Interfaces */
  async interfaces(): Promise<GoInterface[]> {
    const names = (await this.client.readdir('ipifc')).map(({ name }) => name);
    const count = names.filter(name => leadingNumber(name) !== undefined).length;
    const all: GoInterface[] = [];
    for (let i = 0; i < count; i++) all.push(await this.readInterface(i));
    return all;
  }

  private async readInterface(i: number): Promise<GoInterface> {
    const name = `${this.netdir}/ipifc/${i}`;
    const status = await this.open(`${name}/status`);
    const line = (await status.readLine()) ?? assert.fail(`invalid interface status file: ${name}`);
    const [, device = '', , mtu = ''] = fields(line);
    await status.close();
    const loopback = device === '/dev/null';
    return {
      index: i + 1,
      name,
      mtu: leadingNumber(mtu) ?? assert.fail(`invalid status file of interface: ${name}`),
      mac: loopback ? '' : await this.readAddr(device),
      loopback,
    };
  }

  private async readAddr(device: string): Promise<string> {
    const file = await this.open(`${device}/addr`);
    const line = (await file.readLine()) ?? assert.fail(`invalid address file for interface: ${device}/addr`);
    await file.close();
    assert(line.length % 2 === 0 && /^[0-9a-f]*$/.test(line), line);
    return line;
  }

  /** net.InterfaceAddrs: the first of each interface. */
  async interfaceAddrs(): Promise<string[]> {
    const all: string[] = [];
    for (const { name } of await this.interfaces()) {
      const status = await this.open(`${name}/status`);
      assert((await status.readLine()) !== undefined, `cannot read header line for interface: ${name}`);
      const line = (await status.readLine()) ?? assert.fail(`cannot read IP address for interface: ${name}`);
      await status.close();
      const [address = '', mask = ''] = fields(line);
      const found = parseIp(address) ?? assert.fail(`cannot parse IP address for interface: ${name}`);
      const length = leadingNumber(mask.slice(1)) ?? assert.fail(`cannot parse network mask: ${name}`);
      all.push(`${formatIp(found)}/${found.family === 4 ? length - 96 : length}`);
    }
    return all;
  }
}

interface Ipifc {
  readonly index: number;
  readonly dev: string;
  readonly mtu: number;
  readonly pktin: number;
  readonly lifcs: readonly { readonly ip: string; readonly mask: string; readonly net: string }[];
}

/** readipifc(2), of a directory: the first line is names and values by turns, each other has five words. */
async function readipifc(client: Tree): Promise<Ipifc[]> {
  const all: Ipifc[] = [];
  for (const { name } of await client.readdir('ipifc')) {
    if (name === 'clone' || name === 'stats') continue;
    const text = (await client.readFile(`ipifc/${name}/status`)).toString();
    assert(text.startsWith('device ') && !text.startsWith('device  '), text);
    const [first = '', ...rest] = text.split('\n');
    const words = fields(first);
    assert.equal(words.length % 2, 0);
    const value = (field: string): string => words[words.indexOf(field) + 1] ?? '';
    const lifcs = rest
      .map(fields)
      .filter(line => line.length >= 5)
      .map(([ip = '', mask = '', net = '']) => ({ ip, mask, net }));
    all.push({
      index: Number(name),
      dev: value('device'),
      mtu: Number(value('maxtu')),
      pktin: Number(value('pktin')),
      lifcs,
    });
  }
  return all;
}

function machine(...interfaces: Machine['all'][number][]): Machine {
  const made = new Machine();
  made.all = interfaces;
  return made;
}

let made: Machine;
const NETDIR = '/mnt/net';

forEachDoor(
  'a program of Plan 9',
  t => {
    const go = (): Go => new Go(t.client, NETDIR);

    describe("with Go's net", () => {
      it('has IPv4 where there is a network of it', async () => {
        assert.deepEqual([await go().probe('4i'), await go().probe('6i')], [false, false]);
        made.known = [route('127.0.0.0/8', { kind: 'local', interfaceIndex: 1 })];
        assert.deepEqual([await go().probe('4i'), await go().probe('6i')], [true, false]);
      });

      it('has IPv6 where there is a network of it, be it only the loopback', async () => {
        made.known = [route('::1/128', { kind: 'local', interfaceIndex: 1 })];
        assert.deepEqual([await go().probe('4i'), await go().probe('6i')], [false, true]);
      });

      it('finds it behind thousands of routes', async () => {
        const many = Array.from({ length: 5000 }, (_, i) =>
          route(`10.${i >> 8}.${i & 255}.0/24`, { gateway: ip('192.0.2.1') }),
        );
        made.known = [...many, route('2001:db8::/64')];
        assert.deepEqual([await go().probe('4i'), await go().probe('6i')], [false, true]);
      });

      it('takes no route by a gateway for it', async () => {
        made.known = [route('0.0.0.0/0', { gateway: ip('192.0.2.1') })];
        assert.equal(await go().probe('4i'), false);
      });

      it('lists the interfaces with their mtu and hardware address', async () => {
        assert.deepEqual(await go().interfaces(), [
          { index: 1, name: `${NETDIR}/ipifc/0`, mtu: 65536, mac: '', loopback: true },
          { index: 2, name: `${NETDIR}/ipifc/1`, mtu: 1500, mac: '020000000003', loopback: false },
          { index: 3, name: `${NETDIR}/ipifc/2`, mtu: 1420, mac: '', loopback: false },
        ]);
      });

      it('lists them when some have gone and others have lost their addresses', async () => {
        made.all = made.all.filter(({ name }) => name !== 'eth1');
        made.all = [...made.all, ifc(9, 'eth9'), ifc(10, 'eth10', { addresses: [address('fe80::1/64')] })];
        assert.deepEqual(await go().interfaceAddrs(), ['127.0.0.1/8', '10.9.0.1/32', 'fe80::1/64']);
      });

      it('lists the addresses', async () => {
        assert.deepEqual(await go().interfaceAddrs(), ['127.0.0.1/8', '192.0.2.7/24', '10.9.0.1/32']);
      });
    });

    describe('with readipifc', () => {
      it('knows every address, and the network or the other end', async () => {
        assert.deepEqual(await readipifc(t.client), [
          {
            index: 0,
            dev: '/dev/null',
            mtu: 65536,
            pktin: 0,
            lifcs: [
              { ip: '127.0.0.1', mask: '/104', net: '127.0.0.0' },
              { ip: '::1', mask: '/128', net: '::1' },
            ],
          },
          {
            index: 1,
            dev: `${NETDIR}/ipifc/eth1`,
            mtu: 1500,
            pktin: 7,
            lifcs: [
              { ip: '192.0.2.7', mask: '/120', net: '192.0.2.0' },
              { ip: '2001:db8::7', mask: '/64', net: '2001:db8::' },
            ],
          },
          {
            index: 2,
            dev: `${NETDIR}/ipifc/wg0`,
            mtu: 1420,
            pktin: 0,
            lifcs: [{ ip: '10.9.0.1', mask: '/128', net: '10.9.0.2' }],
          },
        ]);
      });
    });
  },
  () => ({
    netdir: NETDIR,
    facts: (made = machine(
      lo('127.0.0.1/8', '::1/128'),
      ifc(2, 'eth0'),
      ifc(3, 'eth1', { packetsIn: 7, addresses: [address('192.0.2.7/24'), address('2001:db8::7/64')] }),
      ifc(4, 'wg0', {
        mac: new Uint8Array(),
        mtu: 1420,
        addresses: [address('10.9.0.1/32', { peer: ip('10.9.0.2') })],
      }),
    )),
  }),
);

forEachDoor("a program of Plan 9, on this machine's own facts,", t => {
  it("with Go's net finds what Node finds", async () => {
    const go = new Go(t.client, '/net');
    // Node's has those that are up.
    const here = Object.entries(networkInterfaces());
    const local = (await go.interfaces()).filter(({ loopback }) => loopback);
    assert.equal(local.length, here.filter(([, found]) => found?.some(({ internal }) => internal)).length);
    const addresses = new Set(await go.interfaceAddrs());
    for (const [, found] of here) assert(addresses.has(found![0]!.cidr!), found![0]!.cidr!);
    assert.equal(await go.probe('4i'), true);
  });
});
