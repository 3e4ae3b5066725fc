/** Mount namespaces to try mounting in, and servers that mount in them. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';

export const isRoot = process.getuid!() === 0;

const ROOM = new URL('../../', import.meta.url).pathname;

/** Its arguments follow. */
export const MOUNTER: readonly string[] = [process.execPath, `${ROOM}test/fuse/mounter.mjs`];

/**
 * The same for who may not come to where the sources or Node are, and a script for a mount namespace
 * that puts both below `dir`.
 */
export function mounterIn(dir: string): { command: readonly string[]; script: string } {
  const { node, slashnet } = sourcesIn(dir);
  return {
    command: [node, `${slashnet}/test/fuse/mounter.mjs`],
    script: `
      mkdir ${dir}/slashnet; touch ${dir}/node
      mount --bind '${ROOM}' ${dir}/slashnet
      mount --bind '${process.execPath}' ${dir}/node`,
  };
}

/** Where Node and the sources are: really, or where `mounterIn` puts them. */
export function sourcesIn(dir: string | undefined): { node: string; slashnet: string } {
  if (dir === undefined) return { node: process.execPath, slashnet: ROOM.replace(/\/$/, '') };
  return { node: `${dir}/node`, slashnet: `${dir}/slashnet` };
}

/** A user of the tests' own. */
export const ALICE = 61234;

/** A process, line by line. */
export class Lines {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  /** Its streams have ended, too. */
  readonly closed: Promise<void>;
  private text = '';
  private errors = '';
  private over = false;
  private wake = (): void => {};

  constructor(command: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(command[0]!, command.slice(1), {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.child.stdin.on('error', () => {});
    this.child.stdout.on('data', (chunk: Buffer) => {
      this.text += chunk.toString();
      this.wake();
    });
    this.child.stderr.on('data', (chunk: Buffer) => (this.errors += chunk.toString()));
    this.closed = new Promise(resolve => {
      this.child.once('close', () => {
        this.over = true;
        this.wake();
        resolve();
      });
    });
  }

  /** The next line that begins with a word; what follows it. Fails with another, or at the end. */
  async says(word: string): Promise<string> {
    for (;;) {
      const end = this.text.indexOf('\n');
      if (end >= 0) {
        const line = this.text.slice(0, end);
        this.text = this.text.slice(end + 1);
        assert(line.startsWith(word), `${word}...: ${line} ${this.errors}`);
        return line.slice(word.length).trim();
      }
      assert(!this.over, `it ended without ${word}: ${this.errors}`);
      await new Promise<void>(resolve => (this.wake = resolve));
    }
  }

  tell(line: string): void {
    this.child.stdin.write(`${line}\n`);
  }

  async ask(line: string): Promise<string> {
    this.tell(line);
    return this.says(line);
  }

  /** All that it still says, to its end. */
  async everything(): Promise<string> {
    await this.closed;
    return this.text + this.errors;
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.closed;
  }
}

export interface RunOptions {
  /** What the program is started by, e.g. setpriv with its options. */
  readonly by?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

export const asAlice = ['setpriv', `--reuid=${ALICE}`, `--regid=${ALICE}`, '--clear-groups'];

export class Namespace {
  private readonly holder: Lines;
  private readonly enter: readonly string[];
  private readonly started: Lines[] = [];
  private command = MOUNTER;

  private constructor(holder: Lines, enter: readonly string[]) {
    this.holder = holder;
    this.enter = enter;
  }

  /** `flags` of unshare(1); `setup` is a shell script that is run in it first. */
  static async make(flags: readonly string[], setup = ''): Promise<Namespace> {
    const script = `set -e; ${setup}\necho ready; read -r word`;
    const holder = new Lines(['unshare', ...flags, '--propagation', 'private', 'sh', '-c', script]);
    await holder.says('ready');
    const user = flags.includes('-U') ? ['-U', '--preserve-credentials'] : [];
    return new Namespace(holder, ['nsenter', '-t', String(holder.child.pid), ...user, '-m']);
  }

  /** One in which an ordinary user can run a mounter; `work` is a directory that he may enter. */
  static async ofOthers(work: string, setup: string): Promise<Namespace> {
    const { command, script } = mounterIn(work);
    const made = await Namespace.make(['-m'], `${script}\n${setup}`);
    made.command = command;
    return made;
  }

  /**
   * A script that makes a machine as with udev and with Alice, in a namespace of mounts; what its files
   * say can be changed.
   */
  static ordinary(
    work: string,
    { device = '0666', passwd = `alice:x:${ALICE}:${ALICE}::/:/bin/sh`, conf = '' } = {},
  ): string {
    return `
    mkdir ${work}/over
    mount -t tmpfs none ${work}/over
    cd ${work}/over
    mknod fuse c 10 229
    chmod ${device} fuse
    { cat /etc/passwd; echo '${passwd}'; } >passwd
    echo '${conf}' >fuse.conf
    mount --bind fuse /dev/fuse
    mount --bind passwd /etc/passwd
    mount --bind fuse.conf /etc/fuse.conf
    cd /`;
  }

  /** A namespace in which this user is root: really, or in a user namespace. */
  static ofRoot(setup = ''): Promise<Namespace> {
    return Namespace.make(isRoot ? ['-m'] : ['-U', '-r', '-m'], setup);
  }

  run(command: readonly string[], { by = [], env = {} }: RunOptions = {}): Lines {
    const started = new Lines([...this.enter, ...by, ...command], env);
    this.started.push(started);
    return started;
  }

  /** A server that mounts on `dir`; it may be refused. */
  mounter(dir: string, args: readonly string[] = [], options: RunOptions = {}): Lines {
    return this.run([...this.command, dir, ...args], options);
  }

  async mounted(dir: string, args: readonly string[] = [], options: RunOptions = {}): Promise<Lines> {
    const mounter = this.mounter(dir, args, options);
    await mounter.says('mounted');
    return mounter;
  }

  async refused(dir: string, args: readonly string[] = [], options: RunOptions = {}): Promise<string> {
    return this.mounter(dir, args, options).says('refused:');
  }

  /** What mountinfo has of a path, bottom to top. */
  at(dir: string): string[] {
    const lines = readFileSync(`/proc/${this.holder.child.pid}/mountinfo`, 'utf8').split('\n');
    return lines.filter(line => line.split(' ')[4] === dir);
  }

  async end(): Promise<void> {
    for (const started of this.started) await started.kill();
    await this.holder.kill();
  }
}

/** Turn by turn; the test's own time-out ends what never is. */
export async function until(so: () => boolean): Promise<void> {
  while (!so()) await new Promise(resolve => setImmediate(resolve));
}

/** A process that has ended may stay as a zombie until its parent, pid 1, has a look. */
export function isGone(pid: string): boolean {
  try {
    return /^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return true;
  }
}

/** HUP, INT and TERM, as the mask in proc_pid_status(5): a shell that has just started does not yet. */
export function ignoresSignals(pid: number): boolean {
  const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!;
  return (parseInt(mask.slice(-8), 16) & 0x4003) === 0x4003;
}

/** The processes that watch over mounts at `dir`. */
export function watchdogsOf(dir: string): string[] {
  return readdirSync('/proc').filter(
    pid => /^\d+$/.test(pid) && commandOf(pid).includes(`watchdog\0${dir}\0`),
  );
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
