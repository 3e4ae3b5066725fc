/**
 * A Linux of its own to mount slashnet in: a User-Mode Linux kernel, which is an ordinary process and
 * has the 9p file system among its modules. It needs no root, no KVM and no network device: its network
 * is slirp's, where 10.0.2.2 is this host's loopback. Its root is this host's, read-only.
 *
 * Scripts are named on a console and run one after the other by bash; what they print comes back on it.
 * A guest that does not answer in time is killed, and its kernel's list of blocked tasks is in the
 * failure.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import koffi from 'koffi';
import { find, need } from '../support/packages.ts';

// ---- what it is made of -------------------------------------------------------------------------

/** Commands that are needed, and the Debian packages they come in. */
const NEEDED: Readonly<Record<string, string>> = {
  'linux.uml': 'user-mode-linux',
  'libslirp-helper': 'libslirp-helper',
  busybox: 'busybox-static',
  curl: 'curl',
};

export const install = (): void => need(NEEDED);

const libc = koffi.load('libc.so.6');
const socketpairC = libc.func('int socketpair(int domain, int type, int protocol, _Out_ int *pair)');
const setsockoptC = libc.func('int setsockopt(int fd, int level, int name, const int *value, uint32_t size)');
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;

/** The wire between the guest and slirp: a datagram is a frame. */
function wire(): [number, number] {
  const pair = [0, 0];
  assert.equal(socketpairC(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
  for (const fd of pair) setsockoptC(fd, SOL_SOCKET, SO_SNDBUF, [1 << 20], 4);
  return pair as [number, number];
}

const MEMORY_MIB = 256;

/** The guest's memory is a file that it maps and executes: in /dev/shm, where that is large enough and lets it. */
function memoryDir(): string {
  const shm = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .find(line => line.split(' ')[1] === '/dev/shm');
  if (shm === undefined || /\bnoexec\b/.test(shm)) return tmpdir();
  const { bavail, bsize } = statfsSync('/dev/shm');
  return bavail * bsize > MEMORY_MIB * 1024 * 1024 ? '/dev/shm' : tmpdir();
}

/** Between a script's output and its exit status; no script prints it. */
const MARK = '\u0001end\u0002';

/**
 * The guest's init. Busybox runs its own applets from /proc/self/exe, which spares most of the programs
 * that would have to be loaded; until /proc is the guest's own that is another program.
 */
const init = (busybox: string, io: string): string => `#!${busybox} sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
${busybox} mount -t proc proc /proc
stty -F /dev/tty1 raw -echo
exec </dev/tty1 >/dev/tty1 2>&1
for m in fs/netfs/netfs fs/fscache/fscache net/9p/9pnet net/9p/9pnet_fd fs/9p/9p; do
  m=/usr/lib/uml/modules/$(uname -r)/kernel/$m.ko
  [ ! -e $m ] || insmod $m
done
mount -t tmpfs tmpfs /mnt
mkdir /mnt/net /mnt/io
mount -t hostfs -o ${io} none /mnt/io
for d in /tmp /run /root; do mount -t tmpfs -o mode=1777 tmpfs $d; done
ln -s /proc/self/fd /dev/fd
ifconfig lo 127.0.0.1 up
ifconfig vec0 10.0.2.15 netmask 255.255.255.0 up
# Who writes to the other console wants to know what is stuck.
(read -r _; echo 9 >/proc/sysrq-trigger; echo w >/proc/sysrq-trigger) </dev/tty2 &
echo READY
while read -r script; do
  setsid bash /mnt/io/$script </dev/null
  echo "${MARK}$?"
done
poweroff -f
`;

// ---- the guest ----------------------------------------------------------------------------------

/** How the guest sees the host's loopback. */
export const HOST = '10.0.2.2';

export interface Result {
  readonly status: number;
  /** What it wrote, stdout and stderr together. */
  readonly output: string;
}

export class Guest {
  private readonly dir = mkdtempSync(join(tmpdir(), 'slashnet-uml-'));
  private readonly kernel: ChildProcess;
  private readonly slirp: ChildProcess;
  private readonly ended: Promise<unknown>;
  private hasEnded = false;
  private printed = '';
  private log = '';
  private scripts = 0;
  private readonly waiting = new Set<() => void>();

  static async boot(): Promise<Guest> {
    const guest = new Guest();
    await guest.prints('READY\n', 20_000);
    return guest;
  }

  private constructor() {
    chmodSync(this.dir, 0o755);
    writeFileSync(join(this.dir, 'init'), init(find('busybox')!, this.dir), { mode: 0o755 });
    const [near, far] = wire();
    this.slirp = spawn('libslirp-helper', ['--fd', '3', '--exit-with-parent', '--disable-ipv6'], {
      stdio: ['ignore', 'ignore', 'ignore', near],
    });
    this.kernel = spawn('linux.uml', this.commandLine(), {
      stdio: ['pipe', 'ignore', 'pipe', far, 'pipe', 'pipe'],
      env: { ...process.env, TMPDIR: memoryDir() },
      // A group of its own: the guest's processes are processes of this host.
      detached: true,
    });
    closeSync(near);
    closeSync(far);
    this.ended = once(this.kernel, 'exit');
    this.listen();
  }

  private listen(): void {
    const { kernel } = this;
    const console = kernel.stdio[4] as Readable;
    console.setEncoding('utf8').on('data', (text: string) => {
      this.printed += text;
      this.wake();
    });
    kernel.stderr!.setEncoding('utf8').on('data', (text: string) => (this.log += text));
    kernel.once('exit', () => {
      this.hasEnded = true;
      this.wake();
    });
    for (const stream of kernel.stdio) stream?.on('error', () => {});
  }

  private commandLine(): string[] {
    return [
      ...[
        `mem=${MEMORY_MIB}M`,
        `uml_dir=${this.dir}/`,
        'umid=uml',
        'root=none',
        'rootfstype=hostfs',
        'rootflags=/',
        'ro',
      ],
      ...[
        `init=${this.dir}/init`,
        'con0=null,fd:2',
        'con1=fd:0,fd:4',
        'con2=fd:5,null',
        'con=null',
        'ssl=null',
      ],
      ...['quiet', 'loglevel=6', 'noreboot', 'panic=-1', 'vec0:transport=fd,fd=3'],
      // Its benchmarks take most of a second of the boot.
      'initcall_blacklist=raid6_select_algo',
    ];
  }

  private wake(): void {
    for (const wake of this.waiting) wake();
    this.waiting.clear();
  }

  /** Waits until this is printed and returns what came before it. */
  private async prints(text: string, ms: number): Promise<string> {
    const at = await this.until(() => this.printed.indexOf(text) + 1 || undefined, ms);
    return this.take(at - 1, text.length);
  }

  /** Waits until the script that runs has printed such a thing; it goes on. */
  says(pattern: RegExp, ms = 15_000): Promise<RegExpExecArray> {
    return this.until(() => pattern.exec(this.printed) ?? undefined, ms);
  }

  private async until<T>(found: () => T | undefined, ms: number): Promise<T> {
    const expired = AbortSignal.timeout(ms);
    expired.addEventListener('abort', () => this.wake());
    for (;;) {
      const what = found();
      if (what !== undefined) return what;
      if (this.hasEnded) throw this.failure('the guest ended');
      if (expired.aborted) throw await this.stuck(ms);
      await new Promise<void>(resolve => this.waiting.add(resolve));
    }
  }

  private take(at: number, length: number): string {
    const before = this.printed.slice(0, at);
    this.printed = this.printed.slice(at + length);
    return before;
  }

  /** Puts a file where the guest finds it; its path there. */
  give(name: string, content: string | Buffer): string {
    writeFileSync(join(this.dir, name), content, { mode: 0o755 });
    return `/mnt/io/${name}`;
  }

  /** Runs a script by bash. It has ms to end. */
  async run(script: string, ms = 15_000): Promise<Result> {
    const name = `script${this.scripts++}`;
    this.give(name, script);
    this.kernel.stdin!.write(`${name}\n`);
    const output = await this.prints(MARK, ms);
    return { status: Number((await this.prints('\n', ms)).trim()), output };
  }

  /** Asks the kernel what is blocked, which it tells in its log, and ends it. */
  private async stuck(ms: number): Promise<Error> {
    (this.kernel.stdio.at(5) as Writable).write('\n');
    await new Promise(resolve => setTimeout(resolve, 1000));
    await this.end();
    return this.failure(`no answer after ${ms} ms`);
  }

  private failure(what: string): Error {
    const blocked = this.log.lastIndexOf('Show Blocked State');
    const log = this.log.slice(blocked < 0 ? -3000 : blocked);
    return new Error(`${what}\n--- printed:\n${this.printed}\n--- the kernel's log:\n${log}`);
  }

  /** Ends it at once: there is nothing in it to be kept. */
  async end(): Promise<void> {
    if (!this.hasEnded) process.kill(-this.kernel.pid!, 'SIGKILL');
    this.slirp.kill('SIGKILL');
    await this.ended;
    rmSync(this.dir, { recursive: true, force: true });
  }
}
