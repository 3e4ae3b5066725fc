/**
 * What is done with a mounted /net by nothing but a shell and cat: one suite, for each way to mount and
 * for each shell. Who is spoken to is outside of the mount, and a real name server answers.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Station } from './datagrams.ts';
import { Remote } from './remote.ts';
import { assertPrinted, scriptOf, transcriptOf } from './transcript.ts';

/** A script that runs. */
export interface Running {
  /** What follows a word, the first on a line, once it is printed. */
  says(word: string): Promise<string>;
  /** All else that it prints, to its end. */
  everything(): Promise<string>;
}

/** A shell somewhere in which /net is mounted. */
export interface Shell {
  /** Where /net is mounted, and where the scripts are. */
  readonly net: string;
  readonly scripts: string;
  /** How it is called: `bash` */
  readonly command: string;
  /** Runs a script in the mount. */
  run(script: string): Running;
}

/** Questions, and answers in their order. */
const ANSWERS: Readonly<Record<string, readonly string[]>> = {
  'dns web.example.test ip': ['web.example.test ip\t192.0.2.80', 'web.example.test ip\t192.0.2.81'],
  'dns web.example.test ipv6': ['web.example.test ipv6\t2001:db8::80'],
  'dns www.example.test cname': ['www.example.test cname\tweb.example.test'],
  'dns 80.2.0.192.in-addr.arpa ptr': ['80.2.0.192.in-addr.arpa ptr\tweb.example.test'],
  'dns 192.0.2.80 ptr': ['80.2.0.192.in-addr.arpa ptr\tweb.example.test'],
  'dns 2001:db8::80 ptr': [`0.8.${'0.'.repeat(22)}8.b.d.0.1.0.0.2.ip6.arpa ptr\tweb.example.test`],
  'dns example.test mx': [
    'example.test mx\t10 mail.example.test',
    'example.test mx\t20 backup.elsewhere.test',
  ],
  'dns example.test ns': ['example.test ns\tns1.example.test', 'example.test ns\tns2.example.test'],
  'dns example.test soa': ['example.test soa\tns1.example.test hostmaster.example.test 7 3600 600 86400 60'],
  'dns _sip._tcp.example.test srv': ['_sip._tcp.example.test srv\t1 5 5060 sip.example.test'],
  'dns example.test txt': ['example.test txt\tv=spf1 -all', 'example.test txt\tone, two'],
  'dns big.example.test txt': [
    `big.example.test txt\t${[...'abcdef'].map(letter => letter.repeat(255)).join('')}`,
  ],
  'dns typed.example.test https': ['typed.example.test https\t\\# 3 000100'],
  'dns typed.example.test TYPE65': ['typed.example.test https\t\\# 3 000100'],
  'dns example.test caa': [
    `example.test caa\t\\# 22 0005${Buffer.from('issueca.example.test').toString('hex')}`,
  ],
  'dns new.example.test 65333': ['new.example.test 65333\t\\# 4 deadbeef'],
  'dns !six.example.test ipv6': ['dom=six.example.test ip=2001:db8::6'],
  'cs tcp!web.example.test!http': [
    '/net/tcp/clone 192.0.2.80!80',
    '/net/tcp/clone 192.0.2.81!80',
    '/net/tcp/clone 2001:db8::80!80',
  ],
  'cs net!192.0.2.7!9fs': ['/net/tcp/clone 192.0.2.7!564'],
  'cs udp!*!5000': ['/net/udp/clone 5000'],
};

const PAGE = 'a line of the page\n'.repeat(5000);

const SHELL_PAGE = new URL('../../docs/shell.md', import.meta.url);

const quoted = (word: string): string => `'${word}'`;

/** Some port has a newline among its bytes, and a shell cannot send the header with it. */
const isWritten = (port: number): boolean => port >> 8 !== 10 && (port & 0xff) !== 10;

interface Tests {
  /** Whether cat gives on a datagram before the next one comes. */
  readonly datagrams?: boolean;
}

