/**
 * A server that is killed leaves a dead mount: whoever looks at the directory is told "Transport
 * endpoint is not connected". So a shell waits on a pipe from the server, and unmounts when the pipe
 * ends without a word.
 *
 * It must not take away what a new server has mounted at the same place. Mount ids and device numbers
 * are given out again, so they tell nothing; what it unmounts is a slashnet mount that is dead. Between
 * that look and the unmounting nobody mounts there, for whoever does holds the lock (mountpoint.ts).
 * Others may hold it, too, for spite: it is waited for a second, and no longer.
 */
import { spawn } from 'node:child_process';
import { escaped } from './mountinfo.ts';

export interface Watchdog {
  /** Ends it; nothing is unmounted. */
  dismiss(): Promise<void>;
}

/**
 * $1 the directory, $2 the same as mountinfo has it, $3 what to lock, then the command that unmounts.
 * stat -f asks the file system each time, while stat may answer from the kernel's cache.
 * As soon as /dev/fuse is closed the mount is dead, which may be a moment after the pipe.
 */
const SCRIPT = `
trap '' HUP INT TERM
dir=$1 escaped=$2 lock=$3
shift 3
read -r word && exit 0
settled() {
  top=
  while read -r id parent device root at rest; do
    [ "$at" = "$escaped" ] && top=$rest
  done </proc/self/mountinfo
  case $top in *' - fuse.slashnet '*) ;; *) return 0 ;; esac
  said=$(timeout -s KILL 1 stat -f -- "$dir" 2>&1) && return 0
  case $said in *'is not connected'*) "$@" "$dir" ;; *) return 1 ;; esac
}
tries=0
while [ $tries -lt 50 ]; do
  (flock -w 1 9; settled "$@") 9<"$lock" && exit 0
  tries=$((tries + 1))
  sleep 0.1
done
`;

/**
 * Started before the mount, so that there is no moment without one. It is in a session of its own,
 * where Ctrl-C does not reach it, holds nothing of ours open but the pipe, and does not keep us alive.
 */
export function startWatchdog(dir: string, lock: string, unmount: readonly string[]): Watchdog {
  // By way of the environment, so that ps(1) shows a line and not the script.
  const child = spawn(
    '/bin/sh',
    ['-c', 'eval "$SCRIPT"', 'slashnet-watchdog', dir, escaped(dir), lock, ...unmount],
    {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      cwd: '/',
      env: { SCRIPT, PATH: `${process.env['PATH'] ?? '/bin'}:/usr/sbin:/usr/bin:/sbin:/bin`, LC_ALL: 'C' },
    },
  );
  const ended = new Promise<void>(resolve => {
    child.once('exit', () => resolve());
    // Without a shell there is no watchdog; the next start cleans up.
    child.once('error', () => resolve());
  });
  // Somebody may have killed it.
  child.stdin.on('error', () => {});
  child.unref();
  (child.stdin as unknown as { unref(): void }).unref();
  return {
    async dismiss() {
      child.ref();
      child.stdin.end('unmounted\n');
      await ended;
    },
  };
}
