/**
 * A server in a network namespace, as a process, since a namespace is a process's own. It obeys lines on
 * stdin and answers each with one on stdout:
 *
 *   run SCRIPT   in a shell, in the namespace
 *   tell         what the files say and, at the same time, what ip(8) says: JSON
 *   read FILE    one file, as JSON
 */
import { execFileSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { interfaceIndexOf } from '../../src/host/rtnetlink.ts';
import { parseIp } from '../../src/netfs/address.ts';
import { FsError } from '../../src/netfs/error.ts';
import { Server } from '../../src/server/server.ts';
import { DirectTree } from '../support/direct.ts';

const server = new Server();
const tree = new DirectTree(server, server.owner);

const text = async (path: string): Promise<string> => (await tree.readFile(path)).toString();

const ip = (...args: string[]): unknown => {
  const said = execFileSync('ip', ['-j', ...args], { stdio: ['ignore', 'pipe', 'pipe'] }).toString();
  return said.trim() === '' ? [] : JSON.parse(said);
};

function ipSays(): Record<string, unknown> {
  const table = (family: string, name: string): unknown => {
    try {
      return ip(family, 'route', 'show', 'table', name);
    } catch {
      // It is not there before there is something in it.
      return [];
    }
  };
  return {
    address: ip('address'),
    main4: table('-4', 'main'),
    local4: table('-4', 'local'),
    main6: table('-6', 'main'),
    local6: table('-6', 'local'),
    neighbours: ip('neighbour'),
    groups: ip('maddress'),
  };
}

async function filesSay(): Promise<Record<string, unknown>> {
  const numbers = (await tree.readdir('ipifc')).map(({ name }) => name).filter(name => /^\d+$/.test(name));
  return {
    arp: await text('arp'),
    iproute: await text('iproute'),
    ipselftab: await text('ipselftab'),
    status: await Promise.all(numbers.map(number => text(`ipifc/${number}/status`))),
  };
}

/** The kernel goes on, with IPv6's detection of duplicates for one: both say the same of one time. */
async function tell(): Promise<unknown> {
  for (;;) {
    const before = ipSays();
    const files = await filesSay();
    const after = ipSays();
    if (JSON.stringify(before) === JSON.stringify(after)) return { ip: after, files };
  }
}

async function answer(line: string): Promise<unknown> {
  const [word = '', rest = ''] = [line.split(' ')[0], line.slice(line.indexOf(' ') + 1)];
  switch (word) {
    case 'run':
      return execFileSync('sh', ['-ec', rest], { stdio: ['ignore', 'pipe', 'inherit'] }).toString();
    case 'tell':
      return tell();
    case 'read':
      return text(rest);
    case 'index':
      return interfaceIndexOf(parseIp(rest)!) ?? null;
    default:
      throw new Error(`what is ${line}?`);
  }
}

const say = (what: unknown): void => void process.stdout.write(`said ${JSON.stringify(what)}\n`);

for await (const line of createInterface({ input: process.stdin })) {
  try {
    say(await answer(line));
  } catch (error) {
    say({ error: error instanceof FsError ? error.sentence : String(error) });
  }
}
