/**
 * A server that mounts and does nothing else, as a process, so that a hang harms nobody: run as
 * `node mounter.mjs DIR [option...]`, with the compiled sources. It says on stdout how it went, and obeys lines on stdin.
 *
 *   allow-other, name=N   of the mount
 *   silent                read nothing: whoever asks the mount waits
 *   type=T                not by mount(), but as another program would mount a T
 *   handed                the same, and then by mount() of the descriptor
 */
import { execFileSync } from 'node:child_process';
import { openSync, readFileSync, read, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { mount as mountCall } from '../../dist/host/mount.js';
import { mount } from '../../dist/server/fuse/mount.js';
import { DoorError } from '../../dist/server/transport/door.js';

const [dir = '', ...options] = process.argv.slice(2).filter(arg => arg !== '-o');
const value = key => options.find(option => option.startsWith(`${key}=`))?.slice(key.length + 1);

const say = line => void writeSync(1, `${line}\n`);

function byHand(type) {
  const fd = openSync('/dev/fuse', 'r+');
  mountCall('hand', dir, type, 0, `fd=${fd},rootmode=40000,user_id=0,group_id=0`);
  return { dir, fd, unmount: () => Promise.reject(new Error('not ours')) };
}

function mountIt() {
  const type = value('type');
  if (type !== undefined) return byHand(type);
  const at = options.includes('handed') ? `/dev/fd/${byHand('fuse.hand').fd}` : dir;
  const name = value('name');
  return mount(at, {
    allowOther: options.includes('allow-other'),
    ...(name === undefined ? {} : { name }),
  });
}

/** <linux/fuse.h>: fuse_in_header is 40 bytes, fuse_out_header 16, fuse_init_out 64. */
const FUSE_INIT = 26;
const FUSE_FORGET = 2;
const FUSE_BATCH_FORGET = 42;
const ENOSYS = 38;

/** Says hello to the kernel, and to everything else that it is not implemented. */
function answer(fd) {
  const buffer = Buffer.alloc(1024 * 1024);
  read(fd, buffer, 0, buffer.length, null, (error, n) => {
    if (error !== null) return;
    const request = buffer.subarray(0, n);
    const opcode = request.readUInt32LE(4);
    if (opcode !== FUSE_FORGET && opcode !== FUSE_BATCH_FORGET) writeSync(fd, reply(request, opcode));
    answer(fd);
  });
}

function reply(request, opcode) {
  const out = Buffer.alloc(opcode === FUSE_INIT ? 80 : 16);
  out.writeUInt32LE(out.length, 0);
  request.copy(out, 8, 8, 16); // unique
  if (opcode !== FUSE_INIT) {
    out.writeInt32LE(-ENOSYS, 4);
    return out;
  }
  request.copy(out, 16, 40, 48); // major, minor
  out.writeUInt32LE(4096, 16 + 20); // max_write
  return out;
}

async function obey(line, mounted) {
  if (line === 'unmount') {
    await Promise.all([mounted.unmount(), mounted.unmount()]);
    await mounted.unmount();
    say('unmounted');
  } else if (line === 'inherited') {
    say(`inherited ${execFileSync('ls', ['-l', '/proc/self/fd']).toString().replaceAll('\n', '; ')}`);
  } else if (line === 'children') {
    say(`children ${readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8')}`);
  } else if (line === 'exit') {
    process.kill(process.pid, 'SIGKILL');
  }
}

try {
  const mounted = await mountIt();
  if (!options.includes('silent')) answer(mounted.fd);
  say(`mounted ${mounted.dir}`);
  createInterface({ input: process.stdin }).on('line', line => void obey(line, mounted));
} catch (error) {
  if (!(error instanceof DoorError)) throw error;
  say(`refused: ${error.message}`);
  process.exit(1);
}
