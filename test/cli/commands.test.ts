import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, dial } from '../../src/client/index.ts';
import { hostUsers } from '../../src/host/users.ts';
import { listener, Process, run, Served } from './process.ts';

const served = new Served();
const at = (command: string, ...args: string[]): string[] => [command, '--at', served.at, ...args];

const CLIENT_COMMANDS = [
  'ls',
  'cat',
  'write',
  'touch',
  'mkdir',
  'mv',
  'rm',
  'stat',
  'chmod',
  'chown',
  'chgrp',
  'dial',
  'announce',
  'resolve',
  'netstat',
  'log',
  'policy',
];

describe('the command line', () => {
  it('lists every command with --help and ends with 0', async () => {
    const { code, stdout } = await run(['--help']);
    assert.equal(code, 0);
    for (const name of ['serve', ...CLIENT_COMMANDS]) {
      assert.match(stdout, new RegExp(`^ {2}${name} `, 'm'));
    }
  });

  for (const name of CLIENT_COMMANDS) {
    it(`shows examples with ${name} --help`, async () => {
      const { code, stdout } = await run([name, '--help']);
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`Examples:\\n(.*\\n)*.*slashnet ${name} `));
    });
  }

  it('tells its version', async () => {
    const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
    const { code, stdout } = await run(['--version']);
    assert.deepEqual([code, stdout.trim()], [0, (JSON.parse(manifest) as { version: string }).version]);
  });

  for (const [what, args, message] of [
    ['no command', [], /^Usage: slashnet/],
    ['an unknown command', ['catt'], /^slashnet: unknown command 'catt'\n\(Did you mean cat\?\)/],
    ['an unknown option', ['ls', '--colour'], /^slashnet: unknown option '--colour'/],
    ['no path', ['cat'], /missing required argument 'path'/],
    ['an owner that is none', ['chown', ':', 'tcp'], /:: write USER, USER:GROUP or :GROUP/],
    ['a mode that is none', ['chmod', 'u+z', 'tcp'], /u\+z: write octal digits such as 640/],
    ['an address that is none', ['dial', 'example.org'], /example.org: not an address; write tcp!HOST!PORT/],
    ['an address to announce that is none', ['announce', '80', 'cat'], /80: not an address/],
    ['no command to run', ['announce', 'tcp!*!80'], /missing required argument 'command'/],
    ['a server address that is none', ['ls', '--at', 'nowhere'], /nowhere: not an address; write unix!PATH/],
    ['a server at stdin', ['ls', '--at', '-'], /write unix!PATH or tcp!HOST!PORT/],
  ] as const) {
    it(`ends with 2 on ${what}`, async () => {
      const { code, stdout, stderr } = await run(args);
      assert.match(stderr, message);
      assert.deepEqual([code, stdout], [2, '']);
    });
  }

  for (const [name, ...args] of [
    ['ls'],
    ['cat', 'tcp/stats'],
    ['write', 'tcp/0/ctl', 'hangup'],
    ['stat', 'tcp'],
    ['chmod', '600', 'tcp/clone'],
    ['dial', 'tcp!127.0.0.1!1'],
    ['announce', 'tcp!127.0.0.1!0', 'cat'],
    ['netstat'],
    ['log'],
    ['resolve', 'example.org'],
  ] as const) {
    it(`${name} ends with 1 and says what to do when no server is there`, async () => {
      const { code, stderr } = await run([name, '--at', 'unix!/nonexistent/sock', ...args]);
      assert.equal(
        stderr,
        "slashnet: no server at unix!/nonexistent/sock; start one: slashnet serve --listen 'unix!/nonexistent/sock'\n",
      );
      assert.equal(code, 1);
    });
  }

  it('looks for the server in XDG_RUNTIME_DIR', async function () {
    if (process.getuid!() === 0) this.skip();
    const { stderr } = await run(['ls'], '', { XDG_RUNTIME_DIR: '/tmp' });
    assert.equal(
      stderr,
      'slashnet: no server at unix!/tmp/slashnet.sock; start one: slashnet serve, or name another: --at unix!PATH\n',
    );
  });
});

