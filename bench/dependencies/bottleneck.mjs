// bottleneck as the token bucket in front of every read and write: how often does it admit, in which
// steps, and what becomes of a write that is larger than the bucket?

import { figure, load, outcome, rate, say } from './kit.mjs';

export const packages = ['bottleneck@2.19.5'];

const nothing = () => undefined;

/** When each job ran, with `inFlight` callers that each wait for one job before they bring the next. */
async function run(limiter, inFlight, ms) {
  const times = [];
  const job = () => times.push(performance.now());
  const end = performance.now() + ms;
  const caller = async () => {
    while (performance.now() < end) await limiter.schedule(job);
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  return times;
}

const perSecond = times => ((times.length - 1) * 1000) / (times.at(-1) - times[0]);

async function throughput(Bottleneck) {
  const settings = [
    ['no limit at all, 1 caller', {}, 1],
    ['no limit at all, 100 callers', {}, 100],
    ['maxConcurrent 1,000, 100 callers', { maxConcurrent: 1000 }, 100],
    ['reservoir of 1,000,000, 100 callers', { reservoir: 1_000_000 }, 100],
  ];
  for (const [name, options, inFlight] of settings) {
    const times = await run(new Bottleneck(options), inFlight, 1500);
    say(name, `${figure(perSecond(times))} admits/s`);
  }
}

/**
 * The same decision by virtual scheduling (GCRA): one number, the time at which the bucket would be
 * empty again. Returns how long to wait, in ms, so that an amount over the burst waits and cannot hang.
 */
function bucket(unitsPerSecond, burst) {
  const msPerUnit = 1000 / unitsPerSecond;
  const slack = burst * msPerUnit;
  let emptyAt = 0;
  return (amount, now) => {
    emptyAt = Math.max(emptyAt, now) + amount * msPerUnit;
    return Math.max(0, emptyAt - now - slack);
  };
}

/** The default step, and whether the undocumented option behind it changes anything. */
async function steps(Bottleneck, name, extra) {
  const limiter = new Bottleneck({
    reservoir: 10,
    reservoirIncreaseAmount: 10,
    reservoirIncreaseInterval: 10,
    reservoirIncreaseMaximum: 10,
    ...extra,
  });
  const times = await run(limiter, 20, 2000);
  const gaps = times
    .slice(1)
    .map((time, i) => time - times[i])
    .filter(gap => gap > 20)
    .sort((a, b) => a - b);
  const pause = gaps.length > 0 ? `pauses of ${figure(gaps[gaps.length >> 1])} ms` : 'no pause over 20 ms';
  say(name, `${figure(perSecond(times))} of 1,000/s, ${pause}`);
}

/** A bucket of 100 that is refilled every 250 ms, asked for 101. */
async function overTheMaximum(Bottleneck) {
  const limiter = new Bottleneck({
    reservoir: 100,
    reservoirRefreshAmount: 100,
    reservoirRefreshInterval: 250,
  });
  const large = outcome(limiter.schedule({ weight: 101 }, nothing), 3000);
  const behind = outcome(limiter.schedule({ weight: 1 }, nothing), 3000);
  say('weight 101 of a reservoir of 100', await large);
  say('weight 1 queued behind it', await behind);
  const concurrent = new Bottleneck({ maxConcurrent: 100 });
  say('weight 101 of maxConcurrent 100', await outcome(concurrent.schedule({ weight: 101 }, nothing), 3000));
  const own = bucket(400, 100);
  say('101 of a GCRA bucket of 100 at 400/s', `waits ${figure(own(101, 0))} ms`);
}

export async function probe(dir) {
  const Bottleneck = await load(dir, 'bottleneck');
  await throughput(Bottleneck);
  const own = bucket(1e12, 1e12);
  say('GCRA, for comparison', `${figure(rate(() => own(8192, performance.now()), 1000, 1000))} admits/s`);
  await steps(Bottleneck, '10 every 10 ms', {});
  await steps(Bottleneck, '10 every 10 ms, heartbeatInterval 10', { heartbeatInterval: 10 });
  await overTheMaximum(Bottleneck);
}
