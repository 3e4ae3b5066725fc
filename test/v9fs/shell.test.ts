/**
 * Scripts of nothing but a shell and cat under Linux's own 9p file system, in each dialect. Busybox's cat
 * is its own, which uses sendfile: that holds the pipe behind it while it waits for the next datagram.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { parseNameServer } from '../../src/host/dns/resolvconf.ts';
import { DIALECTS } from '../server/bytes.ts';
import { NameServer } from '../support/nameserver.ts';
import { need } from '../support/packages.ts';
import { forEachScript, type Running } from '../support/shell.ts';
import { Mounted } from './mounted.ts';

for (const dialect of DIALECTS) {
  describe(`a shell under Linux in ${dialect}`, () => {
    const m = new Mounted(dialect);
    let names: NameServer;

    before(async function () {
      this.timeout(120_000);
      need({ bash: 'bash', dash: 'dash' });
      names = await NameServer.start();
      await m.start({ nameServers: [parseNameServer(names.address)!] });
      for (const name of ['names.sh', 'datagrams.sh', 'dial.sh']) {
        m.guest.give(name, readFileSync(new URL(`../scripts/${name}`, import.meta.url)));
      }
    });

    after(async () => {
      await m.stop();
      await names.stop();
    });

    for (const command of ['bash', 'dash', 'busybox sh']) {
      describe(`by ${command}`, () => {
        let runs = 0;
        const run = (script: string): Running => {
          const path = m.guest.give(`shell${runs++}`, `cd /mnt/net\n${script}`);
          const ended = m.run(`exec ${command} ${path}`, { prelude: '' });
          let said = '';
          return {
            async says(word) {
              const [line, rest] = await m.guest.says(new RegExp(`^${word}(.*)\n`));
              said = line!;
              return rest!;
            },
            async everything() {
              const { output } = await ended;
              assert(output.startsWith(said));
              return output.slice(said.length);
            },
          };
        };
        const tests = { datagrams: command !== 'busybox sh' };
        forEachScript(() => ({ net: '/mnt/net', scripts: '/mnt/io', command, run }), tests);
      });
    }
  });
}
