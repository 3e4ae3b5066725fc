import { NameServer } from './support/nameserver.ts';
import { HostResolver } from '../src/host/dns/resolver.ts';
import { parseNameServer } from '../src/host/dns/resolvconf.ts';
import { Abort } from '../src/abort.ts';
const ns = await NameServer.start();
const r = new HostResolver({ servers: [parseNameServer(ns.address)!] });
const s = new Abort();
for (const q of ['example.test all', 'www.example.test all', 'four.example.test all', 'nope.example.test all']) {
  const [n, t] = q.split(' ');
  console.log(q, '=>', await r.records(n!, t!, s).then(x => x.map(y=>`${y.name} ${y.type} ${y.ttl} ${y.value}`), e => `${e.message} (${e.detail})`));
}
const N=20000; 
for (const par of [1, 50, 400]) {
  let left = N; const t0 = performance.now();
  await Promise.all(Array.from({length: par}, async () => { while (left-- > 0) await r.records('web.example.test', 'ip', s); }));
  const us = (performance.now()-t0)*1000/N; console.log(par, us.toFixed(1), 'us per question', (1e6/us).toFixed(0), '/s');
}
await ns.stop();
