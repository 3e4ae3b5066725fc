/** Any question about any database: an answer in lines, or an error of the tree's. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Abort } from '../../src/abort.ts';
import { FsError } from '../../src/netfs/error.ts';
import type { Handle, Reply } from '../../src/netfs/node.ts';
import { Server } from '../../src/server/server.ts';
import { FakeResolver } from '../support/resolver.ts';
import { facts } from '../support/machine.ts';

const word = fc.constantFrom(
  ...['sys', 'dom', 'ip', 'ipnet', 'ipmask', 'ipgw', 'dnsdomain', 'cname', 'mx', 'pref', 'srv', 'txt', 'tcp'],
  ...[
    'port',
    'restricted',
    'auth',
    '__proto__',
    'constructor',
    'a',
    'b',
    'a.b',
    'b.a.b',
    '*',
    '$auth',
    '@auth',
  ],
  ...[
    '192.0.2.7',
    '192.0.2.0',
    '255.255.255.0',
    '/120',
    '/0',
    '/999',
    '::',
    '::1',
    '2001:db8::7',
    '80',
    '65536',
  ],
  ...[
    '127.0.0.1',
    '0',
    '',
    'localhost',
    'x.localhost',
    '7.2.0.192.in-addr.arpa',
    '.',
    '..',
    'ü',
    '\\.',
    '\\000',
  ],
);
const tuple = fc
  .tuple(
    word.filter(attr => attr !== ''),
    word,
  )
  .map(([attr, value]) => (value === '' ? attr : `${attr}=${value}`));
const line = fc.array(tuple, { minLength: 1, maxLength: 4 }).map(tuples => tuples.join(' '));
const database = fc.array(fc.tuple(fc.constantFrom('', '\t'), line), { maxLength: 12 }).map(lines => {
  return lines.map(([indent, text]) => `${indent}${text}\n`).join('');
});

const noise = fc.constantFrom(
  '!',
  '!!',
  '=',
  ' ',
  '\n',
  '\0',
  '\r',
  '\x7f',
  '\u009b',
  '\ufffd',
  '\\',
  'ipinfo ',
  'é',
  'İ',
);
const anything = fc.oneof(
  fc.array(fc.oneof(word, noise), { maxLength: 20 }).map(parts => Buffer.from(parts.join(''))),
  fc.uint8Array({ maxLength: 1200 }).map(bytes => Buffer.from(bytes)),
);
const cs = fc.oneof(
  anything,
  fc.tuple(fc.constantFrom('tcp', 'udp', 'net', 'il'), word, word).map(parts => Buffer.from(parts.join('!'))),
  fc.array(tuple, { minLength: 1, maxLength: 3 }).map(tuples => Buffer.from(`!${tuples.join(' ')}`)),
  fc.tuple(tuple, word, word).map(parts => Buffer.from(`!ipinfo ${parts.join(' ')}`)),
);
const type = fc.constantFrom(
  'ip',
  'ipv6',
  'ptr',
  'mx',
  'srv',
  'txt',
  'cname',
  'all',
  'any',
  '255',
  '0',
  '41',
  'TYPE1',
);
const dns = fc.oneof(
  anything,
  fc
    .tuple(fc.constantFrom('', '!'), word, type)
    .map(([bang, name, what]) => Buffer.from(`${bang}${name} ${what}\n`)),
);

describe('a question', () => {
  const server = new Server({
    resolver: new FakeResolver({
      'a.b': { ip: ['192.0.2.7'], mx: ['1 a.b'] },
      localhost: { ip: ['127.0.0.1'] },
    }),
    facts: facts([['127.0.0.1/8'], ['192.0.2.7/24', '2001:db8::7/64']]),
    resolverSettings: { servers: [], search: ['a.b'] },
  });
  const req = { caller: server.owner, signal: new Abort() };
  const open = async (file: string, truncate = false): Promise<Handle> =>
    server.mount.open(
      await server.mount.walk(server.mount.root, file, req),
      { read: true, write: true, truncate },
      req,
    );

  async function write(text: string): Promise<void> {
    const ndb = await open('ndb', true);
    if (text !== '') await ndb.write(0, Buffer.from(text), req);
    await ndb.flush!(req);
    ndb.close();
  }

  /** Its answers, or the text of its error. */
  async function ask(file: string, question: Buffer): Promise<readonly string[] | FsError> {
    const handle = await open(file);
    try {
      assert.equal(await handle.write(0, question, req), question.length);
      return [...answers(handle)];
    } catch (error) {
      assert(error instanceof FsError, String((error as Error).stack));
      assert.deepEqual([...answers(handle)], []);
      return error;
    } finally {
      handle.close();
    }
  }

  function* answers(handle: Handle): Iterable<string> {
    for (let offset = 0; ;) {
      let bytes = Buffer.alloc(0);
      const reply: Reply = {
        count: 8192,
        room: n => (bytes = Buffer.alloc(n)),
        drop: () => {},
        mayAnswer: () => true,
      };
      const n = handle.read(offset, reply, req) as number;
      if (n === 0) return;
      yield bytes.toString('utf8', 0, n);
      offset += n;
    }
  }

  const check = (outcome: readonly string[] | FsError, most: number): void => {
    // Nothing that ends a line or moves a cursor; and an error is no longer than Plan 9's.
    if (outcome instanceof FsError) {
      assert.match(outcome.message, /^(cs|dns): |^permission denied$/);
      assert(Buffer.byteLength(outcome.message) <= 127);
      assert.match(outcome.message, /^[^\p{Cc}]*$/u);
    } else {
      assert(outcome.length <= most);
      for (const line of outcome) assert.match(line.replace('\t', ''), /^[^\p{Cc}]*$/u);
    }
  };

  it('to cs', async () => {
    await fc.assert(
      fc.asyncProperty(database, fc.array(cs, { maxLength: 5 }), async (ndb, questions) => {
        await write(ndb);
        for (const question of questions) check(await ask('cs', question), 20);
      }),
      { numRuns: 1500 },
    );
  });

  it('to dns', async () => {
    await fc.assert(
      fc.asyncProperty(database, fc.array(dns, { maxLength: 5 }), async (ndb, questions) => {
        await write(ndb);
        for (const question of questions) check(await ask('dns', question), 100);
      }),
      { numRuns: 1500 },
    );
  });
});