/** `it` for each script and page; `shell` is asked at each test. */
export function forEachScript(shell: () => Shell, { datagrams = true }: Tests = {}): void {
  let web: Server;
  let answering: Station;
  let remotes: Remote;
  const stations: Station[] = [];

  before(async () => {
    web = createServer((request, response) => response.end(request.url === '/page' ? PAGE : '')).listen(
      0,
      '127.0.0.1',
    );
    await once(web, 'listening');
    answering = await Station.bind();
    while (!isWritten(answering.port)) {
      answering.close();
      answering = await Station.bind();
    }
    remotes = await Remote.listen();
  });

  after(() => {
    web.close();
    answering.close();
    remotes.close();
    for (const each of stations) each.close();
  });

  async function station(): Promise<Station> {
    const made = await Station.bind();
    stations.push(made);
    return made;
  }

  const call = (script: string, ...args: string[]): string => {
    const { command, scripts, net } = shell();
    return [command, `${scripts}/${script}`, net, ...args.map(quoted)].join(' ');
  };

  const run = (script: string, ...args: string[]): Running => shell().run(call(script, ...args));

  /** The answering station's next datagram is answered. */
  async function answer(make: (text: string) => string): Promise<string> {
    const { text, from } = await answering.next();
    await answering.send(make(text), from.port);
    return text;
  }

  it('names.sh has every type of record resolved, and cs say where to dial', async () => {
    const printed = await run('names.sh', ...Object.keys(ANSWERS)).everything();
    const lines = printed.replaceAll(shell().net, '/net').split('\n');
    assert.deepEqual(lines, [...Object.values(ANSWERS).flat(), '']);
  });

  it('names.sh fails for what has no answer, and goes on with the next question', async () => {
    const questions = [
      'dns nobody.example.test ip',
      'dns example.test nonsense',
      'cs tcp!!',
      'dns localhost ip',
    ];
    const printed = await shell()
      .run(`${call('names.sh', ...questions)} 2>&1; echo "exit status $?"`)
      .everything();
    assert.deepEqual(printed.split('\n').sort(), [
      '',
      'exit status 1',
      'localhost ip\t127.0.0.1',
      ...questions
        .slice(0, 3)
        .map(question => `no answer: ${question}`)
        .sort(),
    ]);
  });

  if (datagrams) datagramTests();

  function datagramTests(): void {
    it('datagrams.sh sends one and prints the answer', async () => {
      const asked = run('datagrams.sh', 'ask', answering.address, 'how do you do');
      assert.equal(await answer(text => `you said ${text}`), 'how do you do\n');
      assert.equal(await asked.everything(), 'you said how do you do\n');
    });

    it('datagrams.sh sends one with a header of its own making, and prints it when it comes back', async () => {
      const sent = run('datagrams.sh', 'send', answering.address, 'how do you do');
      assert.equal(await answer(text => text), 'how do you do\n');
      assert.equal(await sent.everything(), 'how do you do\n');
    });

    it('datagrams.sh sends what comes back to whom it came from, whatever it is', async () => {
      // It goes on until it is hung up: the shell does that when the test tells it which, by a connection.
      const echo = shell().run(`${call('datagrams.sh', 'echo', '127.0.0.1!0')} &
      n=$(cat 'dial/tcp!${remotes.address}'); echo hangup >udp/$n/ctl; wait`);
      const [, number = '', port = ''] = /^(\d+) is at 127\.0\.0\.1!(\d+)$/.exec(await echo.says('udp/'))!;
      const [first, second] = [await station(), await station()];
      for (const bytes of ['hello\n', '', '\0\n\0', randomBytes(8000), randomBytes(8001)].map(Buffer.from)) {
        for (const each of [first, second]) await each.send(bytes, Number(port));
        for (const each of [first, second]) {
          const { bytes: back, from } = await each.next();
          assert.deepEqual([back, from.port], [bytes, Number(port)]);
        }
      }
      (await remotes.accept()).end(number);
      assert.equal(await echo.everything(), '');
    });

    it('datagrams.sh listens for remotes, and answers each', async () => {
      const listening = run('datagrams.sh', 'listen', '127.0.0.1!0', '3');
      const port = Number((await listening.says('udp/')).split('!')[1]);
      for (const text of ['one', 'two', 'three']) {
        const remote = await station();
        await remote.send(`this is ${text}\n`, port);
        assert.equal((await remote.next()).text, `${remote.address} says this is ${text}\n`);
      }
      assert.equal(await listening.everything(), '');
    });
  }

  it('dial.sh fetches a page by opening its server’s address', async () => {
    const { port } = web.address() as AddressInfo;
    assert.equal(await run('dial.sh', '127.0.0.1', String(port), '/page').everything(), PAGE);
  });

  it('docs/shell.md shows what is', async () => {
    const page = await Remote.serve('HTTP/1.0 200 OK\r\n\r\nIt works.\n');
    const places = { '/net': shell().net, '!8000': `!${page.port}`, '127.0.0.1!7000': answering.address };
    const commands = transcriptOf(SHELL_PAGE, datagrams ? [] : ['Datagrams']);
    const there = commands.map(each => ({ ...each, command: replaced(each.command, places) }));
    const running = shell().run(`cd /\n${scriptOf(there)}`);
    if (datagrams) await answer(text => `you said ${text}`);
    assertPrinted(commands, (await running.everything()).replaceAll(shell().net, '/net'));
    page.close();
  });
}

const replaced = (text: string, places: Readonly<Record<string, string>>): string =>
  Object.entries(places).reduce((so, [from, to]) => so.replaceAll(from, to), text);
