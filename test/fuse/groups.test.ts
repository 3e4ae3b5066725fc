/** A user who is taken out of a group of this machine: /etc/group, as the server that runs sees it. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needFuse } from '../support/packages.ts';
import { ALICE, isRoot, Namespace, sourcesIn, type Lines } from './namespace.ts';

const TEAM = 61299;

describe('a user who is taken out of a group (needs root)', function () {
  this.timeout(30_000);
  let work: string;
  let dir: string;
  let ns: Namespace;
  let server: Lines;

  before(function () {
    if (!isRoot) this.skip();
    this.timeout(120_000);
    needFuse();
  });

  beforeEach(() => {
    work = mkdtempSync(join(tmpdir(), 'slashnet-'));
    chmodSync(work, 0o755);
    dir = join(work, 'net');
    mkdirSync(dir);
  });

  afterEach(async () => {
    await (ns as Namespace | undefined)?.end();
    rmSync(work, { recursive: true, force: true });
  });

  /** An /etc of the namespace's own, in which Alice is in the group team. */
  const ETC = (): string => `
    cp -a /etc ${work}/etc
    echo 'alice:x:${ALICE}:${ALICE}::/:/bin/sh' >>${work}/etc/passwd
    echo 'team:x:${TEAM}:alice' >>${work}/etc/group
    mount --bind ${work}/etc /etc`;

  async function serving(setup: string): Promise<void> {
    ns = await Namespace.make(['-m'], setup);
    const { node, slashnet } = sourcesIn(undefined);
    const command = [node, `${slashnet}/bin/slashnet.js`, 'serve', '--mount', dir, '--allow-other'];
    server = ns.run(['sh', '-c', 'exec "$@" 2>&1', 'sh', ...command]);
    await server.says('slashnet: mounted on');
    await server.says('try:');
    await ns.run(['sh', '-ec', `chgrp ${TEAM} ${dir}/tcp/clone; chmod 660 ${dir}/tcp/clone`]).closed;
  }

  /** A process that was started when she was in the group; each line that it is told it tries, and says how it went. */
  const alices = (): Lines =>
    ns.run(
      ['sh', '-c', `cd ${dir}; while read -r word; do ( : <>tcp/clone ) 2>&1 && echo $word yes || :; done`],
      { by: ['setpriv', `--reuid=${ALICE}`, `--regid=${ALICE}`, `--groups=${TEAM}`] },
    );

  const TAKE = `sed 's/^team:.*/team:x:${TEAM}:/' /etc/group >/etc/group.new`;

  it('may no more what it let him as soon as /etc/group is replaced, in processes that run, too', async () => {
    await serving(ETC());
    const alice = alices();
    assert.equal(await alice.ask('may'), 'yes');
    await ns.run(['sh', '-ec', `${TAKE}; mv /etc/group.new /etc/group`]).closed;
    assert.match(await server.says('{'), /groups have changed/);
    alice.tell('may');
    assert.match(await alice.says('sh:'), /Permission denied/);
  });

  it('may no more from SIGHUP on, where no change of a file can be seen', async () => {
    // A file that is mounted, as in containers, changes elsewhere.
    await serving(`${ETC()}\ncp /etc/group ${work}/group; mount --bind ${work}/group /etc/group`);
    const alice = alices();
    assert.equal(await alice.ask('may'), 'yes');
    await ns.run(['sh', '-ec', `${TAKE}; cat /etc/group.new >/etc/group`]).closed;
    assert.equal(await alice.ask('may'), 'yes');
    server.child.kill('SIGHUP');
    assert.match(await server.says('{'), /groups have changed/);
    alice.tell('may');
    assert.match(await alice.says('sh:'), /Permission denied/);
  });
});
