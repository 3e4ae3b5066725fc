// Run in a network namespace of its own, which has a pair of interfaces: prints what HostDatagrams does there.
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { HostDatagrams } from '../../src/host/datagrams.ts';
import { ANY, formatIp, parseIp, type Ip } from '../../src/netfs/address.ts';
import type { Datagram, Datagrams } from '../../src/netfs/dialer.ts';
import { Server } from '../../src/server/server.ts';
import { DirectTree } from '../support/direct.ts';

const ip = (text: string): Ip => parseIp(text)!;
const any = { ip: ANY, port: 0 };

function configure(): void {
  const run = (line: string): void => void execFileSync('ip', line.split(' '));
  run('link add v0 type veth peer name v1');
  // Addresses count at once, without asking the link whether somebody else has them.
  for (const name of ['v0', 'v1']) writeFileSync(`/proc/sys/net/ipv6/conf/${name}/accept_dad`, '0');
  for (const name of ['lo', 'v0', 'v1']) run(`link set ${name} up`);
  run('addr add fd00::1/64 dev v0 nodad');
  run('addr add 10.9.0.1/24 dev v0');
}

/** The next datagram; the socket is told when it is there. */
async function next(
  socket: Datagrams,
): Promise<{ text: string; from: string; to: string; interface: string }> {
  let got: Datagram | undefined;
  await new Promise<void>(resolve => {
    socket.whenReadable(() => {
      got = socket.receive();
      if (got === undefined) return;
      socket.whenReadable(undefined);
      resolve();
    });
  });
  const { bytes, from, to } = got!;
  return {
    text: bytes.toString(),
    from: formatIp(from.ip),
    to: formatIp(to),
    interface: formatIp(got!.interface),
  };
}

async function group(): Promise<unknown> {
  const server = HostDatagrams.open(undefined, { local: any });
  server.join(ip('ff02::1234'), ip('fd00::1'));
  const { port } = server.local;
  const client = HostDatagrams.open(
    { ip: ip('ff02::1234'), port },
    { local: { ip: ip('fd00::1'), port: 0 } },
  );
  client.send(Buffer.from('to all'));
  const heard = await next(server);
  server.leave(ip('ff02::1234'), ip('fd00::1'));
  client.close();
  server.close();
  return { ...heard, ours: localAddresses('v0').includes(heard.interface) };
}

const localAddresses = (name: string): string[] =>
  (networkInterfaces()[name] ?? []).map(({ address }) => formatIp(ip(address)));

/** A peer whose address says nothing of the link is answered by the interface that heard him. */
async function linkLocal(): Promise<unknown> {
  const server = HostDatagrams.open(undefined, { local: any });
  const own = localAddresses('v0').find(address => address.startsWith('fe80'))!;
  const peer = createSocket('udp6');
  const theirs = localAddresses('v1').find(address => address.startsWith('fe80'))!;
  peer.bind({ address: `${theirs}%v1`, port: 0 });
  await once(peer, 'listening');
  peer.send('here', server.local.port, `${own}%v1`);
  const heard = await next(server);
  const from = { ip: ip(heard.from), port: peer.address().port };
  server.send(Buffer.from('there'), { to: from, from: ip(heard.to) });
  const [answer, info] = (await once(peer, 'message')) as [Buffer, { address: string }];
  peer.close();
  server.close();
  return { text: heard.text, answer: answer.toString(), by: info.address === `${own}%v1` };
}

async function broadcast(): Promise<unknown> {
  const server = HostDatagrams.open(undefined, { local: any });
  const to = { ip: ip('10.9.0.255'), port: server.local.port };
  const client = HostDatagrams.open(to, {});
  client.send(Buffer.from('to all'));
  const heard = await next(server);
  client.close();
  server.close();
  return heard;
}

/** A router in a namespace of its own, and behind it networks where nobody is. */
function addRouter(): void {
  const run = (line: string): void => void execFileSync('ip', line.split(' '));
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run']);
  run('netns add router');
  run('link add v2 type veth peer name r0 netns router');
  writeFileSync('/proc/sys/net/ipv6/conf/v2/accept_dad', '0');
  run('link set v2 up');
  run('addr add 10.8.0.1/24 dev v2');
  run('addr add fd08::1/64 dev v2 nodad');
  run('route add 10.7.0.0/24 via 10.8.0.2');
  run('-6 route add fd07::/64 via fd08::2');
  const script = `
    echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
    echo 0 >/proc/sys/net/ipv6/conf/r0/accept_dad
    ip link set r0 up; ip addr add 10.8.0.2/24 dev r0; ip addr add fd08::2/64 dev r0 nodad
    ip link add r1 type veth peer name r2; ip link set r1 up; ip link set r2 up
    ip addr add 10.7.0.2/24 dev r1; ip addr add fd07::2/64 dev r1 nodad`;
  execFileSync('ip', ['netns', 'exec', 'router', 'sh', '-ec', script]);
}

/** What traceroute(1) does: a datagram that lives for one hop, and who says that it is gone. */
async function trace(to: string): Promise<unknown> {
  const server = new Server();
  const tree = new DirectTree(server, server.owner);
  const ctl = await tree.open('udp/clone', 'rw');
  await ctl.write('ttl 1');
  await ctl.write(`connect ${to}!33434`);
  const data = await tree.open('udp/0/data', 'rw');
  await data.write('who is there?');
  const failure = await data.read(1).catch((error: Error) => error.message);
  const told = { failure, err: (await tree.readFile('udp/0/err')).toString() };
  tree.close();
  return told;
}

configure();
addRouter();
const result = {
  group: await group(),
  linkLocal: await linkLocal(),
  broadcast: await broadcast(),
  trace4: await trace('10.7.0.9'),
  trace6: await trace('fd07::9'),
};
process.stdout.write(JSON.stringify(result));
