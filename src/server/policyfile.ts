/** The policy file of a server that runs: read at the start, whenever it or what it includes changes, and when asked to. */
import type { Log } from '../log.ts';
import { loadPolicy, watchPolicy, type Loaded, type PolicyWatch } from '../policy/config/index.ts';
import type { Users } from '../policy/identity.ts';

export class PolicyFile {
  readonly path: string;
  private readonly users: Users;
  private readonly watch: PolicyWatch;
  private use: ((loaded: Loaded) => void) | undefined;
  private reading: Promise<void> | undefined;
  private asked = false;

  constructor(path: string, users: Users, log: Log) {
    this.path = path;
    this.users = users;
    const failed = (dir: string, error: Error): void =>
      log.warn({ dir, error: error.message }, 'changes of the policy are not noticed; SIGHUP tells of them');
    // Before it is read, so that no change is missed.
    this.watch = watchPolicy(path, [], () => void this.reload(), { failed });
  }

  async load(): Promise<Loaded> {
    const loaded = await loadPolicy(this.path, { users: this.users });
    this.watch.update('errors' in loaded ? loaded.includes : loaded.policy.includes);
    return loaded;
  }

  /** Who is told of each reading from now on, and of changes since the first. */
  follow(use: (loaded: Loaded) => void): void {
    this.use = use;
    if (this.asked) void this.reload();
  }

  /** Reads it again: one reading at a time, and one more if it was asked for meanwhile. */
  reload(): Promise<void> {
    this.asked = true;
    if (this.use === undefined) return Promise.resolve();
    return (this.reading ??= this.readWhileAsked().finally(() => (this.reading = undefined)));
  }

  private async readWhileAsked(): Promise<void> {
    while (this.asked) {
      this.asked = false;
      const loaded = await this.load();
      this.use?.(loaded);
    }
  }

  close(): void {
    this.use = undefined;
    this.watch.close();
  }
}
