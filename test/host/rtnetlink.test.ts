/** What the files say of a network namespace is what ip(8) says of it, before a change and after. */
import assert from 'node:assert/strict';
import { isRoot, Lines } from '../fuse/namespace.ts';
import { need } from '../support/packages.ts';

const TELLER = new URL('factsteller.ts', import.meta.url).pathname;

interface IpAddress {
  readonly ifname: string;
  readonly ifindex: number;
  readonly mtu: number;
  readonly addr_info: readonly {
    readonly local: string;
    readonly prefixlen: number;
    /** The other end. */
    readonly address?: string;
    readonly valid_life_time: number;
    readonly preferred_life_time: number;
  }[];
}

interface IpHop {
  readonly dev?: string;
  readonly gateway?: string;
  readonly via?: { readonly host: string };
}

interface IpRoute extends IpHop {
  readonly type?: string;
  readonly dst: string;
  readonly nexthops?: readonly IpHop[];
}

interface IpNeighbour {
  readonly dst: string;
  readonly dev: string;
  readonly lladdr?: string;
  readonly state: readonly string[];
}

interface IpGroups {
  readonly ifname: string;
  readonly maddr: readonly { readonly family?: string; readonly address: string }[];
}

interface Told {
  readonly ip: {
    readonly address: readonly IpAddress[];
    readonly main4: readonly IpRoute[];
    readonly local4: readonly IpRoute[];
    readonly main6: readonly IpRoute[];
    readonly local6: readonly IpRoute[];
    readonly neighbours: readonly IpNeighbour[];
    readonly groups: readonly IpGroups[];
  };
  readonly files: {
    readonly arp: string;
    readonly iproute: string;
    readonly ipselftab: string;
    readonly status: readonly string[];
  };
}

const REFUSING = ['blackhole', 'unreachable', 'prohibit', 'throw'];

const linesOf = (text: string): string[] => text.split('\n').filter(Boolean);
const words = (line: string): string[] => line.split(/\s+/).filter(Boolean);

/** IPv4's masks are written behind 96 bits. */
const cidr = (address: string, mask: string): string =>
  `${address}/${Number(mask.slice(1)) - (address.includes(':') ? 0 : 96)}`;

class Host {
  private readonly teller: Lines;

  constructor(by: readonly string[] = []) {
    const alone = isRoot ? ['unshare', '-n'] : ['unshare', '-U', '-r', '-n'];
    this.teller = new Lines([...alone, ...by, process.execPath, '--import=tsx', TELLER]);
  }

  private async ask(line: string): Promise<unknown> {
    this.teller.tell(line);
    return JSON.parse(await this.teller.says('said'));
  }

  async run(...script: string[]): Promise<void> {
    assert.equal(typeof (await this.ask(`run ${script.join('; ')}`)), 'string', script.join('; '));
  }

  async tell(): Promise<Told> {
    const told = await this.ask('tell');
    assert(typeof told === 'object' && told !== null && !('error' in told), JSON.stringify(told));
    return told as Told;
  }

  read(path: string): Promise<unknown> {
    return this.ask(`read ${path}`);
  }

  index(address: string): Promise<unknown> {
    return this.ask(`index ${address}`);
  }

  end(): Promise<void> {
    return this.teller.kill();
  }
}

/** That all files say what ip(8) says. */
function agree({ ip, files }: Told): void {
  const addressed = ip.address.filter(({ addr_info }) => addr_info.length > 0);
  const numbers = new Map(addressed.map(({ ifname }, number) => [ifname, String(number)]));
  agreeOnInterfaces(files.status, addressed);
  agreeOnRoutes(files.iproute, ip, numbers);
  agreeOnSelves(files.ipselftab, ip);
  agreeOnNeighbours(files.arp, ip.neighbours);
}

