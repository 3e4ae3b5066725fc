/** Scripts of nothing but a shell and cat, in a mount of `slashnet serve --mount`. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NameServer } from '../support/nameserver.ts';
import { need, needFuse } from '../support/packages.ts';
import { forEachScript } from '../support/shell.ts';
import { isRoot, type Lines, Namespace, sourcesIn } from './namespace.ts';

const WAYS = {
  'as root': { flags: ['-m'], needsRoot: true },
  'in a user namespace': { flags: ['-U', '-r', '-m'], needsRoot: false },
};

for (const [how, { flags, needsRoot }] of Object.entries(WAYS)) {
  describe(`a shell in a mount ${how}`, function () {
    this.timeout(30_000);
    const { node, slashnet } = sourcesIn(undefined);
    let work: string;
    let net: string;
    let ns: Namespace;
    let names: NameServer;

    before(async function () {
      if (needsRoot && !isRoot) this.skip();
      this.timeout(120_000);
      needFuse();
      need({ bash: 'bash', dash: 'dash' });
      names = await NameServer.start();
      work = mkdtempSync(join(tmpdir(), 'slashnet-'));
      net = join(work, 'net');
      mkdirSync(net);
      ns = await Namespace.make(flags);
      const options = ['--mount', net, '--dns', names.address];
      const server = ns.run([
        'sh',
        '-c',
        'exec "$@" 2>&1',
        'sh',
        node,
        `${slashnet}/bin/slashnet.js`,
        'serve',
        ...options,
      ]);
      await server.says('slashnet: mounted on');
    });

    after(async () => {
      await (ns as Namespace | undefined)?.end();
      await (names as NameServer | undefined)?.stop();
      if (work !== undefined) rmSync(work, { recursive: true, force: true });
    });

    for (const command of ['bash', 'dash']) {
      describe(`by ${command}`, () => {
        const run = (script: string): Lines => ns.run([command, '-c', `cd ${net}\n${script}`]);
        forEachScript(() => ({ net, scripts: `${slashnet}/test/scripts`, command, run }));
      });
    }
  });
}
