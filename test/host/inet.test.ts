/** A connected datagram socket hears its peer and nobody else, not even who was faster than connect(2). */
import assert from 'node:assert/strict';
import {
  bindTo,
  connectTo,
  datagramSocket,
  hasWaiting,
  localEnd,
  peerOf,
  receiveBytes,
} from '../../src/host/inet.ts';
import { closeFd } from '../../src/host/libc.ts';
import { parseIp, type Endpoint } from '../../src/netfs/address.ts';
import { Station } from '../support/datagrams.ts';

for (const [host, family] of [
  ['127.0.0.1', 4],
  ['::1', 6],
] as const) {
  describe(`a socket between bind and connect (${host})`, () => {
    let fd: number;
    let here: Endpoint;
    let peer: Station;
    let stranger: Station;

    beforeEach(async () => {
      fd = datagramSocket(family);
      bindTo(fd, family, { ip: parseIp(host)!, port: 0 });
      here = localEnd(fd);
      [peer, stranger] = [await Station.bind(host), await Station.bind(host)];
    });

    afterEach(() => {
      closeFd(fd);
      peer.close();
      stranger.close();
    });

    it('gives nothing of what a stranger sent it then', async () => {
      for (let i = 0; i < 3; i++) await stranger.send('stray', here.port, host);
      const end = { ip: parseIp(host)!, port: peer.port };
      connectTo(fd, family, end);
      assert.equal(hasWaiting(fd, peerOf(end)), false);
      await peer.send('mine', here.port, host);
      assert.equal(hasWaiting(fd, peerOf(end)), true);
      assert.equal(receiveBytes(fd, peerOf(end))?.toString(), 'mine');
      assert.equal(receiveBytes(fd, peerOf(end)), undefined);
    });

    it('skips it where it lies between others', async () => {
      for (const from of [stranger, peer, stranger, peer, stranger]) {
        await from.send(from === peer ? 'mine' : 'stray', here.port, host);
      }
      const end = { ip: parseIp(host)!, port: peer.port };
      connectTo(fd, family, end);
      const read = (): string | undefined => receiveBytes(fd, peerOf(end))?.toString();
      assert.deepEqual([read(), read(), read()], ['mine', 'mine', undefined]);
    });
  });
}
