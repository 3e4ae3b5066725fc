/** Ten thousand conversations at the same time. The server is a process of its own: each takes a descriptor there and one here. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, netstat, NinepError, type Client, type File } from '../../src/client/index.ts';
import { serve, type Child } from './child.ts';
import { until } from './rig.ts';

const CONVERSATIONS = 10_000;
/** What a process needs beside them. */
const SPARE = 500;

describe('ten thousand conversations', function () {
  this.timeout(60_000);
  let dir: string;
  let child: Child;
  let client: Client;
  let peer: Server;
  /** The peer's ends that are open. */
  const sockets = new Set<Socket>();
  /** For each conversation its ctl and its data. */
  const files: { ctl: File; data: File; number: number }[] = [];
  let idle = 0;

  const descriptors = (): number => readdirSync(`/proc/${child.process.pid}/fd`).length;

  before(async () => {
    const limit = Number(execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }));
    assert(
      !(limit < CONVERSATIONS + SPARE),
      `this test needs ${CONVERSATIONS + SPARE} open files and may have ${limit}; raise the limit (ulimit -n)`,
    );
    dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    child = serve(['--listen', `unix!${dir}/sock`, '--conversations', String(CONVERSATIONS)]);
    await child.says(/listening at/);
    client = await connect(`unix!${dir}/sock`, { dialect: '9P2000.L' });
    peer = createServer({ allowHalfOpen: true }, socket => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
      socket.pipe(socket);
    });
    await new Promise<void>(resolve => peer.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, resolve));
    idle = descriptors();
  });

  after(async () => {
    client?.close();
    child?.kill('SIGKILL');
    await child?.ended;
    for (const socket of sockets) socket.destroy();
    peer?.close();
    rmSync(dir, { recursive: true });
  });

  /** Does something for each, a few at a time. */
  async function each<T>(all: Iterable<T>, run: (one: T) => Promise<void>): Promise<void> {
    const left = all[Symbol.iterator]();
    const work = async (): Promise<void> => {
      for (let next = left.next(); next.done !== true; next = left.next()) await run(next.value);
    };
    await Promise.all(Array.from({ length: 100 }, work));
  }

  it('are dialled', async () => {
    const { port } = peer.address() as AddressInfo;
    await each(Array(CONVERSATIONS).keys(), async () => {
      const ctl = await client.open('tcp/clone', 'rw');
      const number = Number((await ctl.read(32, 0)).toString());
      await ctl.write(`connect 127.0.0.1!${port}`);
      files.push({ ctl, number, data: await client.open(`tcp/${number}/data`, 'rw') });
    });
    assert.equal(new Set(files.map(({ number }) => number)).size, CONVERSATIONS);
    await until(() => sockets.size === CONVERSATIONS);
    // Beside those that it has anyway, of which some may have been open for a moment when they were counted.
    assert(descriptors() >= CONVERSATIONS);
  });

  it('are all alive, and none hears another', async () => {
    await each(files, async ({ data, number }) => void (await data.write(`I am ${number}`)));
    await each(files, async ({ data, number }) => {
      assert.equal((await data.read()).toString(), `I am ${number}`);
    });
  });

  it('are all listed', async () => {
    const names = (await client.readdir('tcp')).map(({ name }) => name);
    assert.deepEqual(names, [
      ...Array.from({ length: CONVERSATIONS }, (_, i) => String(i)),
      'clone',
      'stats',
    ]);
  });

  it('are all shown by netstat', async () => {
    const found = await netstat(client);
    assert.equal(found.length, CONVERSATIONS);
    assert(
      found.every(
        ({ number, state, bytesOut }, i) => number === i && state === 'Established' && bytesOut! > 5,
      ),
    );
  });

  it('are the limit that was set: one more finds no free device', async () => {
    await assert.rejects(client.open('tcp/clone', 'rw'), error => {
      return error instanceof NinepError && error.code === 'ENFILE';
    });
    const old = await connect(`unix!${dir}/sock`, { dialect: '9P2000' });
    await assert.rejects(old.open('tcp/clone', 'rw'), /no free devices/);
    old.close();
  });

  it('may be replaced: where one is closed another is taken', async () => {
    const { ctl, data, number } = files.pop()!;
    await data.close();
    await ctl.close();
    const again = await client.open('tcp/clone', 'rw');
    assert.equal((await again.read(32, 0)).toString(), String(number));
    await again.close();
  });

  it('are all closed, and their sockets with them', async () => {
    await each(files, async ({ ctl, data }) => {
      await data.close();
      await ctl.close();
    });
    await until(() => sockets.size === 0);
    await until(() => descriptors() <= idle);
    const first = await client.open('tcp/clone', 'rw');
    assert.equal((await first.read(32, 0)).toString(), '0', 'the lowest number is free');
    await first.close();
  });
});
