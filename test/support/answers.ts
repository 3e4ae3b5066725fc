/** A tree whose cs and dns answer what a test has them answer. */
import { hostUsers } from '../../src/host/users.ts';
import { silent } from '../../src/log.ts';
import { FsError } from '../../src/netfs/error.ts';
import { Mount } from '../../src/netfs/mount.ts';
import type { Req } from '../../src/netfs/node.ts';
import { DIRECTORIES, Qids, ROOT_FILES } from '../../src/netfs/qid.ts';
import { QueryFile } from '../../src/netfs/query.ts';
import { RootDir } from '../../src/netfs/root.ts';
import type { Caller, Peer } from '../../src/policy/identity.ts';
import { Authority } from '../../src/policy/permissions.ts';
import { Locks } from '../../src/server/9p/locks.ts';
import { DEFAULT_LIMITS, Session, type Direct } from '../../src/server/9p/session.ts';
import type { Duplex } from 'node:stream';

/** Answers by question; an error is thrown, a function is called. */
export type Answers = Readonly<
  Record<string, readonly string[] | FsError | ((req: Req) => Promise<readonly string[]>)>
>;

/** As dns(8) says it. */
export const dnsError = (name: 'Enoname' | 'Enorecord' | 'Edns'): FsError =>
  new FsError(name, undefined, `dns: ${new FsError(name).message}`);

export class Asked {
  /** Everything that was asked, in its order. */
  readonly questions: string[] = [];
  readonly owner: Caller;
  private readonly mount: Mount;
  private readonly users = hostUsers();
  private readonly locks = new Locks();

  constructor(files: { readonly cs?: Answers; readonly dns?: Answers }) {
    this.owner = this.users.byId(process.getuid!())!;
    const authority = new Authority(this.owner);
    const qids = new Qids(0);
    const root = new RootDir({ qids, permissions: authority.file(0o555), since: 0 }, dir =>
      (['cs', 'dns'] as const).flatMap(name => {
        const answers = files[name];
        if (answers === undefined) return [];
        const path = qids.path(DIRECTORIES.root, undefined, ROOT_FILES[name]);
        const ask = (question: Buffer, req: Req) => this.answer(answers, question.toString(), req);
        return [new QueryFile(dir, name, { path, since: 0, authority }, ask, () => new FsError('Econinuse'))];
      }),
    );
    this.mount = new Mount(root, authority);
  }

  private answer(answers: Answers, question: string, req: Req): Promise<readonly string[]> {
    this.questions.push(question);
    const answer = answers[question] ?? dnsError('Enoname');
    if (answer instanceof FsError) throw answer;
    return typeof answer === 'function' ? answer(req) : Promise.resolve(answer);
  }

  /** Serves one client. */
  readonly serve = (stream: Duplex, peer: Peer, direct?: Direct): Session =>
    new Session(stream, {
      mount: this.mount,
      users: this.users,
      peer,
      locks: this.locks,
      log: silent,
      limits: DEFAULT_LIMITS,
      direct,
    });
}
