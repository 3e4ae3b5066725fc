/**
 * The policy file. What is wrong with each file of broken/ stands beside it, a line `LINE:COLUMN: reason` each,
 * with the file's name before it if that is another.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { loadPolicy, type Policy, type PolicyError } from '../../src/policy/config/index.ts';
import { ALICE, people, TEAM } from '../support/callers.ts';

const BROKEN = new URL('broken', import.meta.url).pathname;

/** `LINE:COLUMN: reason`, with paths relative to the policy file's directory. */
function sentence({ file, line, column, reason }: PolicyError, path: string): string {
  const dir = dirname(path);
  const text = `${file === path ? '' : `${file}:`}${line}:${column}: ${reason}`;
  return text.replaceAll(`${dir}/`, '').replaceAll(dir, '.');
}

async function errorsOf(path: string, read?: (path: string) => Buffer): Promise<string[]> {
  const loaded = await loadPolicy(path, { users: people, ...(read === undefined ? {} : { read }) });
  return 'errors' in loaded ? loaded.errors.map(error => sentence(error, path)) : [];
}

/** The policy of a text, beside which there are these files. */
async function policyOf(text: string, files: Record<string, string> = {}): Promise<Policy> {
  const loaded = await loadPolicy('/p/policy.yaml', { users: people, read: reader(text, files) });
  if ('errors' in loaded)
    assert.fail(loaded.errors.map(error => sentence(error, '/p/policy.yaml')).join('\n'));
  return loaded.policy;
}

const errorsIn = (text: string | Buffer, files: Record<string, string | Buffer> = {}): Promise<string[]> =>
  errorsOf('/p/policy.yaml', reader(text, files));

const reader =
  (text: string | Buffer, files: Record<string, string | Buffer> = {}) =>
  (path: string): Buffer => {
    const found = path === '/p/policy.yaml' ? text : files[path];
    if (found === undefined) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
    return Buffer.from(found);
  };

describe('a policy file that is wrong', () => {
  const files = readdirSync(BROKEN).filter(name => name.endsWith('.yaml'));

  for (const name of files) {
    it(`is told where and why: ${name}`, async () => {
      const expected = readFileSync(join(BROKEN, name.replace('.yaml', '.errors')), 'utf8');
      assert.deepEqual(await errorsOf(join(BROKEN, name)), expected.trimEnd().split('\n'));
    });
  }

  it('is told of by a set of more than thirty', () => assert(files.length > 30));

  it('is told all its errors in the order of their places, those of included files last', async () => {
    const text = 'zones: { a: { include: [z, b] }, c: { lines: bad, include: b } }\nfiles: { x: {} }\n';
    const errors = await errorsIn(text, { '/p/b': 'bad\n', '/p/z': 'ok\nbad\n' });
    assert.deepEqual(
      errors.map(error => error.replace(/: .*/, '')),
      ['1:46', '2:10', 'b:1:1', 'z:1:1', 'z:2:1'],
    );
  });

  it('is told what it would include, for that may be what has to change', async () => {
    const loaded = await loadPolicy('/p/policy.yaml', {
      users: people,
      read: reader('zones: { a: { include: [x, sub/y] }, b: { include: /q/z } }'),
    });
    assert('errors' in loaded);
    assert.deepEqual(loaded.includes, ['/p/x', '/p/sub/y', '/q/z']);
  });

  it('says no more than a thousand things', async () => {
    const errors = await errorsIn('zones: { a: { include: picture } }', {
      '/p/picture': '\xff\n'.repeat(5000),
    });
    assert.equal(errors.length, 1000);
  });

  it('is refused where the zone would have more than 16 MiB, all its files together', async () => {
    const half = '#\n'.repeat(4.5 * 2 ** 20);
    const errors = await errorsIn('zones:\n  a: { include: [x, x] }', { '/p/x': half });
    assert.deepEqual(errors, ['2:3: the zone has more than 16 MiB of lines']);
  });

  it('is judged soon, however much there is of the same', async () => {
    for (const part of [
      '[',
      '{',
      '- ',
      '? ',
      'a: ',
      '"',
      "'",
      '\t',
      ' \n',
      '---\n',
      '&a ',
      '*a ',
      '%\n',
      ',',
      ']',
      '\0',
    ]) {
      const began = performance.now();
      const errors = await errorsIn(Buffer.alloc(2 ** 21, part));
      assert(errors.length > 0, part);
      assert(performance.now() - began < 10_000, part);
    }
  }).timeout(120_000);
});

