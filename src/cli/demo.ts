/**
 * The demonstration that `npm run demo` runs: a real HTTP server, a real `slashnet serve`, and HTTP
 * requests made with nothing but files: by 9P, and by a shell in a mount, where this machine lets us
 * mount. Every line that is shown was done.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { connect, NinepError, type Client, type File } from '../client/index.ts';

const show = (line: string): void => void process.stdout.write(`${line}\n`);

async function main(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'slashnet-demo-'));
  const http = createServer((request, response) => {
    response.end(`Hello. You asked for ${request.url}, and all you had was files.\n`);
  });
  let server: ChildProcess | undefined;
  try {
    await once(http.listen(0, '127.0.0.1'), 'listening');
    const socket = join(dir, 'net.sock');
    server = await startServer(socket);
    const client = await connect(`unix!${socket}`);
    const { port } = http.address() as AddressInfo;
    await converse(client, port);
    await refusal(client);
    client.close();
    await mounted(dir, port);
  } finally {
    http.close();
    if (server !== undefined) await stop(server);
    rmSync(dir, { recursive: true });
  }
}

function startServer(socket: string): Promise<ChildProcess> {
  return serve('--listen', `unix!${socket}`);
}

async function serve(...args: string[]): Promise<ChildProcess> {
  const program = fileURLToPath(new URL('../../bin/slashnet.js', import.meta.url));
  const child = spawn(process.execPath, [program, 'serve', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  show(`$ slashnet serve ${args.join(' ')} &`);
  // It says where it is once it is there, or why it is not.
  const [first] = (await once(child.stderr!, 'data')) as [Buffer];
  show(String(first).split('\n')[0]!);
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

async function converse(client: Client, port: number): Promise<void> {
  show('\nA conversation is made by opening clone; the open file is its ctl, and reads as its number:');
  const ctl = await client.open('tcp/clone', 'rw');
  const n = String(await ctl.read());
  show(`  read  /net/tcp/clone        -> ${n}`);
  await write(ctl, `/net/tcp/${n}/ctl`, `connect 127.0.0.1!${port}`);

  show('\nWhere it goes, and how it is:');
  await cat(client, `tcp/${n}/local`);
  await cat(client, `tcp/${n}/remote`);
  await cat(client, `tcp/${n}/status`);

  show('\nThe bytes go through data:');
  const data = await client.open(`tcp/${n}/data`, 'rw');
  await write(data, `/net/tcp/${n}/data`, 'GET /net/tcp/clone HTTP/1.0\r\n\r\n');
  for await (const bytes of data) {
    for (const line of String(bytes).trimEnd().split(/\r?\n/))
      show(`  read  /net/tcp/${n}/data       -> ${line}`);
  }
  await data.close();
  await ctl.close();
}

async function refusal(client: Client): Promise<void> {
  show('\nWho makes a mistake is told:');
  const ctl = await client.open('tcp/clone', 'rw');
  const n = String(await ctl.read());
  await write(ctl, `/net/tcp/${n}/ctl`, 'connect 127.1!80').catch((error: unknown) => {
    if (!(error instanceof NinepError)) throw error;
    show(`                              -> ${error.text}`);
  });
  await cat(client, `tcp/${n}/err`);
  await ctl.close();
}

/** A shell and nothing else, in a mount. */
async function mounted(dir: string, port: number): Promise<void> {
  show('\nMounted, it needs no program but the shell:');
  const net = join(dir, 'net');
  mkdirSync(net);
  const server = await serve('--mount', net);
  try {
    // One that could not mount has said why, and ends.
    if (existsSync(join(net, 'tcp'))) {
      await runShell(filesOnly(net, port));
      show('\nPermissions are the firewall, and a /net within it begins with nothing:');
      await runShell(permissions(net, port));
    } else show('(so this part is left out)');
  } finally {
    await stop(server);
  }
}

const filesOnly = (net: string, port: number): string => `
exec 3<>${net}/tcp/clone; n=$(cat <&3)
echo 'connect 127.0.0.1!${port}' >&3
exec 4<>${net}/tcp/$n/data
printf 'GET /from/a/shell HTTP/1.0\\r\\n\\r\\n' >&4
cat <&4 | tail -n 1
# an address is a file, too: opening it dials
exec 5<>'${net}/dial/tcp!localhost!${port}'
printf 'GET /in/one/line HTTP/1.0\\r\\n\\r\\n' >&5; cat <&5 | tail -n 1
# names and services are asked for at cs
exec 6<>${net}/cs; echo 'tcp!localhost!http' >&6; cat <&6`;

const permissions = (net: string, port: number): string => `
exec 3<>${net}/view/clone; n=$(cat <&3)
exec 4<>${net}/view/$n/explain; echo 'tcp!127.0.0.1!${port}' >&4; cat <&4
echo 'allow tcp!127.0.0.1!${port}' >&3
exec 5<>'${net}/view/'$n'/dial/tcp!127.0.0.1!${port}'
# a zone without any x is for nobody: who is there already is hung up
echo 'connect tcp!127.0.0.1!${port}' >${net}/zone/never; chmod 0 ${net}/zone/never
cat <&5 2>&1 | sed 's/^cat: -/read/'; grep -o 'verb=hangup.*' <<<"$(timeout 1 cat ${net}/log)"
exec 6<>${net}/explain; echo 'tcp!127.0.0.1!${port}' >&6; cat <&6`;

async function runShell(script: string): Promise<void> {
  for (const line of script.trim().split('\n')) show(`$ ${line}`);
  const shell = spawn('bash', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [answer] = await Promise.all([text(shell.stdout), once(shell, 'exit')]);
  show(answer.trimEnd());
}

async function write(file: File, path: string, text: string): Promise<void> {
  show(`  write ${path.padEnd(21)} <- ${JSON.stringify(text)}`);
  await file.write(text);
}

async function cat(client: Client, path: string): Promise<void> {
  show(`  cat   ${`/net/${path}`.padEnd(21)} -> ${String(await client.readFile(path)).trimEnd()}`);
}

await main();
