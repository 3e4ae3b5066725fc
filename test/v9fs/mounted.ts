/** slashnet mounted in a guest, one guest for a whole suite. */
import assert from 'node:assert/strict';
import { ROOT } from './people.ts';
import { Guest, HOST, install, type Result } from './guest.ts';
import type { Dialect } from '../../src/server/9p/messages.ts';
import { Server, type ServerOptions } from '../../src/server/server.ts';
import type { Door } from '../../src/server/transport/door.ts';
import { tcpDoor } from '../../src/server/transport/tcp.ts';
import { until } from '../server/rig.ts';

/**
 * What every script may use: `dial PORT` has fd 3 the ctl and $n the number, `announce` $port too; `blocked
 * open PID` and `blocked read PID` wait until a process is in that call. A signal that came before it, in
 * the middle of a walk, would not be noticed there: v9fs forgets it.
 */
const PRELUDE = `
cd /mnt/net
dial() { exec 3<>tcp/clone; read -r n <&3; echo "connect 127.0.0.1!$1" >&3; }
announce() { exec 3<>tcp/clone; read -r n <&3; echo 'announce 127.0.0.1!0' >&3; read -r port <tcp/$n/local; port=\${port#*!}; }
blocked() { until grep -q p9_client_$1 /proc/$2/stack; do :; done; }
as() { local uid=$1; shift; setpriv --reuid $uid --regid $uid --clear-groups -- bash -c "$@"; }
`;

export class Mounted {
  readonly dialect: Dialect;
  guest!: Guest;
  server!: Server;
  private door!: Door;

  constructor(dialect: Dialect) {
    this.dialect = dialect;
  }

  async start(options: ServerOptions = {}): Promise<void> {
    install();
    this.server = new Server({ ...options, owner: ROOT });
    this.door = await this.server.addDoor(onClient => tcpDoor('127.0.0.1', 0, { trust: true }, onClient));
    this.guest = await Guest.boot();
    await this.ok(`mount -i -t 9p -o ${this.options} ${HOST} /mnt/net`, { prelude: '' });
  }

  async stop(): Promise<void> {
    await this.guest.end();
    await until(() => this.server.sessions.size === 0);
    this.server.close();
  }

  /** As docs/v9fs.md gives them; plain 9P2000 has one user only, and has to say that it is v9fs. */
  get options(): string {
    const common = `trans=tcp,port=${this.door.address!.port},version=${this.dialect.toLowerCase()}`;
    const how = this.dialect === '9P2000' ? 'uname=root,aname=v9fs' : 'access=user';
    return `${common},cache=none,noxattr,msize=65536,${how}`.replace('9p2000.l', '9p2000.L');
  }

  /** Runs a script in the mount. */
  run(script: string, { prelude = PRELUDE } = {}): Promise<Result> {
    return this.guest.run(prelude + script);
  }

  /** What a script printed; it must end well. */
  async ok(script: string, options?: { prelude: string }): Promise<string> {
    const { status, output } = await this.run(script, options);
    assert.equal(status, 0, `exit status ${status} of: ${script}\nprinted: ${output}`);
    return output;
  }

  /** Conversations that some fid uses. */
  get inUse(): number {
    const { tcp } = this.server;
    return Array.from({ length: tcp.count }, (_, i) => tcp.at(i)).filter(c => c.inUse).length;
  }
}
