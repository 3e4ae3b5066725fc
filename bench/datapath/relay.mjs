// A plain TCP relay, as one would write it in Node: the yardstick for slashnet, which moves
// the same bytes but speaks 9P on one side. Usage: relay.mjs PORT... (targets on 127.0.0.1);
// prints its own ports as a JSON array in the same order and ends with its input.
import net from 'node:net';

function relayTo(port) {
  const server = net.createServer({ noDelay: true }, near => {
    const far = net.connect({ host: '127.0.0.1', port, noDelay: true });
    near.on('error', () => far.destroy());
    far.on('error', () => near.destroy());
    near.pipe(far);
    far.pipe(near);
  });
  return new Promise(resolve =>
    server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => resolve(server.address().port)),
  );
}

const ports = await Promise.all(process.argv.slice(2).map(relayTo));
console.log(JSON.stringify(ports));
process.stdin.resume().on('end', () => process.exit());