describe('the commands', () => {
  before(() => served.start());
  after(() => served.stop());

  it('ls lists the tree', async () => {
    const { code, stdout, stderr } = await run(at('ls'));
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^tcp$/m);
  });

  it('ls -l shows mode, owner and name', async () => {
    const { code, stdout } = await run(at('ls', '-l', 'tcp/clone', '/net/tcp'));
    assert.equal(code, 0);
    assert.match(stdout, /^-rw-[-rw]{6} \S+ +\S+ +0 \d{4}-\d\d-\d\d \d\d:\d\d tcp\/clone\n\n\/net\/tcp:\n/);
    assert.match(stdout, / stats$/m);
  });

  it('ls goes on after a path that fails, and ends with 1', async () => {
    const { code, stdout, stderr } = await run(at('ls', 'tcp/9999', 'tcp/clone'));
    assert.deepEqual(
      [code, stdout, stderr],
      [1, 'tcp/clone\n', 'slashnet: ls tcp/9999: file does not exist\n'],
    );
  });

  for (const dialect of ['9P2000', '9P2000.u', '9P2000.L']) {
    it(`ls speaks ${dialect}`, async () => {
      const { code, stdout } = await run(at('ls', '--dialect', dialect, '-l', 'tcp'));
      assert.equal(code, 0);
      assert.match(stdout, / clone$/m);
    });
  }

  it('netstat shows conversations in columns that align', async () => {
    const { server, address } = await listener(socket => void socket.write('hello'));
    const client = await connect(served.at);
    const call = await dial(client, address);
    await call.data.read();
    const { code, stdout } = await run(at('netstat'));
    assert.equal(code, 0);
    const [header, ...rows] = stdout.trimEnd().split('\n');
    assert.match(header!, /^proto number owner +state +local +remote +in out since$/);
    const row = rows.find(text => text.includes(address.replace(/^tcp!/, '')))!;
    assert.match(
      row,
      new RegExp(`^tcp +${call.number} \\S+ +Established +127.0.0.1!\\d+ +127.0.0.1!\\d+ +5 +0 `),
    );
    for (const column of ['state', 'local', 'remote', 'since']) {
      assert.match(row.slice(header!.indexOf(column) - 1), /^ \S/, column);
    }
    client.close();
    server.close();
  });

  it('netstat --json gives an array of objects, --all the closed ones too', async () => {
    const client = await connect(served.at);
    const { ctl } = { ctl: await client.open('tcp/clone', 'rw') };
    const number = Number((await ctl.read(20, 0)).toString());
    await ctl.write('announce 127.0.0.1!0');
    const local = (await client.readFile(`tcp/${number}/local`)).toString().trimEnd();
    const rows = async (...options: string[]) =>
      JSON.parse((await run(at('netstat', '--json', ...options))).stdout) as {
        number: number;
        since: string;
      }[];
    const { since, ...found } = (await rows()).find(one => one.number === number)!;
    assert(Math.abs(Date.parse(since) - Date.now()) < 60_000);
    const { name: owner } = hostUsers().byId(process.getuid!()) ?? { name: String(process.getuid!()) };
    assert.deepEqual(found, {
      ...{ protocol: 'tcp', number, owner, state: 'Listen', local, remote: '::!0' },
      ...{ bytesIn: 0, bytesOut: 0 },
    });
    await ctl.close();
    assert(!(await rows()).some(one => one.number === number));
    assert((await rows('--all')).some(one => one.number === number));
    client.close();
  });

  it('cat prints files', async () => {
    const { code, stdout } = await run(at('cat', 'tcp/stats', '/net/tcp/stats'));
    assert.equal(code, 0);
    assert.equal(stdout.match(/^MaxConn: /gm)?.length, 2);
  });

  it('cat prints a stream as it comes, until its end', async () => {
    const { server, address } = await listener(socket => {
      socket.write('first ');
      socket.once('data', () => socket.end('last'));
    });
    const client = await connect(served.at);
    const call = await dial(client, address);
    const cat = new Process(at('cat', `${call.dir}/data`));
    await cat.until('stdout', /^first $/);
    await call.data.write('go');
    assert.deepEqual(await cat.ended, { code: 0, signal: null, stdout: 'first last', stderr: '' });
    client.close();
    server.close();
  });

  it('cat ends quietly when its reader goes away', async () => {
    const { server, address } = await listener(socket => {
      const more = (): void => void (socket.write(Buffer.alloc(65536)) ? setImmediate(more) : 0);
      socket.on('drain', more);
      more();
    });
    const client = await connect(served.at);
    const call = await dial(client, address);
    const cat = new Process(at('cat', `${call.dir}/data`));
    await cat.until('stdout', /./s);
    cat.child.stdout.destroy();
    const { code, stderr } = await cat.ended;
    assert.deepEqual([code, stderr], [0, '']);
    client.close();
    server.close();
  });

  it('cat ends with 1 on a file that is not there', async () => {
    const { code, stderr } = await run(at('cat', 'nothing'));
    assert.deepEqual([code, stderr], [1, 'slashnet: cat nothing: file does not exist\n']);
  });

  it('cat does not print directories', async () => {
    const { code, stdout, stderr } = await run(at('cat', 'tcp'));
    assert.deepEqual([code, stdout, stderr], [1, '', 'slashnet: cat tcp: is a directory\n']);
  });

  it('write sends its words as one message', async () => {
    const client = await connect(served.at);
    const ctl = await client.open('tcp/clone', 'rw');
    const n = (await ctl.read(20, 0)).toString();
    const good = await run(at('write', `/net/tcp/${n}/ctl`, 'announce', '127.0.0.1!0'));
    assert.deepEqual(good, { code: 0, signal: null, stdout: '', stderr: '' });
    assert.match((await client.readFile(`tcp/${n}/status`)).toString(), /^Listen/);
    const bad = await run(at('write', `tcp/${n}/ctl`, 'dance'));
    assert.equal(bad.code, 1);
    assert.match(bad.stderr, new RegExp(`^slashnet: write tcp/${n}/ctl: unknown control request`));
    client.close();
  });

  it('write sends standard input', async () => {
    const heard: Buffer[] = [];
    const { server, address } = await listener(socket => {
      socket.on('data', (chunk: Buffer) => heard.push(chunk)).on('end', () => socket.end());
    });
    const client = await connect(served.at);
    const call = await dial(client, address);
    const text = 'line\n'.repeat(50_000);
    assert.equal((await run(at('write', `${call.dir}/data`), text)).code, 0);
    const ended = new Promise(resolve => server.once('close', resolve));
    client.close();
    server.close();
    await ended;
    assert.equal(Buffer.concat(heard).toString(), text);
  });

  it('stat tells mode, owner and qid', async () => {
    const { code, stdout } = await run(at('stat', '/net/tcp/clone'));
    assert.equal(code, 0);
    assert.match(stdout, /^path {5}\/net\/tcp\/clone\nname {5}clone\nmode {5}0\d{3} -rw/);
    assert.match(stdout, /^qid {6}path 0x[0-9a-f]+ version 0 type 0x0$/m);
  });

  it('stat ends with 1 on a file that is not there', async () => {
    const { code, stderr } = await run(at('stat', 'nothing'));
    assert.deepEqual([code, stderr], [1, 'slashnet: stat nothing: file does not exist\n']);
  });

  for (const [mode, wanted] of [
    ['640', '0640 -rw-r-----'],
    ['g+w,o=r', '0664 -rw-rw-r--'],
    ['go=', '0600 -rw-------'],
  ] as const) {
    it(`chmod ${mode} does what it says`, async () => {
      assert.deepEqual(await run(at('chmod', mode, 'tcp/clone')), {
        code: 0,
        signal: null,
        stdout: '',
        stderr: '',
      });
      const { stdout } = await run(at('stat', 'tcp/clone'));
      assert.match(stdout, new RegExp(`^mode {5}${wanted}$`, 'm'));
    });
  }

  it('chgrp gives a file to a group by number, and tells one that nobody has', async () => {
    const gid = process.getgid!();
    assert.deepEqual(await run(at('chgrp', String(gid), 'tcp/clone')), {
      code: 0,
      signal: null,
      stdout: '',
      stderr: '',
    });
    const { code, stderr } = await run(at('chgrp', 'no-such-group', 'tcp/clone'));
    assert.deepEqual([code, stderr], [1, 'slashnet: chgrp tcp/clone: unknown group\n']);
  });

  it('chmod ends with 1 when the server refuses', async () => {
    const { code, stderr } = await run(at('chmod', '777', 'nothing'));
    assert.deepEqual([code, stderr], [1, 'slashnet: chmod nothing: file does not exist\n']);
  });
});

