/**
 * Streams that were found interesting, fed to everything that reads them: the framer and the decoder,
 * and sessions of each dialect, whole and cut into pieces.
 *
 * A file is hexadecimal with # comments. `# expect: answered` says that what comes behind it is
 * answered, `closed` that the server ends the connection, `waiting` that its last message is not whole.
 *
 * Before it the session has fid 0 the root, 1 tcp, 2 an open ctl, 3 tcp opened, 4 clone, 5 the open data.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { codecFor, MalformedMessage } from '../../src/server/9p/codec.ts';
import { Framer, FramingError } from '../../src/server/9p/framer.ts';
import { format } from '../../src/server/9p/trace.ts';
import * as b from './bytes.ts';
import { DIALECTS } from './bytes.ts';
import { Rig, until, type RawClient } from './rig.ts';

const CORPUS = new URL('../corpus/', import.meta.url);
const MSIZE = 8192;
/** What is asked behind a stream: every dialect has it, and it is answered whatever the fids are. */
const MARK = 0x7777;
const mark = b.Tclunk(MARK, 0x12345678);

interface Entry {
  readonly name: string;
  readonly expect: string;
  readonly bytes: Buffer;
}

function load(name: string): Entry {
  const text = readFileSync(new URL(name, CORPUS), 'utf8');
  const expect = /^# expect: (answered|closed|waiting)$/m.exec(text)?.[1];
  assert(expect, `${name} does not say what to expect`);
  const hex = text.replace(/#.*/g, '').replace(/\s+/g, '');
  assert.match(hex, /^([0-9a-f]{2})*$/, `${name} is not hexadecimal`);
  return { name, expect, bytes: Buffer.from(hex, 'hex') };
}

const entries = readdirSync(CORPUS)
  .filter(name => name.endsWith('.hex'))
  .map(load);

/** Every piece but the last has this many bytes. */
function pieces(bytes: Buffer, size: number): Buffer[] {
  const count = Math.ceil(bytes.length / size);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

describe('the corpus', () => {
  it('is not empty', () => assert(entries.length > 30));

  for (const { name, bytes } of entries) {
    it(`${name}: every dialect's decoder reads it or says what is wrong`, () => {
      for (const dialect of DIALECTS) {
        const codec = codecFor(dialect);
        const framer = new Framer(MSIZE, frame => {
          try {
            const message = codec.decode(frame);
            if (message !== undefined) format(message);
          } catch (error) {
            assert(error instanceof MalformedMessage, `${String(error)}`);
          }
        });
        try {
          for (const piece of pieces(bytes, 97)) framer.push(piece);
        } catch (error) {
          assert(error instanceof FramingError, `${String(error)}`);
        }
      }
    });
  }

  for (const dialect of DIALECTS) {
    describe(`in a session of ${dialect}`, () => {
      let rig: Rig;
      let witness: RawClient;

      beforeEach(async () => {
        rig = await Rig.start();
        witness = await rig.client(dialect);
      });

      afterEach(async () => {
        await witness.ok(b.stat(dialect, 1, 0));
        await rig.stop();
      });

      async function prepared(): Promise<RawClient> {
        const client = await rig.client(dialect, MSIZE);
        await client.walk(1, 'tcp');
        const dir = await client.clone(2);
        await client.open(3, 'tcp', b.OREAD);
        await client.walk(4, 'tcp/clone');
        await client.open(5, `${dir}/data`);
        return client;
      }

      /** Sends a stream in pieces and finds that it ends as its file says. */
      async function feed({ bytes, expect }: Entry, size: number): Promise<void> {
        const client = await prepared();
        for (const piece of pieces(bytes, size)) client.socket.write(piece);
        if (expect === 'closed') return client.closed;
        client.send(mark);
        if (expect === 'answered') await until(() => client.answers.some(({ tag }) => tag === MARK));
        client.socket.end();
        await client.session.ended;
        assert.equal(client.session.requestsInFlight, 0);
        assert.equal(client.session.fids.size, 0);
        assert.equal(
          client.answers.some(({ tag }) => tag === MARK),
          expect === 'answered',
        );
        await client.destroy();
      }

      for (const entry of entries) {
        it(`${entry.name} is ${entry.expect}`, async () => {
          await feed(entry, entry.bytes.length);
          await feed(entry, 1 + Math.floor(entry.bytes.length / 13));
        });
      }
    });
  }
});
