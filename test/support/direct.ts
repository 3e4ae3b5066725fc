/** The tree as the code itself has it, by no protocol: its Nodes and Handles called directly. */
import { Abort } from '../../src/abort.ts';
import type { Stat, StatChange } from '../../src/client/stat.ts';
import { FsError } from '../../src/netfs/error.ts';
import {
  isDir,
  type Handle,
  type Node,
  type Req,
  type StatChange as NodeChange,
} from '../../src/netfs/node.ts';
import { userOf, type Caller, type Users } from '../../src/policy/identity.ts';
import type { Server } from '../../src/server/server.ts';
import { lastOf, readAll, type OpenFile, type OpenOptions, type Tree } from './tree.ts';

/** What read() asks for when it is not told. */
const READ = 64 * 1024;

export class DirectTree implements Tree<DirectFile> {
  private readonly server: Server;
  private readonly caller: Caller;
  private readonly files = new Set<DirectFile>();
  private readonly opening = new Set<Abort>();

  constructor(server: Server, caller: Caller) {
    this.server = server;
    this.caller = caller;
  }

  async open(path: string, mode: 'r' | 'w' | 'rw' = 'r', options: OpenOptions = {}): Promise<DirectFile> {
    const how = { read: mode !== 'w', write: mode !== 'r', truncate: options.truncate === true };
    const { mount } = this.server;
    const handle = await during(this.caller, this.opening, options.signal, async req => {
      try {
        return await mount.open(await this.walk(path, req), how, req);
      } catch (error) {
        if (options.create !== true || !(error instanceof FsError && error.name === 'Enonexist')) throw error;
      }
      const { dir, name } = await this.place(path, req);
      return mount.openOrCreate(dir, name, how, req);
    });
    const file = new DirectFile(handle, this.caller, this.server.users, () => this.files.delete(file));
    this.files.add(file);
    return file;
  }

  private async walk(path: string, req: Req): Promise<Node> {
    let node: Node = this.server.mount.root;
    for (const name of path.split('/').filter(Boolean)) node = await this.server.mount.walk(node, name, req);
    return node;
  }

  private async place(path: string, req: Req): Promise<{ dir: Node; name: string }> {
    const at = path.lastIndexOf('/');
    return { dir: await this.walk(path.slice(0, Math.max(at, 0)), req), name: path.slice(at + 1) };
  }

  create(path: string, { directory = false }: { readonly directory?: boolean } = {}): Promise<void> {
    return this.request(async req => {
      const { dir, name } = await this.place(path, req);
      await this.server.mount.create(dir, name, directory ? 'directory' : 'file', req);
    });
  }

  remove(path: string): Promise<void> {
    return this.request(async req => {
      const { dir, name } = await this.place(path, req);
      await this.server.mount.remove(dir, name, req);
    });
  }

  rename(path: string, newPath: string): Promise<void> {
    return this.request(async req => {
      const [from, to] = [await this.place(path, req), await this.place(newPath, req)];
      await this.server.mount.rename(from.dir, from.name, to.dir, to.name, true, req);
    });
  }

  private request<T>(run: (req: Req) => Promise<T>): Promise<T> {
    return during(this.caller, this.opening, undefined, run);
  }

  stat(path: string): Promise<Stat> {
    return this.request(async req => toStat(path, await this.walk(path, req), this.server.users));
  }

  async readdir(path: string): Promise<{ name: string; qid: Stat['qid'] }[]> {
    return (await this.list(path)).map(node => ({ name: node.stat().name, qid: node.qid }));
  }

  async ls(path: string): Promise<Stat[]> {
    const self = await this.stat(path);
    if (!self.isDirectory) return [self];
    return (await this.list(path)).map(node => toStat(node.stat().name, node, this.server.users));
  }

  private async list(path: string): Promise<Node[]> {
    const dir = await this.open(path);
    try {
      return await this.request(async req => {
        const { node } = dir.handle;
        if (!isDir(node)) throw new FsError('Enotdir');
        return [...node.children(req, 0)].map(child => child.node);
      });
    } finally {
      await dir.close();
    }
  }

