/** Asking cs and dns by the library. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { abortable } from '../../src/abort.ts';
import {
  ask,
  connect,
  lookup,
  NinepError,
  ProtocolError,
  QuestionError,
  translate,
  type Client,
} from '../../src/client/index.ts';
import { reverseName } from '../../src/netfs/domain.ts';
import { FsError } from '../../src/netfs/error.ts';
import { parseIp } from '../../src/netfs/address.ts';
import { Asked, dnsError, type Answers } from '../support/answers.ts';
import { DIALECTS, streamPair } from './fake.ts';

const REASON = new Error('enough');
const LONG = Array.from({ length: 500 }, (_, i) => `big.example txt\t${i} ${'x'.repeat(1000)}`);

let arrived: () => void;

const DNS: Answers = {
  'example.org ip': ['example.org ip\t192.0.2.7', 'example.org ip\t192.0.2.8'],
  'example.org ipv6': ['example.org ipv6\t2001:db8::7'],
  'example.org mx': ['example.org mx\t10 mail.example.org'],
  'four.example ip': ['four.example ip\t192.0.2.4'],
  'four.example ipv6': dnsError('Enorecord'),
  'six.example ip': dnsError('Enorecord'),
  'six.example ipv6': ['six.example ipv6\t2001:db8::6'],
  'none.example ip': dnsError('Enorecord'),
  'none.example ipv6': dnsError('Enorecord'),
  'broken.example ip': ['broken.example ip\t192.0.2.9'],
  'broken.example ipv6': dnsError('Edns'),
  'alias.example ip': ['alias.example cname\tfour.example', 'four.example ip\t192.0.2.4'],
  'alias.example ipv6': ['alias.example cname\tfour.example', 'four.example ipv6\t2001:db8::4'],
  '7.2.0.192.in-addr.arpa ptr': ['7.2.0.192.in-addr.arpa ptr\texample.org'],
  'big.example txt': LONG,
  'odd.example txt': ['odd.example'],
  'empty.example txt': [],
  'slow.example ip': ({ signal }) => {
    arrived();
    return abortable(new Promise(() => {}), signal);
  },
};
const CS: Answers = {
  'net!example.org!http': ['/net/tcp/clone 192.0.2.7!80', '/net/udp/clone 192.0.2.7!80'],
  'tcp!*!80': ['/net/tcp/clone 80'],
  'tcp!example.org!nothing': new FsError('Enoservice', undefined, "cs: can't translate service"),
};

for (const dialect of DIALECTS) {
  describe(`asking, in ${dialect}`, () => {
    let asked: Asked;
    let client: Client;

    async function served(files: ConstructorParameters<typeof Asked>[0]): Promise<void> {
      asked = new Asked(files);
      const [near, far] = streamPair();
      const session = asked.serve(far, { caller: asked.owner, claims: 'self' });
      client = await connect(near, { dialect });
      void client.closed.then(() => session.close());
    }

    beforeEach(() => served({ cs: CS, dns: DNS }));
    afterEach(() => client.close());

    it('gives each answer, one for each read, however many', async () => {
      assert.deepEqual(await ask(client, 'dns', 'example.org ip'), [
        'example.org ip\t192.0.2.7',
        'example.org ip\t192.0.2.8',
      ]);
      assert.deepEqual(await ask(client, 'dns', 'big.example txt'), LONG);
      assert.deepEqual(await ask(client, 'dns', 'empty.example txt'), []);
    });

    it('gives records by their parts', async () => {
      assert.deepEqual(await lookup(client, 'example.org', 'mx'), [
        { name: 'example.org', type: 'mx', value: '10 mail.example.org' },
      ]);
    });

    it('gives the addresses of a name when no type is told', async () => {
      const found = await lookup(client, 'example.org');
      assert.deepEqual(
        found.map(({ value }) => value),
        ['192.0.2.7', '192.0.2.8', '2001:db8::7'],
      );
      assert.deepEqual(asked.questions.sort(), ['example.org ip', 'example.org ipv6']);
    });

    it('is content with the addresses of one family', async () => {
      assert.deepEqual((await lookup(client, 'four.example'))[0]!.value, '192.0.2.4');
      assert.deepEqual((await lookup(client, 'six.example'))[0]!.value, '2001:db8::6');
    });

    it('tells an alias once', async () => {
      const types = (await lookup(client, 'alias.example')).map(({ type }) => type);
      assert.deepEqual(types, ['cname', 'ip', 'ipv6']);
    });

    it('asks for the names of an address', async () => {
      for (const type of [undefined, 'ptr']) {
        const [record] = await lookup(client, '192.0.2.7', type);
        assert.equal(record!.value, 'example.org');
      }
    });

    it("fails with the server's word", async () => {
      const text = (words: string) => (error: unknown) =>
        error instanceof NinepError && (dialect === '9P2000.L' || error.text.startsWith(words));
      await assert.rejects(lookup(client, 'nobody.example'), text('dns: name does not exist'));
      await assert.rejects(lookup(client, 'none.example'), text('dns: resource does not exist; negrcode 0'));
      await assert.rejects(lookup(client, 'broken.example'), text('dns: dns failure'));
      await assert.rejects(translate(client, 'tcp!example.org!nothing'), text("cs: can't translate service"));
    });

    it('translates addresses', async () => {
      assert.deepEqual(await translate(client, 'net!example.org!http'), CS['net!example.org!http']);
      assert.deepEqual(await translate(client, 'tcp!*!80'), ['/net/tcp/clone 80']);
    });

    it('asks no question that would be another', async () => {
      for (const name of ['', 'a b', 'a\tb', 'a\nb', 'a\0b']) {
        await assert.rejects(lookup(client, name, 'ip'), QuestionError);
        await assert.rejects(lookup(client, 'example.org', name), QuestionError);
      }
      assert.deepEqual(asked.questions, []);
    });

    it('takes what is no record for a mistake of the server', async () => {
      await assert.rejects(lookup(client, 'odd.example', 'txt'), ProtocolError);
    });

    it('may be given up while the answer is waited for', async () => {
      const aborter = new AbortController();
      const waits = new Promise<void>(resolve => (arrived = resolve));
      const asking = lookup(client, 'slow.example', 'ip', { signal: aborter.signal });
      await waits;
      aborter.abort(REASON);
      await assert.rejects(asking, REASON);
      assert.equal((await lookup(client, 'four.example', 'ip')).length, 1);
    });

    it('says so where there is nobody to ask', async () => {
      client.close();
      await served({});
      await assert.rejects(
        lookup(client, 'example.org'),
        (error: unknown) =>
          error instanceof NinepError &&
          /^file does not exist: dns; there is none to ask/.test(error.detail!),
      );
    });
  });
}

describe('the name of an address in reverse', () => {
  it('is by octets and by nibbles', () => {
    assert.equal(reverseName(parseIp('192.0.2.7')!), '7.2.0.192.in-addr.arpa');
    assert.equal(
      reverseName(parseIp('2001:db8::567:89ab')!),
      'b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa',
    );
  });

  it('has everything of it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), bytes => {
        const nibbles = reverseName({ family: 6, bytes }).split('.').slice(0, 32).reverse().join('');
        assert.equal(nibbles, Buffer.from(bytes).toString('hex'));
      }),
    );
  });
});