describe('a policy file on a disk', () => {
  let dir: string;
  let path: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'slashnet-policy-'));
    path = join(dir, 'policy.yaml');
  });

  afterEach(() => rmSync(dir, { recursive: true }));

  it('is never waited for, nor what it includes: FIFOs, devices and directories are no plain files', async () => {
    const places: (() => void)[] = [
      () => execFileSync('mkfifo', [join(dir, 'odd')]),
      () => mkdirSync(join(dir, 'odd')),
      () => symlinkSync('/dev/tty', join(dir, 'odd')),
      () => symlinkSync('/dev/zero', join(dir, 'odd')),
    ];
    for (const place of places) {
      place();
      assert.deepEqual(await errorsOf(join(dir, 'odd')), ['1:1: this is not a plain file']);
      writeFileSync(path, 'zones: { a: { include: odd } }');
      assert.deepEqual(await errorsOf(path), ['1:24: odd: this is not a plain file']);
      rmSync(join(dir, 'odd'), { recursive: true });
    }
  });

  it('that is missing, too long, a link to itself, or not ours to read is told so', async () => {
    assert.deepEqual(await errorsOf(path), ['1:1: there is no such file']);
    symlinkSync(path, path);
    assert.deepEqual(await errorsOf(path), ['1:1: this is a link to itself']);
    rmSync(path);
    writeFileSync(path, Buffer.alloc(16 * 2 ** 20 + 1, '#'));
    assert.deepEqual(await errorsOf(path), ['1:1: the file has more than 16 MiB']);
    const denied = (): Buffer => {
      throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
    };
    assert.deepEqual(await errorsOf(path, denied), ['1:1: the server may not read this file']);
  });

  it('includes files relative to itself, wherever the server runs', async () => {
    mkdirSync(join(dir, 'zones'));
    writeFileSync(join(dir, 'zones', 'a'), 'connect tcp!192.0.2.1!80');
    writeFileSync(path, 'zones: { a: { include: zones/a } }');
    const loaded = await loadPolicy(path, { users: people });
    assert('policy' in loaded);
    assert.deepEqual(loaded.policy.includes, [join(dir, 'zones/a')]);
    assert.equal(loaded.policy.zones!.get('a')!.lines, 'connect tcp!192.0.2.1!80\n');
  });
});

