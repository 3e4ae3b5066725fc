/**
 * A thousand sequences of valid messages that make no sense, over several connections at once. Whatever
 * is asked: every request is answered once or flushed, and in the end nothing is left.
 *
 * A sequence follows from its seed, which a failure shows; ABUSE_SEED=n runs that one alone.
 */
import assert from 'node:assert/strict';
import type { Dialect } from '../../src/server/9p/messages.ts';
import * as b from './bytes.ts';
import { DIALECTS, R } from './bytes.ts';
import { Rig, socketCount, turns, until, type RawClient } from './rig.ts';
import { BlackHole } from './sockets.ts';

const SEQUENCES = 1000;
const STEPS = 40;
const CONNECTIONS = 3;
const FIDS = 8;
const TAGS = 40;

/** mulberry32 */
function randomFrom(seed: number): (below: number) => number {
  let a = seed;
  return below => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

interface World {
  readonly rig: Rig;
  /** Where connect finds somebody: an echo, a talker, one that hangs up, one that is silent. */
  readonly addresses: readonly string[];
  /** Ports that announce may take. */
  readonly ports: readonly string[];
}

const T_FLUSH = 108;

interface Waiting {
  readonly type: number;
  /** Of a Tflush. */
  readonly oldtag: number | undefined;
}

/** One client that does not know what it does, but keeps the books. */
class Abuser {
  readonly client: RawClient;
  private readonly world: World;
  private readonly random: (below: number) => number;
  private readonly dialect: Dialect;
  /** Requests that were sent and not answered, by tag. */
  private readonly waiting = new Map<number, Waiting>();
  /** How many flushes of a tag wait: until they are answered it must not be used again, flush(5). */
  private readonly flushing = new Map<number, number>();
  /** What waited when a Tversion was sent, which is not answered yet. */
  private readonly doomed = new Set<number>();
  private checked: number;

  constructor(client: RawClient, world: World, random: (below: number) => number) {
    this.client = client;
    this.world = world;
    this.random = random;
    this.dialect = client.dialect;
    this.checked = client.answers.length;
  }

  private pick<T>(from: readonly T[]): T {
    return from[this.random(from.length)]!;
  }

  private fid(): number {
    return this.random(FIDS);
  }

  /** Sends a few messages in one piece: half the time such as belong together. */
  step(): void {
    const frames: Buffer[] = [];
    const meant = this.random(2) === 0 ? this.meant() : [];
    for (const make of meant) this.add(frames, make);
    for (let n = this.random(3); n > 0; n--) this.add(frames, () => this.anything());
    if (frames.length > 0) this.client.send(...frames);
  }

  private add(frames: Buffer[], make: (tag: number) => Buffer | undefined): void {
    const frame = make(this.random(TAGS));
    if (frame !== undefined) frames.push(frame);
  }

  /** Messages that make conversations, and use them. */
  private meant(): ((tag: number) => Buffer | undefined)[] {
    const [ctl, file] = [1 + this.random(3), 4 + this.random(3)];
    const number = String(this.random(8));
    const { addresses, ports } = this.world;
    const request = (make: (tag: number) => Buffer) => (tag: number) => this.ask(make(tag));
    const opened = (fid: number, ...path: string[]) => [
      request(tag => b.Tclunk(tag, fid)),
      request(tag => b.Twalk(tag, 0, fid, 'tcp', ...path)),
      request(tag => b.open(this.dialect, tag, fid, b.ORDWR)),
    ];
    const told = (text: string) => request(tag => b.Twrite(tag, ctl, 0, text));
    switch (this.random(5)) {
      case 0:
        return [...opened(ctl, 'clone'), told(`connect ${this.pick(addresses)}`)];
      case 1:
        return [...opened(ctl, 'clone'), told(`announce ${this.pick(ports)}`)];
      case 2:
        return [...opened(ctl, 'clone'), told(`connect ${this.pick(ports)}`)];
      case 3:
        return opened(file, number, this.pick(['listen', 'listen', 'data', 'err']));
      default:
        return [
          ...opened(file, number, 'data'),
          request(tag => b.Twrite(tag, file, 0, Buffer.alloc(this.pick([1, 30_000]), 'x'))),
          request(tag => b.Tread(tag, file, 0, 30_000)),
          request(tag => b.Tread(tag, file, 0, 30_000)),
        ];
    }
  }

  private anything(): Buffer | undefined {
    const tag = this.random(TAGS);
    const type = this.random(100);
    if (type < 1) return this.version();
    if (type < 15) return this.ask(b.Tflush(tag + TAGS, this.pick([...this.waiting.keys(), tag])));
    return this.ask(this.request(tag, type));
  }

  /** Registers a request; undefined when its tag may not be used now: that is for other tests. */
  private ask(frame: Buffer): Buffer | undefined {
    const tag = frame.readUInt16LE(5);
    if (this.waiting.has(tag) || (this.flushing.get(tag) ?? 0) > 0) return undefined;
    const type = frame[4]!;
    const oldtag = type === T_FLUSH ? frame.readUInt16LE(7) : undefined;
    if (oldtag !== undefined) this.flushing.set(oldtag, (this.flushing.get(oldtag) ?? 0) + 1);
    this.waiting.set(tag, { type, oldtag });
    return frame;
  }

  /** A request is over, by its answer or without one. */
  private over(tag: number): void {
    const oldtag = this.waiting.get(tag)?.oldtag;
    this.waiting.delete(tag);
    this.doomed.delete(tag);
    if (oldtag !== undefined) this.flushing.set(oldtag, this.flushing.get(oldtag)! - 1);
  }

  /** Ends what waits, without answers; those on their way come before the Rversion. */
  private version(): Buffer | undefined {
    if (this.waiting.has(b.NOTAG)) return undefined;
    for (const tag of this.waiting.keys()) this.doomed.add(tag);
    const version = this.ask(b.Tversion(32 * 1024, this.dialect))!;
    const attach = this.ask(b.Tattach(this.dialect, 0, 0));
    return Buffer.concat(attach === undefined ? [version] : [version, attach]);
  }

  private request(tag: number, type: number): Buffer {
    const fid = this.fid();
    const L = this.dialect === '9P2000.L';
    if (type < 30) return b.Twalk(tag, this.pick([0, 0, 0, fid]), this.fid(), ...this.path());
    if (type < 48) return b.open(this.dialect, tag, fid, this.random(3));
    if (type < 62) return b.Tread(tag, fid, this.pick([0, 0, 0, 7, 1e6]), this.pick([0, 1, 100, 30_000]));
    if (type < 72) return b.Twrite(tag, fid, 0, this.control());
    if (type < 80) return b.Twrite(tag, fid, 0, Buffer.alloc(this.pick([0, 1, 100, 30_000]), 'x'));
    if (type < 88) return b.Tclunk(tag, fid);
    if (type < 90) return b.Tremove(tag, fid);
    if (type < 92) return b.Tattach(this.dialect, tag, fid, { aname: this.pick(['', 'tcp', 'tcp/0', '-']) });
    if (type < 95) return b.stat(this.dialect, tag, fid);
    if (!L)
      return b.Twstat(this.dialect, tag, fid, this.pick([{}, { length: 0 }, { mode: 0o600 }, { name: 'x' }]));
    return this.pick([
      b.Treaddir(tag, fid, this.random(5), this.pick([0, 100, 30_000])),
      b.Tsetattr(tag, fid, { valid: this.random(64), mode: 0o600, uid: process.getuid!(), gid: 0 }),
      b.Tlock(tag, fid, { kind: this.random(3), start: this.random(10), length: this.random(10) }),
      b.Tgetlock(tag, fid, { kind: this.random(3) }),
      b.Txattrwalk(tag, fid, this.fid(), this.pick(['', 'user.x'])),
      b.Tmkdir(tag, fid, 'x'),
      b.Tunlinkat(tag, fid, 'clone'),
      b.Trenameat(tag, fid, 'a', fid, 'b'),
      b.Tstatfs(tag, fid),
      b.Tfsync(tag, fid, 0),
    ]);
  }

  private path(): string[] {
    const conversation = String(this.random(8));
    return this.pick([
      [],
      ['tcp'],
      ['..'],
      ['tcp', 'clone'],
      ['tcp', 'clone'],
      ['tcp', 'clone'],
      ['tcp', 'stats'],
      ['tcp', conversation],
      ['tcp', conversation, 'ctl'],
      ['tcp', conversation, 'data'],
      ['tcp', conversation, 'data'],
      ['tcp', conversation, 'listen'],
      ['tcp', conversation, 'listen'],
      ['tcp', conversation, 'err'],
      ['tcp', conversation, this.pick(['local', 'remote', 'status'])],
      ['no', 'such'],
    ]);
  }

  private control(): string {
    const { addresses, ports } = this.world;
    return this.pick([
      `connect ${this.pick(addresses)}`,
      `connect ${this.pick(addresses)}`,
      `connect ${this.pick(ports)}`,
      `connect ${this.pick(ports)}`,
      `announce ${this.pick(ports)}`,
      `announce ${this.pick(ports)}`,
      'announce 127.0.0.1!0',
      'bind 127.0.0.1!0',
      'hangup',
      'close',
      'keepalive 1000',
      'ttl 3',
      '',
      'nonsense',
      'connect nowhere',
    ]);
  }

  /** Every answer is to a request that waits, and of its kind. */
  check(): void {
    for (; this.checked < this.client.answers.length; this.checked++) {
      const { type, tag, error } = this.client.answers[this.checked]!;
      const asked = this.waiting.get(tag);
      assert(asked !== undefined, `type ${type} tag ${tag} answers nothing`);
      assert(error !== undefined || type === asked.type + 1, `type ${asked.type} was answered by ${type}`);
      this.over(tag);
      // What was flushed has no answer any more.
      if (asked.oldtag !== undefined) this.over(asked.oldtag);
      if (type === R.version) for (const doomed of this.doomed) this.over(doomed);
    }
  }

  /** Flushes all that waits; then nothing does. */
  async settle(): Promise<void> {
    const first = 1000;
    const olds = [...this.waiting.keys()].filter(tag => tag !== b.NOTAG);
    olds.forEach((old, i) => this.client.send(this.ask(b.Tflush(first + i, old))!));
    await until(
      () => this.client.answers.filter(({ tag }) => tag >= first && tag < b.NOTAG).length === olds.length,
    );
    this.check();
    assert.deepEqual([...this.waiting.keys()], [], 'every request was answered or flushed');
    assert.equal(this.client.session.requestsInFlight, 0);
  }
}

describe('a thousand sequences of messages that make no sense', () => {
  let rig: Rig;
  let world: World;
  let hole: BlackHole;

  before(async () => {
    rig = await Rig.start();
    hole = await BlackHole.dig();
    const talker = await rig.peers.listen(socket => void socket.end(Buffer.alloc(100_000, 'y')));
    const rude = await rig.peers.listen(socket => void socket.resetAndDestroy());
    const silent = await rig.peers.listen(() => {});
    const gone = await rig.peers.freePort();
    const ports: string[] = [];
    for (let i = 0; i < 3; i++) ports.push(await rig.peers.freePort());
    world = {
      rig,
      addresses: [await rig.peers.echo(), talker, rude, silent, gone, hole.address],
      ports,
    };
  });

  after(async () => {
    hole.close();
    await rig.stop();
  });

  async function sequence(seed: number): Promise<void> {
    const random = randomFrom(seed);
    const abusers: Abuser[] = [];
    const join = async (): Promise<Abuser> => {
      const dialect = DIALECTS[random(3)]!;
      const client = await (random(2) === 0 ? rig.connect(dialect) : rig.connectStream(dialect));
      return new Abuser(await client.start(32 * 1024), world, random);
    };
    for (let i = 0; i < CONNECTIONS; i++) abusers.push(await join());
    for (let i = 0; i < STEPS; i++) {
      const at = random(abusers.length);
      abusers[at]!.step();
      const chance = random(100);
      if (chance < 3) {
        abusers[at]!.client.socket.destroy();
        abusers[at] = await join();
      } else if (chance < 50) await turns(random(4));
      for (const abuser of abusers) abuser.check();
    }
    for (const abuser of abusers) await abuser.settle();
    for (const abuser of abusers) abuser.client.socket.destroy();
  }

  it('leave no fid, request, lock, conversation or socket behind', async function () {
    this.timeout(90_000);
    const before = socketCount();
    const only = process.env['ABUSE_SEED'];
    const first = only === undefined ? Date.now() % 1_000_000 : Number(only);
    for (let seed = first; seed < first + (only === undefined ? SEQUENCES : 1); seed++) {
      try {
        await sequence(seed);
        rig.peers.hangup();
        await until(() => rig.server.sessions.size === 0 && rig.inUse() === 0);
        await until(() => socketCount() <= before);
        assert.equal(rig.server.locks.size, 0);
        assert.deepEqual(rig.errors, []);
      } catch (error) {
        throw new Error(`ABUSE_SEED=${seed}`, { cause: error });
      }
    }
  });
});