describe('dial', () => {
  before(() => served.start());
  after(() => served.stop());

  it('makes a connection its input and output, and ends with it', async () => {
    const { server, address } = await listener(socket => {
      socket.write('hello\n');
      socket.on('data', (chunk: Buffer) => {
        socket.write(chunk);
        if (chunk.includes('quit')) socket.end();
      });
    });
    const dialing = new Process(at('dial', address));
    await dialing.until('stdout', /hello\n$/);
    dialing.child.stdin.write('one\n');
    await dialing.until('stdout', /one\n$/);
    dialing.child.stdin.write('quit\n');
    const { code, stdout, stderr } = await dialing.ended;
    assert.deepEqual([code, stdout, stderr], [0, 'hello\none\nquit\n', '']);
    server.close();
  });

  it('reads on after its input has ended, until the other side closes', async () => {
    const { server, address } = await listener(socket => socket.once('data', () => socket.end('answer')));
    assert.deepEqual(await run(at('dial', address), 'question'), {
      code: 0,
      signal: null,
      stdout: 'answer',
      stderr: '',
    });
    server.close();
  });

  it('carries megabytes without loss', async () => {
    const size = 4 << 20;
    const { server, address } = await listener(socket => socket.end(Buffer.alloc(size, 'x')));
    assert.equal((await run(at('dial', address))).stdout.length, size);
    server.close();
  });

  it('closes the connection when it is killed', async () => {
    let ended: () => void;
    const end = new Promise<void>(resolve => (ended = resolve));
    const { server, address } = await listener(socket => {
      socket.write('up');
      socket.resume().on('end', () => {
        ended();
        socket.end();
      });
    });
    const dialing = new Process(at('dial', address));
    await dialing.until('stdout', /up/);
    dialing.child.kill('SIGTERM');
    await end;
    assert.equal((await dialing.ended).signal, 'SIGTERM');
    server.close();
  });

  it('ends with 1 and the reason when nobody answers', async () => {
    const { server, address } = await listener(() => {});
    await new Promise(resolve => server.close(resolve));
    const { code, stdout, stderr } = await run(at('dial', address));
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, new RegExp(`^slashnet: dial ${address.replaceAll('.', '\\.')}: connection refused`));
  });

  it('ends with 1 when the other side resets the connection', async () => {
    const { server, address } = await listener(socket => socket.resetAndDestroy());
    const { code, stderr } = await run(at('dial', address));
    assert.deepEqual([code, /^slashnet: dial tcp!/.test(stderr)], [1, true]);
    server.close();
  });
});