describe('a policy file that is sound', () => {
  it('says nothing where it is {}', async () => {
    assert.deepEqual(await policyOf('{}'), {
      files: new Map(),
      zones: undefined,
      users: new Map(),
      listen: undefined,
      mount: undefined,
      log: {},
      includes: [],
    });
  });

  it('sets modes, owners and groups of files, and leaves the rest', async () => {
    const text = `
files:
  tcp/clone: { mode: '0660', group: team }
  udp/clone: { mode: 0o640, owner: 5, group: '72000' }
  dns: { owner: "alice" }
  cs: { mode: '777' }
  ndb: {}
`;
    assert.deepEqual(
      (await policyOf(text)).files,
      new Map<string, unknown>([
        ['tcp/clone', { mode: 0o660, group: TEAM }],
        ['udp/clone', { mode: 0o640, owner: 5, group: TEAM }],
        ['dns', { owner: ALICE.uid }],
        ['cs', { mode: 0o777 }],
        ['ndb', {}],
      ]),
    );
  });

  it('tells that there are no zones from a file that says nothing of them', async () => {
    assert.deepEqual((await policyOf('zones: {}')).zones, new Map());
    assert.equal((await policyOf('files: {}')).zones, undefined);
  });

  it('says nothing of stdin and stdout, which a server in the background has not', async () => {
    const [error] = await errorsIn("listen: '-'");
    assert.match(error!, /stdin and stdout/);
  });

  it('gives zones their lines, then those of their files, and 0700 where no mode is given', async () => {
    const text = `
zones:
  one:
    mode: '0750'
    group: team
    lines: |
      # what we need

      connect tcp!github.com!22,443
    include: [more, /etc/other]
  two: { lines: connect tcp!*.example.com!443 }
  three: { include: more }
  none: { lines: '' }
  null: { lines: "connect tcp!192.0.2.1!80\\nresolve *" }
  600: { lines: '' }
  __proto__: { lines: '' }
`;
    const policy = await policyOf(text, {
      '/p/more': 'connect tcp!192.0.2.7!80',
      '/etc/other': 'resolve *.example.com\n',
    });
    assert.deepEqual(
      policy.zones,
      new Map<string, unknown>([
        [
          'one',
          {
            mode: 0o750,
            group: TEAM,
            lines:
              '# what we need\n\nconnect tcp!github.com!22,443\nconnect tcp!192.0.2.7!80\nresolve *.example.com\n',
          },
        ],
        ['two', { mode: 0o700, lines: 'connect tcp!*.example.com!443\n' }],
        ['three', { mode: 0o700, lines: 'connect tcp!192.0.2.7!80\n' }],
        ['none', { mode: 0o700, lines: '' }],
        ['null', { mode: 0o700, lines: 'connect tcp!192.0.2.1!80\nresolve *\n' }],
        ['600', { mode: 0o700, lines: '' }],
        ['__proto__', { mode: 0o700, lines: '' }],
      ]),
    );
    assert.deepEqual(policy.includes, ['/p/more', '/etc/other']);
  });

  it('reads an included file once, so that all its zones have the same of it', async () => {
    let reads = 0;
    const read = (path: string): Buffer => {
      if (path === '/p/policy.yaml') return Buffer.from('zones: { a: { include: z }, b: { include: ./z } }');
      return Buffer.from(`connect tcp!192.0.2.${++reads}!80\n`);
    };
    const loaded = await loadPolicy('/p/policy.yaml', { users: people, read });
    assert('policy' in loaded);
    assert.equal(reads, 1);
    assert.equal(loaded.policy.zones!.get('a')!.lines, loaded.policy.zones!.get('b')!.lines);
  });

  it('knows users of its own, and others by another name', async () => {
    const { users } = await policyOf(`
users:
  guest: { uid: 5001, gid: 5001, groups: [team, 7] }
  lone: { uid: 5002, gid: team }
  boss: alice
`);
    assert.deepEqual(
      users,
      new Map([
        ['guest', { name: 'guest', uid: 5001, gid: 5001, groups: [TEAM, 7] }],
        ['lone', { name: 'lone', uid: 5002, gid: TEAM, groups: [] }],
        ['boss', ALICE],
      ]),
    );
  });

  it('says where to listen, to mount and to log', async () => {
    const { listen, mount, log } = await policyOf(`
listen: [unix!/run/slashnet.sock, tcp!127.0.0.1!564]
mount: /net
log: { file: net.log, syslog: true }
`);
    assert.deepEqual(listen, [
      { kind: 'unix', path: '/run/slashnet.sock' },
      { kind: 'tcp', host: '127.0.0.1', port: 564 },
    ]);
    assert.deepEqual([mount, log], [['/net'], { file: '/p/net.log', syslog: true }]);
  });

  it('may begin with a byte order mark or ---, end with ..., and have the newlines of other systems', async () => {
    for (const text of ['\ufefffiles: {}', '---\nfiles: {}\n...\n', 'files: {}\r\nzones: {}\r\n']) {
      assert.deepEqual((await policyOf(text)).files, new Map());
    }
  });

  it('is sound as the manual shows it', async () => {
    const page = readFileSync(new URL('../../docs/policy-file.md', import.meta.url), 'utf8');
    const text = /```yaml\n(.*?)```/s.exec(page)![1]!;
    const anybody = { ...people, byName: () => ALICE, groupId: () => TEAM };
    const read = reader(text, { '/p/github.zone': 'connect tcp!*.github.com!443\n' });
    const loaded = await loadPolicy('/p/policy.yaml', { users: anybody, read });
    assert.deepEqual('errors' in loaded ? loaded.errors : [], []);
  });

  it('holds a hundred thousand lines in a zone', async () => {
    const lines = Array.from(
      { length: 100_000 },
      (_, i) => `connect tcp!10.${(i >> 8) >> 8}.${(i >> 8) & 255}.${i & 255}!443\n`,
    );
    const text = `zones:\n  big:\n    lines: |\n${lines.map(line => `      ${line}`).join('')}`;
    assert.equal((await policyOf(text)).zones!.get('big')!.lines, lines.join(''));
  });
});