function agreeOnInterfaces(files: readonly string[], addressed: readonly IpAddress[]): void {
  const shown = files.map(status => {
    const [first = '', ...rest] = linesOf(status);
    const addresses = rest
      .map(words)
      .map(([address = '', mask = '', remote = '', valid = '', preferred = '']) => ({
        address: cidr(address, mask),
        remote,
        lifetimes: [Number(valid), Number(preferred)],
      }));
    return { device: words(first)[1]?.split('/').at(-1), mtu: Number(words(first)[3]), addresses };
  });
  const there = addressed.map(({ ifname, mtu, addr_info }, number) => ({
    device: ifname === 'lo' ? 'null' : ifname,
    mtu,
    addresses: addr_info.map(({ local, prefixlen, address, ...lifetimes }, i) => ({
      address: `${local}/${prefixlen}`,
      // Without another end it is the network, which is not ip's to say.
      remote: address ?? shown[number]?.addresses[i]?.remote,
      lifetimes: [lifetimes.valid_life_time, lifetimes.preferred_life_time].map((seconds, at) =>
        sameTime(seconds, shown[number]?.addresses[i]?.lifetimes[at]),
      ),
    })),
  }));
  assert.deepEqual(shown, there);
}

/** A second goes by between two questions. */
const sameTime = (seconds: number, then: number | undefined): number =>
  then !== undefined && Math.abs(seconds - then) <= 2 ? then : seconds;

function agreeOnRoutes(file: string, ip: Told['ip'], numbers: ReadonlyMap<string, string>): void {
  const shown = linesOf(file)
    .map(words)
    .map(([to = '', mask = '', gateway = '', flags = '', , number = '']) => {
      const kind = flags.slice(1) === 'ip' ? 'i' : flags.slice(1);
      return [cidr(to, mask), kind === '' ? gateway : '', kind, number].join(' ');
    });
  const hops = (family: 4 | 6, routes: readonly IpRoute[]): string[] =>
    routes
      .filter(({ type }) => !REFUSING.includes(type ?? ''))
      .flatMap(({ dst, type, nexthops, ...only }) => {
        const to = targetOf(dst, family);
        return (nexthops ?? [only]).map(({ dev = '', gateway, via }) => {
          const by = gateway ?? via?.host ?? '';
          return [to, by, kindOf(type, by, to, family), numbers.get(dev) ?? '-'].join(' ');
        });
      });
  const there = [...hops(4, [...ip.main4, ...ip.local4]), ...hops(6, [...ip.main6, ...ip.local6])];
  assert.deepEqual([...new Set(shown)].sort(), [...new Set(there)].sort());
}

const ALL = { 4: '0.0.0.0/0', 6: '::/0' } as const;
const BITS = { 4: 32, 6: 128 } as const;

function targetOf(dst: string, family: 4 | 6): string {
  if (dst === 'default') return ALL[family];
  return dst.includes('/') ? dst : `${dst}/${BITS[family]}`;
}

function kindOf(type: string | undefined, gateway: string, to: string, family: 4 | 6): string {
  if (type === 'broadcast') return 'b';
  if (type === 'multicast') return 'm';
  if (type === 'local') return to.endsWith(`/${BITS[family]}`) && to !== '::1/128' ? 'u' : 'i';
  return gateway === '' ? 'i' : '';
}

function agreeOnSelves(file: string, ip: Told['ip']): void {
  const lines = linesOf(file).map(words);
  const shown = (kind: string): Set<string> =>
    new Set(lines.filter(([, , flags]) => flags?.at(-1) === kind).map(([address = '']) => address));
  assert.deepEqual(
    shown('u'),
    new Set(ip.address.flatMap(({ addr_info }) => addr_info.map(({ local }) => local))),
  );
  const broadcast = ip.local4.filter(({ type }) => type === 'broadcast').map(({ dst }) => dst);
  const limited = broadcast.length > 0 ? ['255.255.255.255'] : [];
  assert.deepEqual(shown('b'), new Set([...broadcast, ...limited]));
  const joined = ip.groups.flatMap(({ maddr }) => maddr.filter(({ family }) => family?.startsWith('inet')));
  assert.deepEqual(shown('m'), new Set(joined.map(({ address }) => address)));
}

