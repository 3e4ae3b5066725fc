/** Name servers that want more than to answer: to be believed about others, to be asked without end, to cost. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Abort } from '../../../src/abort.ts';
import { HostResolver } from '../../../src/host/dns/resolver.ts';
import { formatIp } from '../../../src/netfs/address.ts';
import { FsError } from '../../../src/netfs/error.ts';
import { Server } from '../../../src/server/server.ts';
import { DirectTree } from '../../support/direct.ts';
import { eventually } from '../../support/fixture.ts';
import {
  answer,
  Clock,
  framed,
  name,
  record,
  reply,
  RESPONSE,
  ScriptedServer,
  to,
  TRUNCATED,
  u16,
  type Arrived,
  type Script,
} from './wire.ts';

const NEVER = new Abort();
const [A, NS, CNAME, TXT, AAAA] = [1, 2, 5, 16, 28];
const EVIL = [6, 6, 6, 6];
const alias = (target: string): number[] => record({ type: CNAME, data: name(target) });

describe('a hostile name server', () => {
  let dir: string;
  let server: ScriptedServer;
  let clock: Clock;
  let resolver: HostResolver;

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'slashnet-hostile-'));
    writeFileSync(join(dir, 'hosts'), '');
    writeFileSync(join(dir, 'resolv.conf'), 'options attempts:1');
    server = await ScriptedServer.start();
    clock = new Clock();
    resolver = new HostResolver({
      servers: [server.at],
      hosts: join(dir, 'hosts'),
      resolvConf: join(dir, 'resolv.conf'),
      timers: clock,
    });
  });

  afterEach(() => {
    assert.equal(clock.length, 0, 'nobody waits any more');
    server.stop();
    rmSync(dir, { recursive: true });
  });

  const values = async (host: string, type: string): Promise<string[]> =>
    (await resolver.records(host, type, NEVER)).map(({ value }) => value);
  const addresses = async (host: string): Promise<string[]> =>
    (await resolver.addresses(host, NEVER)).map(({ ip }) => formatIp(ip));

  it('is not believed about names that were not asked for, in any section', async () => {
    const bank = { owner: name('bank.test'), type: A, data: EVIL };
    server.script = query => {
      if (query.name === 'bank.test')
        return reply(query, { answers: [record({ type: A, data: [192, 0, 2, 1] })] });
      return reply(query, {
        answers: [alias('bank.test')],
        authority: [record({ ...bank, type: NS, data: name('bank.test') })],
        additional: [record(bank)],
      });
    };
    assert.deepEqual(await values('shop.test', 'ip'), ['bank.test', '192.0.2.1']);
    // What it told is not kept either.
    assert.deepEqual(await values('bank.test', 'ip'), ['192.0.2.1']);
  });

  it('does not turn an alias into an address by what it is called', async () => {
    server.script = query =>
      query.name.endsWith('.test')
        ? reply(query, { answers: [alias('127.0.0.1')] })
        : reply(query, { flags: RESPONSE | 3 });
    await assert.rejects(addresses('shop.test'), { name: 'Enoname' });
    assert(server.queries.some(query => query.name === '127.0.0.1'));
  });

  it('does not get asked without end by aliases that it makes up as it goes', async () => {
    let made = 0;
    server.script = query => reply(query, { answers: [alias(`a${made++}.test`)] });
    await assert.rejects(values('shop.test', 'ip'), { name: 'Edns' });
    assert(made <= 13);
    server.script = query => reply(query, { answers: [alias(query.name)] });
    await assert.rejects(values('shop.test', 'ip'), { name: 'Edns' });
    const circle = [
      record({ type: CNAME, data: name('b.test') }),
      record({ owner: name('b.test'), type: CNAME, data: name('shop.test') }),
    ];
    server.script = query => reply(query, { answers: circle });
    await assert.rejects(values('shop.test', 'ip'), { name: 'Edns' });
  });

  it('gives as many records as 64 KiB have, and no megabytes of text', async () => {
    server.script = query => reply(query, { flags: RESPONSE | TRUNCATED });
    const many = Array.from({ length: 4000 }, (_, i) =>
      record({ type: A, data: [198, 51, i >> 8, i & 255] }),
    );
    server.stream = (socket, query) =>
      socket.end(framed(reply(query, { answers: query.type === A ? many : [] })));
    assert.equal((await addresses('shop.test')).length, 4000);
    // One long name, and thousands of records that point to it.
    const long = record({ type: NS, data: name(`${'x'.repeat(63)}.`.repeat(3) + 'x'.repeat(60)) });
    server.stream = (socket, query) => {
      const at = 12 + query.question.length;
      const pointing = Array.from({ length: 4000 }, () =>
        record({ owner: to(at + 12), type: NS, data: to(at + 12) }),
      );
      socket.end(framed(reply(query, { answers: [long, ...pointing] })));
    };
    await assert.rejects(values('shop.test', 'ns'), { name: 'Edns' });
  });

  it('puts no lines, and nothing that a terminal obeys, into answers', async () => {
    const nasty = '\n\r\0\x1b[2J\x07\u009b2J\u2028\u202e\x7f';
    const label = [...Buffer.from(nasty, 'latin1')].slice(0, 20);
    const owner = [label.length, ...label, 0];
    server.script = query =>
      reply(query, {
        answers: [
          record({ type: CNAME, data: owner }),
          record({ owner, type: TXT, data: [Buffer.byteLength(nasty), ...Buffer.from(nasty)] }),
        ],
      });
    for (const each of await resolver.records('shop.test', 'txt', NEVER)) {
      assert.match(`${each.name} ${each.value}`, /^[ -~]*$/);
    }
  });

  it('cannot have a name mean the unspecified address, which to the kernel is this machine', async () => {
    const v6 = (tail: number[]): number[] => [...Array<number>(16 - tail.length).fill(0), ...tail];
    const answers: [number, number[]][] = [
      [A, [0, 0, 0, 0]],
      [AAAA, v6([])],
      [AAAA, v6([0xff, 0xff, 0, 0, 0, 0])],
    ];
    const machine = new Server({ resolver });
    const tree = new DirectTree(machine, machine.owner);
    for (const [type, data] of answers) {
      server.script = query => reply(query, { answers: query.type === type ? [record({ type, data })] : [] });
      for (const protocol of ['tcp', 'udp']) {
        const ctl = await tree.open(`${protocol}/clone`, 'rw');
        await assert.rejects(ctl.write('connect shop.test!80'), { name: 'Ebadip' });
        await assert.rejects(tree.open(`dial/${protocol}!shop.test!80`, 'rw'), { name: 'Ebadip' });
      }
    }
    tree.close();
  });

  it('that fails first, in every way there is, leaves no socket and no clock behind', async () => {
    const ways: Script[] = [
      query => reply(query, { flags: RESPONSE | 2 }),
      query => reply(query, { flags: RESPONSE | 1 }),
      query => answer({ id: query.id, question: [], flags: RESPONSE | 4 }),
      query => reply(query, { answers: [[0xc0]] }),
      query => reply(query, { flags: RESPONSE | TRUNCATED }),
      query => Array<Buffer>(70).fill(reply(query, { id: query.id ^ 1 })),
      query => [reply(query).subarray(0, 12), Buffer.alloc(65_000), reply(query, { flags: RESPONSE | 2 })],
    ];
    const streams: ((query: Arrived) => Buffer | undefined)[] = [
      () => undefined,
      () => Buffer.alloc(0),
      () => Buffer.alloc(65_537),
      () => Buffer.from([0xff, 0xff, ...Array<number>(65_535).fill(0)]),
      query => framed(reply(query)).subarray(0, 5),
      query => framed(reply(query, { flags: RESPONSE | TRUNCATED })),
      query => Buffer.concat([Buffer.from(u16(5)), reply(query)]),
    ];
    const before = readdirSync('/proc/self/fd').length;
    for (const script of ways) {
      for (const stream of streams) {
        server.script = script;
        server.stream = (socket, query) => {
          const bytes = stream(query);
          if (bytes === undefined) socket.resetAndDestroy();
          else if (bytes.length === 0) socket.end();
          else socket.end(bytes);
        };
        const asking = Array.from({ length: 10 }, (_, i) => values(`h${i}.test`, 'ip'));
        for (const outcome of await Promise.allSettled(asking)) {
          assert(outcome.status === 'rejected' && outcome.reason instanceof FsError);
          assert.equal(outcome.reason.name, 'Edns');
        }
      }
    }
    for (const call of server.calls) call.destroy();
    await eventually(() => Promise.resolve(readdirSync('/proc/self/fd').length <= before));
  });
});
