/** Questions to name servers that err, lie, dribble or say nothing. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { Exchange, type ExchangeOptions, type Manner } from '../../../src/host/dns/exchange.ts';
import type { Answer } from '../../../src/host/dns/message.ts';
import type { NameServer } from '../../../src/host/dns/resolvconf.ts';
import { domainOctets } from '../../../src/netfs/domain.ts';
import { FsError } from '../../../src/netfs/error.ts';
import {
  ADDRESS,
  answer,
  Clock,
  framed,
  question,
  record,
  reply,
  RESPONSE,
  ScriptedServer,
  TRUNCATED,
  type Script,
} from './wire.ts';

const NEVER = new AbortController().signal;
const QUESTION = { name: domainOctets('example.test')!, type: 1 };

describe('a question', () => {
  const servers: ScriptedServer[] = [];
  let clock: Clock;

  beforeEach(() => (clock = new Clock()));
  afterEach(() => {
    for (const server of servers.splice(0)) server.stop();
    assert.equal(clock.length, 0, 'nobody waits any more');
  });

  async function serve(script?: Script): Promise<ScriptedServer> {
    const server = await ScriptedServer.start(script);
    servers.push(server);
    return server;
  }

  const exchange = (options: ExchangeOptions = {}): Exchange => new Exchange({ timers: clock, ...options });

  function ask(
    asked: ScriptedServer | readonly NameServer[],
    more: Partial<Manner> = {},
    { by = exchange(), signal = NEVER }: { by?: Exchange; signal?: AbortSignal } = {},
  ): Promise<Answer> {
    const manner = {
      servers: asked instanceof ScriptedServer ? [asked.at] : asked,
      timeoutMs: 5000,
      attempts: 1,
      rotate: false,
      ...more,
    };
    return by.ask(QUESTION, manner, signal, 1);
  }

  const fails = (asking: Promise<unknown>, detail: RegExp): Promise<void> =>
    assert.rejects(asking, (error: unknown) => {
      assert(error instanceof FsError && error.name === 'Edns', String(error));
      assert.match(error.detail ?? '', detail);
      return true;
    });

  const value = (given: Answer): string | undefined => given.records[0]?.value;

  it('is answered', async () => {
    const server = await serve(query => reply(query, { answers: [ADDRESS] }));
    assert.equal(value(await ask(server)), '192.0.2.7');
    assert.deepEqual(
      server.queries.map(({ name, type, edns }) => ({ name, type, edns })),
      [{ name: 'example.test', type: 1, edns: true }],
    );
  });

  it('comes each time from another port, with an id that was drawn for it', async () => {
    const server = await serve(query => reply(query));
    const ids = [7, 7, 65535];
    const by = exchange({ randomId: () => ids.shift()! });
    // They are out at the same time, so that their ports differ for certain.
    await Promise.all([ask(server, {}, { by }), ask(server, {}, { by }), ask(server, {}, { by })]);
    assert.deepEqual(server.queries.map(({ id }) => id).sort(), [65535, 7, 7]);
    assert.equal(new Set(server.queries.map(({ port }) => port)).size, 3);
  });

  it('is not answered by another id, by another question or by what is no message', async () => {
    const server = await serve((query, send) => {
      send(reply(query, { id: query.id ^ 1, answers: [record({ type: 1, data: [6, 6, 6, 6] })] }));
      send(answer({ id: query.id, question: question('evil.test', 1), answers: [ADDRESS] }));
      send(Buffer.from('GET / HTTP/1.0'));
      send(Buffer.alloc(0));
      send(Buffer.alloc(9000, 0xff));
      return reply(query, { answers: [ADDRESS] });
    });
    assert.equal(value(await ask(server)), '192.0.2.7');
  });

  it('is not answered by anybody but the server', async () => {
    const stranger = createSocket('udp4');
    stranger.bind(0, '127.0.0.1');
    await once(stranger, 'listening');
    const server = await serve((query, send) => {
      const forged = reply(query, { answers: [record({ type: 1, data: [6, 6, 6, 6] })] });
      stranger.send(forged, query.port, '127.0.0.1', () => send(reply(query, { answers: [ADDRESS] })));
      return undefined;
    });
    assert.equal(value(await ask(server)), '192.0.2.7');
    stranger.close();
  });

  it('is answered once: what comes later troubles nobody', async () => {
    const server = await serve(query => Array<Buffer>(20).fill(reply(query, { answers: [ADDRESS] })));
    for (let i = 0; i < 20; i++) assert.equal(value(await ask(server)), '192.0.2.7');
  });

  it('is given up at a server that sends heaps of what is no answer', async () => {
    const server = await serve((query, send) => {
      // As fast as it is read, so that none is lost.
      const more = (left: number): void => {
        if (left === 0) return;
        send(reply(query, { id: query.id ^ 1 }));
        setImmediate(more, left - 1);
      };
      more(200);
      return undefined;
    });
    await fails(ask(server), /many datagrams that are no answer/);
  });

  it('goes to the next server when one fails, refuses, or answers what cannot be understood', async () => {
    for (const flags of [RESPONSE | 2, RESPONSE | 4, RESPONSE | 5, RESPONSE | 9]) {
      const bad = await serve(query => reply(query, { flags }));
      const good = await serve(query => reply(query, { answers: [ADDRESS] }));
      assert.equal(value(await ask([bad.at, good.at])), '192.0.2.7');
    }
    const bad = await serve(query => reply(query, { answers: [[0xc0, 0xff]] }));
    const good = await serve(query => reply(query, { answers: [ADDRESS] }));
    assert.equal(value(await ask([bad.at, good.at])), '192.0.2.7');
  });

  it('goes to the next server when one only knows whom else to ask', async () => {
    const authority = [record({ type: 2, data: [0] })];
    const lame = await serve(query => reply(query, { flags: 0x8000, authority }));
    const good = await serve(query => reply(query, { answers: [ADDRESS] }));
    assert.equal(value(await ask([lame.at, good.at])), '192.0.2.7');
  });

  it('goes to the next server when nothing listens at one', async () => {
    const gone = await ScriptedServer.start();
    const { at } = gone;
    gone.stop();
    const good = await serve(query => reply(query, { answers: [ADDRESS] }));
    assert.equal(value(await ask([at, good.at])), '192.0.2.7');
    await fails(ask([at]), /connection refused/);
  });

  it('goes to the next server when one cannot be reached at all', async () => {
    const good = await serve(query => reply(query, { answers: [ADDRESS] }));
    assert.equal(value(await ask([{ address: '255.255.255.255', port: 53 }, good.at])), '192.0.2.7');
  });

  it('goes to the next server when one is silent, and round again', async () => {
    const [first, second] = [await serve(), await serve()];
    const asking = ask([first.at, second.at], { attempts: 2 });
    const failing = fails(asking, /no answer in 5 s/);
    for (const [server, n] of [
      [first, 1],
      [second, 1],
      [first, 2],
      [second, 2],
    ] as const) {
      await server.until(() => server.queries.length === n);
      assert.deepEqual(clock.times, [5000]);
      clock.ring();
    }
    await failing;
  });

  it('begins at another server each time where that is asked for', async () => {
    const [first, second] = [await serve(query => reply(query)), await serve(query => reply(query))];
    const by = exchange();
    for (let i = 0; i < 4; i++) await ask([first.at, second.at], { rotate: true }, { by });
    assert.deepEqual([first.queries.length, second.queries.length], [2, 2]);
  });

  it('that a server cannot read is asked again without EDNS', async () => {
    const server = await serve(query =>
      query.edns
        ? answer({ id: query.id, question: [], flags: RESPONSE | 1 })
        : reply(query, { answers: [ADDRESS] }),
    );
    assert.equal(value(await ask(server)), '192.0.2.7');
    const stubborn = await serve(query => reply(query, { flags: RESPONSE | 1 }));
    await fails(ask(stubborn), /malformed/);
    assert.equal(stubborn.queries.length, 2);
  });

  describe('whose answer does not fit', () => {
    const truncating: Script = query => reply(query, { flags: RESPONSE | TRUNCATED });

    it('is asked by TCP', async () => {
      const server = await serve(truncating);
      server.stream = (socket, query) => socket.end(framed(reply(query, { answers: [ADDRESS, ADDRESS] })));
      assert.equal((await ask(server)).records.length, 2);
    });

    it('takes an answer that dribbles in', async () => {
      const server = await serve(truncating);
      server.stream = (socket, query) => {
        socket.setNoDelay(true);
        const bytes = framed(reply(query, { answers: [ADDRESS] }));
        const send = (at: number): void => {
          if (at < bytes.length) socket.write(bytes.subarray(at, at + 1), () => setImmediate(send, at + 1));
        };
        send(0);
      };
      assert.equal(value(await ask(server)), '192.0.2.7');
    });

    it('fails when it is truncated by TCP, too', async () => {
      const server = await serve(truncating);
      server.stream = (socket, query) => socket.end(framed(reply(query, { flags: RESPONSE | TRUNCATED })));
      await fails(ask(server, { attempts: 3 }), /truncated/);
      assert.equal(server.calls.length, 3);
    });

    it('fails when the server hangs up, sends half, or something else', async () => {
      const server = await serve(truncating);
      server.stream = socket => void socket.end();
      await fails(ask(server), /hung up/);
      server.stream = (socket, query) => socket.end(framed(reply(query)).subarray(0, 9));
      await fails(ask(server), /hung up/);
      server.stream = (socket, query) => socket.end(framed(reply(query, { id: query.id ^ 1 })));
      await fails(ask(server), /something else/);
      server.stream = socket => void socket.end(Buffer.from([0, 0]));
      await fails(ask(server), /something else/);
      server.stream = socket => void socket.resetAndDestroy();
      await fails(ask(server), /ECONNRESET/);
    });

    it('is given up in its time however slowly bytes come', async () => {
      const server = await serve(truncating);
      server.stream = (socket, query) => socket.write(framed(reply(query)).subarray(0, 5));
      const failing = fails(ask(server), /no answer in 5 s/);
      await server.until(() => server.calls.length === 1 && server.calls[0]!.bytesRead > 2);
      assert.deepEqual(clock.times, [5000]);
      clock.ring();
      await failing;
      await server.until(() => server.calls[0]!.destroyed || server.calls[0]!.readableEnded);
    });

    it('lets go of its connection when it is cancelled', async () => {
      const server = await serve(truncating);
      const aborter = new AbortController();
      const reason = new Error('enough');
      const asking = assert.rejects(ask(server, {}, { signal: aborter.signal }), reason);
      await server.until(() => server.calls.length === 1 && server.calls[0]!.bytesRead > 2);
      aborter.abort(reason);
      await asking;
      await server.until(() => server.calls[0]!.destroyed || server.calls[0]!.readableEnded);
    });
  });

  it('fails with the reason of its signal, and its port is closed', async () => {
    const server = await serve();
    const aborter = new AbortController();
    const reason = new Error('enough');
    const asking = assert.rejects(ask(server, {}, { signal: aborter.signal }), reason);
    await server.until(() => server.queries.length === 1);
    const { port } = server.queries[0]!;
    aborter.abort(reason);
    await asking;
    // Whoever binds it now is alone on it.
    const probe = createSocket('udp4');
    probe.bind(port);
    await once(probe, 'listening');
    probe.close();
    await assert.rejects(ask(server, {}, { signal: AbortSignal.abort(reason) }), reason);
    assert.equal(server.queries.length, 1);
  });

  describe('beyond those that are out', () => {
    it('waits until there is room', async () => {
      const held: (() => void)[] = [];
      const server = await serve((query, send) => {
        held.push(() => send(reply(query, { answers: [ADDRESS] })));
        return undefined;
      });
      const by = exchange({ inFlight: 1 });
      const asking = [1, 2, 3].map(() => ask(server, {}, { by }));
      for (let n = 1; n <= 3; n++) {
        await server.until(() => held.length === n);
        held[n - 1]!();
        assert.equal(value(await asking[n - 1]!), '192.0.2.7');
      }
    });

    it('fails when its turn does not come in time', async () => {
      const server = await serve();
      const by = exchange({ inFlight: 1 });
      const asking = [1, 2].map(() => ask(server, { attempts: 2 }, { by }));
      await server.until(() => server.queries.length === 1);
      assert.deepEqual(clock.times.sort(), [10_000, 5000]);
      const failing = fails(asking[1]!, /too many/);
      clock.ring();
      await failing;
      await server.until(() => server.queries.length === 2);
      clock.ring();
      await fails(asking[0]!, /no answer/);
    });

    it('may be cancelled while it waits', async () => {
      const server = await serve();
      const by = exchange({ inFlight: 1 });
      const aborter = new AbortController();
      const reason = new Error('enough');
      const first = ask(server, {}, { by });
      const second = assert.rejects(ask(server, {}, { by, signal: aborter.signal }), reason);
      await server.until(() => server.queries.length === 1);
      aborter.abort(reason);
      await second;
      clock.ring();
      await fails(first, /no answer/);
      assert.equal(server.queries.length, 1);
    });

    it('fails at once when too many wait already', async () => {
      const server = await serve();
      const by = exchange({ inFlight: 1, waiting: 1 });
      const asking = [1, 2].map(() => ask(server, {}, { by }));
      await fails(ask(server, {}, { by }), /too many/);
      await server.until(() => server.queries.length === 1);
      clock.ring();
      await Promise.all(asking.map(one => fails(one, /./)));
    });
  });
});
