/** The client against the real server, in every dialect, over a unix socket. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { announce, connect, dial, NinepError, type Client } from '../../src/client/index.ts';
import { Server } from '../../src/server/server.ts';
import { unixDoor } from '../../src/server/transport/unix.ts';
import { DIALECTS } from './fake.ts';

const REASON = new Error('the test gave up');

/** A TCP server on loopback that does `serve` with each connection. */
async function listener(serve: (socket: Socket) => void): Promise<{ server: TcpServer; address: string }> {
  const server = createServer({ allowHalfOpen: true }, socket => serve(socket.on('error', () => {})));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return { server, address: `tcp!127.0.0.1!${(server.address() as AddressInfo).port}` };
}

const echo = (socket: Socket): unknown => socket.pipe(socket);

for (const dialect of DIALECTS) {
  describe(`the client and the server in ${dialect}`, () => {
    let dir: string;
    let server: Server;
    let client: Client;
    const listeners: TcpServer[] = [];
    const sockets: Socket[] = [];

    async function listening(serve: (socket: Socket) => void): Promise<string> {
      const { server: listening, address } = await listener(socket => {
        sockets.push(socket);
        serve(socket);
      });
      listeners.push(listening);
      return address;
    }

    beforeEach(async () => {
      dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
      server = new Server();
      const options = { mode: 0o600, squash: false, users: server.users };
      await server.addDoor(onClient => unixDoor(join(dir, 'sock'), options, onClient));
      client = await connect(`unix!${dir}/sock`, { dialect });
    });

    afterEach(() => {
      client.close();
      server.close();
      for (const each of listeners.splice(0)) each.close();
      for (const each of sockets.splice(0)) each.destroy();
      rmSync(dir, { recursive: true });
    });

    it('speak it', () => {
      assert.equal(client.dialect, dialect);
    });

    it('list and stat the tree', async () => {
      assert((await client.readdir('')).some(({ name }) => name === 'tcp'));
      const listed = await client.ls('tcp');
      assert(listed.some(({ name }) => name === 'clone'));
      const clone = await client.stat('tcp/clone');
      assert.deepEqual([clone.name, clone.isDirectory], ['clone', false]);
      assert.equal(
        dialect === '9P2000' ? clone.owner : clone.uid,
        dialect === '9P2000' ? userName() : process.getuid!(),
      );
      assert((await client.stat('tcp')).isDirectory);
    });

    it('list a file as itself', async () => {
      assert.deepEqual(
        (await client.ls('tcp/clone')).map(({ name }) => name),
        ['clone'],
      );
    });

    it('do not list what is no directory', async () => {
      await assert.rejects(client.readdir('tcp/stats'), { name: 'NinepError', text: 'not a directory' });
      assert((await client.readdir('')).length > 0);
    });

    it('list many conversations', async () => {
      const files = await Promise.all(Array.from({ length: 300 }, () => client.open('tcp/clone', 'rw')));
      const names = (await client.ls('tcp')).map(({ name }) => name);
      for (let i = 0; i < 300; i++) assert(names.includes(String(i)));
      await Promise.all(files.map(file => file.close()));
    });

    it('name a file that is not there', async () => {
      await assert.rejects(client.stat('tcp/99999/ctl'), error => {
        assert(error instanceof NinepError);
        return error.code === 'ENOENT' && error.text === 'file does not exist';
      });
    });

    it('change modes', async () => {
      await client.chmod('tcp/clone', 0o640);
      assert.equal((await client.stat('tcp/clone')).mode, 0o640);
      await client.chmod('tcp/clone', old => old.mode | 0o020);
      assert.equal((await client.stat('tcp/clone')).mode, 0o660);
    });

    it('talk to an echo server', async () => {
      const call = await dial(client, await listening(echo));
      await call.data.write('hello');
      assert.equal((await call.data.read()).toString(), 'hello');
      assert.match(await call.local(), /^127\.0\.0\.1!\d+$/);
      assert.match(await call.remote(), /^127\.0\.0\.1!\d+$/);
      await call.close();
    });

    it('carry a megabyte there and back through a stream', async () => {
      const call = await dial(client, await listening(echo));
      const stream = call.duplex();
      const sent = Buffer.from(Uint32Array.from({ length: 1 << 18 }, (_, i) => i * 2654435761).buffer);
      stream.write(sent);
      const received: Buffer[] = [];
      let length = 0;
      for await (const chunk of stream) {
        received.push(chunk as Buffer);
        length += (chunk as Buffer).length;
        if (length >= sent.length) break;
      }
      assert(Buffer.concat(received).equals(sent));
      stream.destroy();
    });

    it('end a file where the remote ends', async () => {
      const call = await dial(client, await listening(socket => socket.end('bye')));
      assert.equal((await call.data.readAll()).toString(), 'bye');
      await call.close();
    });

    it('end the connection when the conversation is closed', async () => {
      let ended: () => void;
      const end = new Promise<void>(resolve => (ended = resolve));
      const call = await dial(client, await listening(socket => socket.resume().on('end', ended)));
      await call.close();
      await end;
    });

    it('say why a call was refused', async () => {
      const { server: gone, address } = await listener(echo);
      await new Promise(resolve => gone.close(resolve));
      await assert.rejects(dial(client, address), error => {
        assert(error instanceof NinepError);
        return error.code === 'ECONNREFUSED' && error.text === 'connection refused';
      });
    });

    it('give up a read that waits, and lose nothing', async () => {
      let arrived: (socket: Socket) => void;
      const remote = new Promise<Socket>(resolve => (arrived = resolve));
      const call = await dial(client, await listening(socket => arrived(socket)));
      const aborter = new AbortController();
      const reading = call.data.read(undefined, undefined, aborter.signal);
      aborter.abort(REASON);
      await assert.rejects(reading, error => error === REASON);
      const next = call.data.read();
      (await remote).write('late');
      assert.equal((await next).toString(), 'late');
      await call.close();
    });

    it('take calls, each as a conversation of its own', async () => {
      const announcement = await announce(client, 'tcp!127.0.0.1!0');
      const address = `tcp!${await announcement.local()}`;
      const [other, first, second] = [
        await connect(`unix!${dir}/sock`, { dialect }),
        announcement.listen(),
        announcement.listen(),
      ];
      const calls = await Promise.all([dial(other, address), dial(other, address)]);
      const taken = await Promise.all([first, second]);
      assert.notEqual(taken[0].dir, taken[1].dir);
      for (const call of calls) await call.data.write('hi');
      for (const call of taken) assert.equal((await call.data.read()).toString(), 'hi');
      other.close();
      await Promise.all(taken.map(call => call.close()));
      await announcement.close();
    });

    it('stop waiting for calls', async () => {
      const announcement = await announce(client, 'tcp!127.0.0.1!0');
      const aborter = new AbortController();
      const listening = announcement.listen({ signal: aborter.signal });
      aborter.abort(REASON);
      await assert.rejects(listening, error => error === REASON);
      await announcement.close();
    });

    it('end everything when the server ends', async () => {
      const announcement = await announce(client, 'tcp!127.0.0.1!0');
      const listening = announcement.listen();
      listening.catch(() => {});
      await client.stat('tcp');
      server.close();
      await assert.rejects(listening, { name: 'TransportError' });
      await client.closed;
    });
  });
}

function userName(): string {
  return new Server().owner.name;
}
