// A plain UDP relay, as one would write it in Node: the yardstick for what passes through a process.
// Usage: relay.mjs PORT... (targets on 127.0.0.1); prints its own ports as a JSON array in the same order
// and ends with its input. It serves who wrote last.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const HOST = '127.0.0.1';
const RECEIVE_BUFFER = 1 << 20;

async function relayTo(target) {
  const near = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER });
  const far = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER });
  let client;
  near.on('message', (bytes, from) => {
    client = from.port;
    far.send(bytes);
  });
  far.on('message', bytes => near.send(bytes, client, HOST));
  // A client that is gone.
  for (const socket of [near, far]) socket.on('error', () => {});
  near.bind(0, HOST);
  far.connect(target, HOST);
  await Promise.all([once(near, 'listening'), once(far, 'connect')]);
  return near.address().port;
}

const ports = await Promise.all(process.argv.slice(2).map(target => relayTo(Number(target))));
console.log(JSON.stringify(ports));
process.stdin.resume().on('end', () => process.exit());
