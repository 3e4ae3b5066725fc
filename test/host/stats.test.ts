/** The names of stats, and whose numbers they are. 9front's tcp.c, udp.c and ip.c. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { hostIpStats, hostTcpStats, hostUdpStats } from '../../src/host/stats.ts';

function numbers(text: string): Map<string, number> {
  assert(text.endsWith('\n'));
  return new Map(
    text
      .slice(0, -1)
      .split('\n')
      .map(line => {
        const [, name, value] = /^([A-Za-z]+): (\d+)$/.exec(line) ?? assert.fail(`not a line: ${line}`);
        return [name!, Number(value)];
      }),
  );
}

const names = (text: string): string[] => [...numbers(text).keys()];

const NONE = { datagramsIn: 0, datagramsOut: 0, drops: 0 };

describe('tcp/stats', () => {
  const stats = (): string => hostTcpStats(99, { activeOpens: 3, passiveOpens: 4 });

  it("has all of 9front's names, in its order", () => {
    assert.deepEqual(
      names(stats()),
      (
        'MaxConn MaxSegment ActiveOpens PassiveOpens EstabResets CurrEstab InSegs OutSegs RetransSegs' +
        ' RetransSegsSent RetransTimeouts InErrs OutRsts CsumErrs HlenErrs LenErrs OutOfOrder Resequenced' +
        ' ReseqBytelim ReseqPktlim Delayack Wopenack Recovery RecoveryDone RecoveryRTO RecoveryNoSeq' +
        ' RecoveryCwind RecoveryPA'
      ).split(' '),
    );
  });

  it("has this server's connections, and the kernel's segments", async () => {
    const before = numbers(stats());
    assert.deepEqual(
      [before.get('MaxConn'), before.get('ActiveOpens'), before.get('PassiveOpens')],
      [99, 3, 4],
    );
    const listener = createServer(socket => socket.end('x')).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const socket = connect((listener.address() as AddressInfo).port, '127.0.0.1').resume();
    await once(socket, 'close');
    listener.close();
    assert(numbers(stats()).get('OutSegs')! > before.get('OutSegs')!);
  });
});

describe('udp/stats', () => {
  it("has 9front's names, then ours", () => {
    assert.deepEqual(names(hostUdpStats(NONE)), [
      'InDatagrams',
      'NoPorts',
      'InErrors',
      'OutDatagrams',
      'Drops',
    ]);
  });

  it("has this server's datagrams, and what the kernel had no port for, of IPv6 too", async () => {
    const stats = numbers(hostUdpStats({ datagramsIn: 5, datagramsOut: 6, drops: 7 }));
    assert.deepEqual(
      ['InDatagrams', 'OutDatagrams', 'Drops'].map(name => stats.get(name)),
      [5, 6, 7],
    );
    for (const [type, host] of [
      ['udp4', '127.0.0.1'],
      ['udp6', '::1'],
    ] as const) {
      const before = numbers(hostUdpStats(NONE)).get('NoPorts')!;
      const socket = createSocket(type).bind(0, host);
      await once(socket, 'listening');
      const { port } = socket.address();
      socket.close();
      const sender = createSocket(type);
      await new Promise(resolve => sender.send('x', port, host, resolve));
      sender.close();
      assert(numbers(hostUdpStats(NONE)).get('NoPorts')! > before, type);
    }
  });
});

describe('ipifc/stats', () => {
  it("has 9front's names, in its order", () => {
    assert.deepEqual(
      names(hostIpStats()),
      (
        'Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards' +
        ' InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs' +
        ' FragFails FragCreates'
      ).split(' '),
    );
    assert(numbers(hostIpStats()).get('InReceives')! > 0);
  });
});