describe('any policy file', () => {
  const GOOD = `listen: [unix!/run/slashnet.sock]
files:
  tcp/clone: { mode: '0660', group: team }
  dns: { mode: 0o666, owner: alice }
zones:
  github:
    mode: '0750'
    lines: |
      connect tcp!github.com!22,443
      # more

      resolve *.example.com
    include: more
  other: { lines: 'connect tcp!192.0.2.1!80' }
users:
  guest: { uid: 5001, gid: 5001, groups: [team] }
  boss: alice
log: { file: /var/log/net.log, syslog: true }
`;
  const MORE = 'connect tcp!192.0.2.7!80\n';

  /** Whatever it holds: a policy, or errors whose places are there. */
  async function judge(text: Buffer, more = MORE): Promise<void> {
    const loaded = await loadPolicy('/p/policy.yaml', {
      users: people,
      read: reader(text, { '/p/more': more }),
    });
    if ('policy' in loaded) return;
    assert(loaded.errors.length > 0);
    for (const { file, line, column, reason } of loaded.errors) {
      const rows = (file === '/p/policy.yaml' ? text.toString('utf8') : more).split('\n');
      assert(line >= 1 && line <= rows.length, `${line} of ${rows.length}: ${reason}`);
      assert(column >= 1 && column <= rows[line - 1]!.length + 1, `${line}:${column}: ${reason}`);
      assert.match(reason, /^[^\x00-\x1f\x7f-\x9f]+$/);
    }
  }

  it('is sound as it is here', async () => {
    assert.deepEqual(await errorsIn(GOOD, { '/p/more': MORE }), []);
  });

  it('is read or refused whatever bytes it has', async () => {
    const bytes = fc.uint8Array({ maxLength: 200 }).map(array => Buffer.from(array));
    const words = [
      'files',
      'zones',
      'dns',
      'mode',
      'lines',
      'a',
      ': ',
      ':',
      '\n',
      '\n  ',
      '\n    ',
      '- ',
      '? ',
      '{',
      '}',
    ];
    const signs = [
      '[',
      ']',
      ',',
      '|',
      '>',
      "'",
      '"',
      '*',
      '&a ',
      '!',
      '#',
      '---\n',
      '%',
      '\t',
      '\0',
      'é',
      '\u2028',
      '<<',
    ];
    const yaml = fc
      .array(fc.constantFrom(...words, ...signs), { maxLength: 60 })
      .map(parts => Buffer.from(parts.join('')));
    await fc.assert(
      fc.asyncProperty(fc.oneof(bytes, yaml), text => judge(text)),
      { numRuns: 3000 },
    );
  });

  it('is read or refused whatever is cut out of a good one and put into it', async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '',
        '\n',
        ' ',
        '\t',
        ':',
        '*',
        '&',
        '!',
        '|',
        '>',
        '{',
        '[',
        "'",
        '"',
        '~',
        'null',
        '0660',
        '<<: x',
      ),
      fc.nat({ max: GOOD.length - 1 }).map(from => GOOD.slice(from, from + 20)),
    );
    const change = fc.record({ at: fc.nat({ max: GOOD.length }), cut: fc.nat({ max: 30 }), put: piece });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), changes => {
        const text = changes.reduce((t, { at, cut, put }) => t.slice(0, at) + put + t.slice(at + cut), GOOD);
        return judge(Buffer.from(text));
      }),
      { numRuns: 3000 },
    );
  });

  it('is read or refused at every length of a good one', async () => {
    for (let length = 0; length < GOOD.length; length++) await judge(Buffer.from(GOOD.slice(0, length)));
  });

  it('points at a bad line of a block wherever it stands, and however it is indented', async () => {
    const line = fc.constantFrom('connect tcp!192.0.2.7!80', '# é comment', '', '   resolve *.example.com');
    const header = fc.constantFrom('|', '|-', '|+', '| # lines', '|2');
    await fc.assert(
      fc.asyncProperty(
        fc.array(line),
        fc.array(line),
        header,
        fc.nat({ max: 5 }),
        async (before, after, head, in_) => {
          // With |2 the two blanks are the indent, and what is more is text; else the first line has the indent.
          const indent = ' '.repeat(6 + (head === '|2' ? 0 : in_));
          const first = head === '|2' ? [] : ['# first'];
          const rows = [...first, ...before, '  bad x', ...after].map(row => `${indent}${row}`);
          const errors = await errorsIn(`zones:\n  a:\n    lines: ${head}\n${rows.join('\n')}\n`);
          const at = 4 + first.length + before.length;
          assert.deepEqual(
            errors.map(error => error.split(': ')[0]),
            [`${at}:${indent.length + 3}`],
          );
        },
      ),
      { numRuns: 300 },
    );
  });
});
