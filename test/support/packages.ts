/** What the tests need of Debian: root has it installed, anybody else is told what is missing. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';

/** sbin is not on everybody's PATH. */
const PLACES = [...(process.env['PATH'] ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Where a program is, or a file that is named whole; undefined if it is not there. */
export function find(program: string): string | undefined {
  if (program.startsWith('/')) return existsSync(program) ? program : undefined;
  return PLACES.map(place => `${place}/${program}`).find(path => existsSync(path));
}

/** Makes sure of programs and files, each with the package that brings it. */
export function need(programs: Readonly<Record<string, string>>): void {
  const missing = (): string[] =>
    Object.entries(programs).flatMap(([program, name]) => (find(program) === undefined ? [name] : []));
  if (missing().length === 0) return;
  const packages = [...new Set(missing())];
  const command = ['install', '-y', '--no-install-recommends', ...packages];
  // On a machine that has never looked, apt knows of no package.
  if (!apt(command) && apt(['update'])) apt(command);
  assert.deepEqual(missing(), [], `apt-get install --no-install-recommends ${packages.join(' ')}`);
}

/** Makes sure that this user may mount by FUSE, in a namespace of his own if he is not root. */
export function needFuse(): void {
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
  } catch {
    assert.fail(
      '/dev/fuse is not there or not open to this user; as root: modprobe fuse; chmod 0666 /dev/fuse',
    );
  }
}

function apt(args: readonly string[]): boolean {
  try {
    execFileSync('apt-get', args, {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: 'pipe',
    });
    return true;
  } catch {
    // What follows says what is missing.
    return false;
  }
}
