/** A real name server on loopback: Debian's nsd, with the zones of a test. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { find, need } from './packages.ts';

/** Zones as master files (RFC 1035, 5), by the name of their root. */
export type Zones = Readonly<Record<string, string>>;

/** A zone with every type of record that dns(8) names, and some that it does not. */
export const EXAMPLE: Zones = {
  'example.test': `
$TTL 300
@            IN SOA   ns1 hostmaster 7 3600 600 86400 60
@            IN NS    ns1
@            IN NS    ns2
@            IN MX    10 mail
@            IN MX    20 backup.elsewhere.test.
@            IN TXT   "v=spf1 -all"
@            IN TXT   "one, " "two"
@            IN CAA   0 issue "ca.example.test"
@            IN A     192.0.2.1
@            IN HTTPS 1 . alpn=h2
ns1          IN A     192.0.2.53
ns2          IN A     192.0.2.54
mail         IN A     192.0.2.25
www          IN CNAME web
web          IN A     192.0.2.80
web          IN A     192.0.2.81
web          IN AAAA  2001:db8::80
six          IN AAAA  2001:db8::6
four         IN A     192.0.2.4
far          IN CNAME host.other.test.
gone         IN CNAME nothing
round        IN CNAME about
about        IN CNAME round
_sip._tcp    IN SRV   1 5 5060 sip
sip          IN A     192.0.2.60
nomail       IN MX    0 .
typed        IN TYPE65 \\# 3 000100
new          IN TYPE65333 \\# 4 DEADBEEF
naptr        IN NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:info@example.test!" .
key          IN SSHFP 4 2 123456789ABCDEF67890123456789ABCDEF67890123456789ABCDEF123456789
cert         IN TLSA  3 1 1 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF
place        IN LOC   52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
odd\\.label   IN A     192.0.2.99
big          IN TXT   "${'a'.repeat(255)}" "${'b'.repeat(255)}" "${'c'.repeat(255)}" "${'d'.repeat(255)}" "${'e'.repeat(255)}" "${'f'.repeat(255)}"
utf          IN TXT   "gr\\195\\188\\195\\159e"
quote        IN TXT   "say \\"hello\\"\\010back\\\\slash"
`,
  'other.test': `
$TTL 300
@            IN SOA   ns1.example.test. hostmaster 7 3600 600 86400 60
@            IN NS    ns1.example.test.
host         IN A     192.0.2.200
`,
  '2.0.192.in-addr.arpa': `
$TTL 300
@            IN SOA   ns1.example.test. hostmaster 7 3600 600 86400 60
@            IN NS    ns1.example.test.
80           IN PTR   web.example.test.
`,
  '8.b.d.0.1.0.0.2.ip6.arpa': `
$TTL 300
@            IN SOA   ns1.example.test. hostmaster 7 3600 600 86400 60
@            IN NS    ns1.example.test.
0.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 IN PTR web.example.test.
`,
};

export class NameServer {
  readonly port: number;
  private readonly child: ChildProcess;
  private readonly dir: string;

  private constructor(child: ChildProcess, dir: string, port: number) {
    this.child = child;
    this.dir = dir;
    this.port = port;
  }

  /** `127.0.0.1!PORT`, as --dns has it. */
  get address(): string {
    return `127.0.0.1!${this.port}`;
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** One that answers, by UDP and TCP. */
  static async start(zones: Zones = EXAMPLE): Promise<NameServer> {
    need({ nsd: 'nsd' });
    const dir = mkdtempSync(join(tmpdir(), 'slashnet-nsd-'));
    const port = await freePort();
    writeFileSync(join(dir, 'nsd.conf'), configuration(zones, dir, port));
    for (const [name, text] of Object.entries(zones)) writeFileSync(join(dir, name), text);
    const child = spawn(find('nsd')!, ['-d', '-c', join(dir, 'nsd.conf')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const server = new NameServer(child, dir, port);
    try {
      await says(child, /nsd started/);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const gone = once(this.child, 'exit');
      this.child.kill('SIGTERM');
      await gone;
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function configuration(zones: Zones, dir: string, port: number): string {
  const server = [
    'server:',
    `  ip-address: 127.0.0.1@${port}`,
    '  server-count: 1',
    // As whoever runs the tests.
    '  username: ""',
    '  chroot: ""',
    `  zonesdir: "${dir}"`,
    '  pidfile: ""',
    `  xfrdfile: "${dir}/xfrd.state"`,
    `  zonelistfile: "${dir}/zone.list"`,
    `  xfrdir: "${dir}"`,
    // A test asks as often as it likes.
    '  rrl-ratelimit: 0',
    '  verbosity: 1',
    'remote-control:',
    '  control-enable: no',
  ];
  const zone = (name: string): string[] => ['zone:', `  name: "${name}"`, `  zonefile: "${name}"`];
  return `${[...server, ...Object.keys(zones).flatMap(zone)].join('\n')}\n`;
}

/** Waits for a line on stderr. */
function says(child: ChildProcess, pattern: RegExp): Promise<void> {
  let said = '';
  return new Promise((resolve, reject) => {
    child.stderr!.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (pattern.test(said)) resolve();
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`nsd ended: ${said}`)));
  });
}

/** A port that is free for UDP and TCP now. */
async function freePort(): Promise<number> {
  for (;;) {
    const tcp = createServer().listen({ host: '127.0.0.1', port: 0 });
    await once(tcp, 'listening');
    const { port } = tcp.address() as AddressInfo;
    const udp = createSocket('udp4');
    udp.bind(port, '127.0.0.1');
    const free = await once(udp, 'listening').then(
      () => true,
      () => false,
    );
    udp.close();
    await new Promise(resolve => tcp.close(resolve));
    if (free) return port;
  }
}
