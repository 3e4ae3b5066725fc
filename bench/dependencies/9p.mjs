// Is there a 9P package to be had from npm under the names that one would try?

import { npm, say } from './kit.mjs';

export const packages = [];

const NAMES = ['9p', 'node-9p', '9p2000', 'ninep'];

/** Found, not found, or no answer: only an E404 is a "does not exist". */
async function lookUp(name, dir) {
  const { code, stdout, stderr } = await npm(['view', name, 'version'], dir);
  if (code === 0) return `version ${stdout.trim()}`;
  return stderr.includes('E404') ? 'not found (E404)' : 'no answer';
}

export async function probe(dir) {
  // Without a name that is surely there, a registry that is out of reach would look like four findings.
  const control = await lookUp('mocha', dir);
  say('mocha (the control)', control);
  if (!control.startsWith('version')) return say('9p', 'the registry is out of reach, so nothing is found');
  for (const name of NAMES) say(name, await lookUp(name, dir));
}
