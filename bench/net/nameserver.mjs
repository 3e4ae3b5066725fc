// The tests' name server (nsd), as a process that prints its port and the pid of nsd as a JSON array, and
// ends with its input.
import { tsImport } from 'tsx/esm/api';

const { NameServer } = await tsImport('../../test/support/nameserver.ts', import.meta.url);
const server = await NameServer.start();

async function stop() {
  await server.stop();
  process.exit();
}

process.on('SIGTERM', stop);
console.log(JSON.stringify([server.port, server.pid]));
process.stdin.resume().on('end', stop);
