// Node's own resolver and dns-packet: can they ask for every type, say how long an answer holds, and
// take an answer that means harm?

import { Resolver } from 'node:dns/promises';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { figure, load, outcome, say } from './kit.mjs';

export const packages = ['dns-packet@5.6.1'];

const TXT = 16;
const MAX_MESSAGE = 65535;

/** A header that counts so many answers. */
function header(answers) {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt16BE(0x8180, 2); // a response, recursion available
  bytes.writeUInt16BE(1, 4);
  bytes.writeUInt16BE(answers, 6);
  return bytes;
}

/** A question of 127 labels, and as many answers as fit whose names are two bytes that point to it. */
function manyPointers() {
  const question = Buffer.concat([
    Buffer.from('\x01a'.repeat(126) + '\0', 'latin1'),
    Buffer.from([0, TXT, 0, 1]),
  ]);
  const answer = Buffer.from([0xc0, 12, 0, TXT, 0, 1, 0, 0, 0, 0, 0, 0]);
  const count = Math.floor((MAX_MESSAGE - 12 - question.length) / answer.length);
  return Buffer.concat([header(count), question, ...new Array(count).fill(answer)]);
}

/** The quickest of some calls, in ms. */
function quickest(run) {
  let least = Infinity;
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    try {
      run();
    } catch {
      // refusing it is an answer, too
    }
    least = Math.min(least, performance.now() - start);
  }
  return least;
}

async function hostile(dir) {
  const packet = await load(dir, 'dns-packet');
  const { decodeAnswer } = await import(
    new URL('../../dist/host/dns/message.js', import.meta.url).href
  ).catch(() => ({}));
  const bytes = manyPointers();
  say(`${bytes.length} bytes of pointers, dns-packet`, `${figure(quickest(() => packet.decode(bytes)))} ms`);
  if (decodeAnswer === undefined) say('the same, slashnet', 'not built: npm run build');
  else say('the same, slashnet', `${figure(quickest(() => decodeAnswer(bytes)))} ms`);
}

async function nodeResolver() {
  const silent = createSocket('udp4').bind(0, '127.0.0.1');
  await once(silent, 'listening');
  const resolver = new Resolver({ timeout: 60_000, tries: 1 });
  resolver.setServers([`127.0.0.1:${silent.address().port}`]);
  for (const type of ['HTTPS', 'SSHFP', 'DS', 'TYPE65']) {
    const ask = async () => resolver.resolve('example.test', type);
    const asked = await outcome(ask(), 200);
    say(`node:dns, type ${type}`, asked);
  }
  const two = ['one.test', 'two.test'].map(name => resolver.resolve4(name));
  resolver.cancel();
  say(
    'node:dns, cancel() of one of two questions',
    (await Promise.all(two.map(q => outcome(q, 200)))).join('; '),
  );
  silent.close();
}

export async function probe(dir) {
  await nodeResolver();
  await hostile(dir);
}