  async readFile(path: string): Promise<Buffer> {
    const file = await this.open(path);
    try {
      return await readAll(file);
    } finally {
      await file.close();
    }
  }

  async writeFile(
    path: string,
    data: Uint8Array | string,
    options: { readonly create?: boolean } = {},
  ): Promise<void> {
    const file = await this.open(path, 'w', { ...options, truncate: true });
    try {
      await file.write(data);
    } finally {
      await file.close();
    }
  }

  chmod(path: string, mode: number): Promise<void> {
    return this.setStat(path, { mode });
  }

  setStat(path: string, { mode, uid, gid, length, mtime }: StatChange): Promise<void> {
    const change: NodeChange = {
      ...(mode !== undefined && { mode }),
      ...(uid !== undefined && { owner: userOf(Number(uid), this.server.users) }),
      ...(gid !== undefined && { gid: Number(gid) }),
      ...(length !== undefined && { length }),
      ...(mtime !== undefined && { mtime }),
    };
    return this.request(async req => this.server.mount.wstat(await this.walk(path, req), change, req));
  }

  close(): void {
    for (const request of this.opening) request.abort(new FsError('Ehungup'));
    for (const file of this.files) void file.close();
  }
}

export class DirectFile implements OpenFile {
  readonly handle: Handle;
  private position = 0;
  private readonly caller: Caller;
  private readonly users: Users;
  private readonly requests = new Set<Abort>();
  private readonly closed: () => void;

  constructor(handle: Handle, caller: Caller, users: Users, closed: () => void) {
    this.handle = handle;
    this.caller = caller;
    this.users = users;
    this.closed = closed;
  }

  async read(count = READ, offset = this.position, signal?: AbortSignal): Promise<Buffer> {
    let bytes: Buffer = Buffer.alloc(0);
    const reply = {
      count,
      room: (size: number) => (bytes = Buffer.alloc(Math.min(size, count))),
      drop: () => (bytes = Buffer.alloc(0)),
      mayAnswer: () => true,
    };
    const n = await during(this.caller, this.requests, signal, async req =>
      this.handle.read(offset, reply, req),
    );
    if (offset === this.position) this.position += n;
    return bytes.subarray(0, n);
  }

  async write(data: Uint8Array | string, offset = this.position, signal?: AbortSignal): Promise<number> {
    const n = await during(this.caller, this.requests, signal, async req =>
      this.handle.write(offset, Buffer.from(data), req),
    );
    if (offset === this.position) this.position += n;
    return n;
  }

  stat(): Promise<Stat> {
    return Promise.resolve(toStat(this.handle.node.stat().name, this.handle.node, this.users));
  }

  /** As close(2); what it says is for who asks by `handle.flush`. */
  async close(): Promise<void> {
    this.closed();
    try {
      await this.handle.flush?.({ caller: this.caller, signal: new Abort() });
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
    } finally {
      this.handle.close();
      for (const request of this.requests) request.abort(new FsError('Ehungup'));
    }
  }
}

/** Makes a request, which is among `requests` until it is answered. */
async function during<T>(
  caller: Caller,
  requests: Set<Abort>,
  signal: AbortSignal | undefined,
  run: (req: Req) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const abort = new Abort();
  const interrupt = (): void => abort.abort(new FsError('Eintr'));
  signal?.addEventListener('abort', interrupt, { once: true });
  requests.add(abort);
  try {
    // By the other doors, too, the event loop turns between one request and the next.
    await new Promise(setImmediate);
    if (abort.aborted) throw abort.reason;
    return await run({ caller, signal: abort });
  } catch (error) {
    throw signal?.aborted === true && error === abort.reason ? signal.reason : error;
  } finally {
    requests.delete(abort);
    signal?.removeEventListener('abort', interrupt);
  }
}

function toStat(path: string, node: Node, users: Users): Stat {
  const { permissions, ...stat } = node.stat();
  return {
    name: lastOf(path),
    qid: stat.qid,
    mode: permissions.mode,
    isDirectory: isDir(node),
    uid: permissions.owner.uid,
    gid: permissions.gid,
    owner: permissions.owner.name,
    group: users.groupName(permissions.gid),
    length: stat.length,
    atime: stat.atime,
    mtime: stat.mtime,
  };
}
