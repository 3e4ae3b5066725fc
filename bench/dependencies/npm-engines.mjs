// What npm installs when the newest release asks for a newer Node and nobody named a version.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { npm, say } from './kit.mjs';

export const packages = [];

const NAME = 'commander';

export async function probe(dir) {
  const view = await npm(['view', `${NAME}@latest`, 'version', 'engines.node', '--json'], dir);
  const { version: newest, 'engines.node': asks } = JSON.parse(view.stdout);
  say('this Node', process.version);
  say(`newest ${NAME}`, `${newest}, asks for Node ${asks}`);

  const { code, stderr } = await npm(['install', '--no-audit', '--no-fund', NAME], dir);
  const installed = JSON.parse(await readFile(join(dir, 'node_modules', NAME, 'package.json'), 'utf8'));
  say(`npm install ${NAME}`, `exit ${code}, installed ${installed.version}`);
  say('npm warned about it', stderr.trim() === '' ? 'no' : stderr.trim().split('\n')[0]);
}