function agreeOnNeighbours(file: string, neighbours: readonly IpNeighbour[]): void {
  const shown = linesOf(file)
    .map(words)
    .map(([, state, address, mac]) => [address, state === 'OK' ? mac : 'WAIT']);
  const there = neighbours
    .filter(({ state }) => !state.includes('FAILED') && !state.includes('NOARP'))
    .map(({ dst, lladdr, state }) => [
      dst,
      state.includes('INCOMPLETE') ? 'WAIT' : lladdr?.replaceAll(':', ''),
    ]);
  assert.deepEqual(shown.sort(), there.sort());
}

describe('the facts of a network namespace', function () {
  this.timeout(60_000);
  let host: Host;

  before(() => need({ ip: 'iproute2', unshare: 'util-linux' }));
  beforeEach(() => (host = new Host()));
  afterEach(() => host.end());

  const PAIR = [
    'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad',
    'ip link set lo up',
    'ip link add veth0 type veth peer name veth1',
    'ip link set veth0 up',
    'ip link set veth1 up',
  ];

  /** Something is changed, and the files say it. */
  const changes: Record<string, string[]> = {
    'an address comes': [
      'ip address add 192.0.2.7/24 brd + dev veth0',
      'ip -6 address add 2001:db8::7/64 dev veth0 nodad',
    ],
    'a second comes to the same interface': [
      'ip address add 192.0.2.8/24 dev veth0',
      'ip address add 10.1.1.1/8 dev veth0',
    ],
    'one with another end comes': [
      'ip address add 10.9.0.1 peer 10.9.0.2/32 dev veth1',
      'ip address add fd09::1 peer fd09::2/128 dev veth1 nodad',
    ],
    'one that ages comes': [
      'ip -6 address add 2001:db8::8/64 dev veth0 nodad valid_lft 3000 preferred_lft 1000',
    ],
    'an address goes': ['ip address del 192.0.2.8/24 dev veth0'],
    'a route comes': [
      'ip route add 198.51.100.0/24 via 192.0.2.1',
      'ip route add default via 192.0.2.254 metric 5',
      'ip -6 route add default via fe80::1 dev veth0',
      'ip -6 route add 2001:db8:1::/48 via 2001:db8::1',
      'ip route add 203.0.113.9/32 dev veth0',
    ],
    'a route of several ways comes': [
      'ip route add 10.20.0.0/16 nexthop via 192.0.2.1 nexthop via 10.9.0.2 dev veth1',
      'ip -6 route add 2001:db8:2::/48 nexthop via 2001:db8::1 nexthop via fe80::5 dev veth1',
      'ip route add 10.30.0.0/16 via inet6 fe80::1 dev veth0',
    ],
    'routes that refuse come, and such of another table': [
      'ip route add blackhole 10.40.0.0/16',
      'ip route add unreachable 10.41.0.0/16',
      'ip -6 route add prohibit 2001:db8:3::/48',
      'ip route add 10.42.0.0/16 via 192.0.2.1 table 100',
    ],
    'a whole network is local': ['ip route add local 10.50.0.0/16 dev lo'],
    'a route goes': ['ip route del 198.51.100.0/24', 'ip -6 route del 2001:db8:1::/48'],
    'neighbours come': [
      'ip neighbour add 192.0.2.1 lladdr 02:00:00:00:00:01 dev veth0',
      'ip neighbour add 2001:db8::1 lladdr 02:00:00:00:00:02 dev veth0 nud stale',
      'ip neighbour add 10.9.0.2 dev veth1 lladdr 02:00:00:00:00:03 nud reachable',
    ],
    'a neighbour goes': ['ip neighbour del 192.0.2.1 dev veth0'],
    'an interface comes without an address': [
      'ip link add more0 mtu 1400 type veth peer name more1',
      'ip link set more1 up',
    ],
    'it gets one': ['ip address add 172.16.0.1/12 dev more0', 'ip link set more0 up'],
    'an interface is taken down': ['ip link set more0 down'],
    'its name changes': ['ip link set more0 name other0', 'ip link set other0 up'],
    'interfaces go': ['ip link del veth0'],
  };

  it('are those of ip(8), through one change after the other', async () => {
    await host.run(...PAIR);
    agree(await host.tell());
    for (const [what, script] of Object.entries(changes)) {
      await host.run(...script);
      const told = await host.tell();
      try {
        agree(told);
      } catch (error) {
        throw new Error(`when ${what}: ${(error as Error).message}`, { cause: error });
      }
    }
  });

  it('are none where nothing is up', async () => {
    const { files } = await host.tell();
    assert.deepEqual(files, { arp: '', iproute: '', ipselftab: files.ipselftab, status: [] });
  });

  it('say where a neighbour is asked for', async () => {
    await host.run(
      ...PAIR,
      'ip address add 192.0.2.7/24 dev veth0',
      'ip neighbour add 192.0.2.9 dev veth0 nud incomplete',
    );
    assert.match(String(await host.read('arp')), /^ether {2}WAIT 192\.0\.2\.9 {49}192\.0\.2\.7\n$/);
  });

  it('count the packets of an interface as they come', async () => {
    await host.run(...PAIR, 'ip address add 192.0.2.7/24 dev veth0');
    const packets = async (): Promise<number> =>
      Number(/ pktin (\d+) /.exec(String(await host.read('ipifc/lo/status')))![1]);
    const before = await packets();
    await host.run('bash -c "echo x >/dev/udp/127.0.0.1/9"');
    assert((await packets()) > before);
  });

  it('know which interface holds an address', async () => {
    await host.run(
      ...PAIR,
      'ip address add 192.0.2.7/24 dev veth0',
      'ip address add fd00::7/64 dev veth1 nodad',
    );
    const { ip } = await host.tell();
    const indexOf = (name: string): number => ip.address.find(({ ifname }) => ifname === name)!.ifindex;
    assert.equal(await host.index('192.0.2.7'), indexOf('veth0'));
    assert.equal(await host.index('fd00::7'), indexOf('veth1'));
    assert.equal(await host.index('127.0.0.1'), 1);
    assert.equal(await host.index('192.0.2.8'), null);
    await host.run('ip address del 192.0.2.7/24 dev veth0', 'ip address add 192.0.2.7/24 dev veth1');
    assert.equal(await host.index('192.0.2.7'), indexOf('veth1'));
  });

  it('are all there with ten thousand routes, while others come and go', async () => {
    await host.run(
      ...PAIR,
      'ip address add 192.0.2.7/24 dev veth0',
      'for i in $(seq 0 9999); do echo "route add 10.$((i / 256)).$((i % 256)).0/24 via 192.0.2.1"; done | ip -batch -',
    );
    const own = async (): Promise<number> =>
      linesOf(String(await host.read('iproute'))).filter(line => line.startsWith('10.')).length;
    assert.equal(await own(), 10_000);
    await host.run(
      '(for i in $(seq 300); do ip route add 172.16.0.0/12 via 192.0.2.1; ip route del 172.16.0.0/12; done) >/dev/null 2>&1 &',
    );
    for (let i = 0; i < 20; i++) assert.equal(await own(), 10_000);
  });

  it('are refused, and the reason is told, where the server may not use netlink', async () => {
    need({ enosys: 'util-linux-extra' });
    const deaf = new Host(['enosys', '--syscall', 'socket', '--']);
    try {
      for (const file of ['iproute', 'arp', 'ipselftab', 'ipifc/0/status'])
        assert.deepEqual(await deaf.read(file), {
          error:
            'permission denied: the server may not use netlink (ENOSYS); its sandbox must allow AF_NETLINK',
        });
    } finally {
      await deaf.end();
    }
  });
});