describe('announce', () => {
  before(() => served.start());
  after(() => served.stop());

  async function announced(...command: string[]): Promise<{ announce: Process; address: string }> {
    const announce = new Process(at('announce', 'tcp!127.0.0.1!0', ...command));
    const [, address = ''] = await announce.until('stderr', /announced (\S+) as tcp\/\d+\n/);
    return { announce, address };
  }

  async function stopped(announce: Process, signal: NodeJS.Signals): Promise<void> {
    announce.child.kill(signal);
    const { code, signal: killedBy } = await announce.ended;
    assert.deepEqual([code, killedBy], [0, null]);
  }

  it('runs a command for each call, several at a time, and stops on SIGTERM', async () => {
    const { announce, address } = await announced('cat');
    const calls = Array.from({ length: 3 }, () => new Process(at('dial', address)));
    for (const [i, call] of calls.entries()) call.child.stdin.write(`call ${i}\n`);
    for (const [i, call] of calls.entries()) await call.until('stdout', new RegExp(`^call ${i}\n$`));
    await stopped(announce, 'SIGTERM');
    for (const call of calls) assert.equal((await call.ended).code, 0);
  });

  it('by udp runs one for each remote, a datagram for what is written at once', async () => {
    const announce = new Process(at('announce', 'udp!127.0.0.1!0', 'cat'));
    const [, address = ''] = await announce.until('stderr', /announced (\S+) as udp\/\d+\n/);
    const calls = Array.from({ length: 2 }, () => new Process(at('dial', address)));
    for (const [i, call] of calls.entries()) call.child.stdin.write(`datagram ${i}`);
    for (const [i, call] of calls.entries()) await call.until('stdout', new RegExp(`^datagram ${i}$`));
    for (const call of calls) call.child.kill('SIGTERM');
    await Promise.all(calls.map(({ ended }) => ended));
    await stopped(announce, 'SIGTERM');
  });

  it('stops on SIGINT while no call is there', async () => {
    const { announce } = await announced('cat');
    await stopped(announce, 'SIGINT');
  });

  it('hands the command its own options, and the call in its environment', async () => {
    const { announce, address } = await announced('sh', '-c', 'echo $net $LOCAL $REMOTE $1', '--', '--at');
    const { code, stdout } = await run(at('dial', address));
    assert.equal(code, 0);
    assert.match(stdout, /^\/net\/tcp\/\d+ 127\.0\.0\.1!\d+ 127\.0\.0\.1!\d+ --at\n$/);
    assert.equal(`tcp!${stdout.split(' ')[1]}`, address);
    await stopped(announce, 'SIGTERM');
  });

  it('gives the command the end of the call as the end of its input', async () => {
    const { announce, address } = await announced('sh', '-c', 'cat >&2; echo heard the end >&2');
    const call = new Process(at('dial', address));
    call.child.stdin.write('last words\n');
    await announce.until('stderr', /last words/);
    call.child.kill('SIGTERM');
    await announce.until('stderr', /heard the end/);
    await stopped(announce, 'SIGTERM');
  });

  it('ends the call when the command ends', async () => {
    const { announce, address } = await announced('sh', '-c', 'read line; echo "got $line"');
    assert.equal((await run(at('dial', address), 'it\nand more\n')).stdout, 'got it\n');
    await stopped(announce, 'SIGTERM');
  });

  it('says so when the command cannot be run, and goes on listening', async () => {
    const { announce, address } = await announced('/nonexistent/command');
    assert.equal((await run(at('dial', address))).code, 0);
    await announce.until('stderr', /slashnet: announce tcp\/\d+: .*ENOENT/);
    assert.equal((await run(at('dial', address))).code, 0);
    announce.child.kill('SIGTERM');
    assert.equal((await announce.ended).code, 1);
  });

  it('ends with 1 and the reason when the address cannot be had', async () => {
    const { code, stderr } = await run(at('announce', 'tcp!192.0.2.1!80', 'cat'));
    assert.equal(code, 1);
    assert.match(stderr, /^slashnet: announce tcp!192\.0\.2\.1!80: not a local IP address/);
  });

  it('ends with 1 when the server goes away', async () => {
    const { announce } = await announced('cat');
    await served.stop();
    const { code, stderr } = await announce.ended;
    assert.equal(code, 1);
    assert.match(
      stderr,
      /slashnet: announce tcp!127\.0\.0\.1!0: (the server closed the connection|connection lost: .*|i\/o on hungup channel)\n$/,
    );
    await served.start();
  });
});
