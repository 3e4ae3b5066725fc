// Text for people: the tables of this benchmark.
import { median, table } from '../datapath/report.mjs';

const of = (results, name, where) => results.filter(r => r.workload === name && r.path === where && !r.error);

/** Median and half the range, as a part of the median; undefined when nothing was measured. */
function figure(results, name, where) {
  const figures = of(results, name, where).map(r => r.figure);
  if (figures.length === 0) return undefined;
  const value = median(figures);
  return { value, spread: (Math.max(...figures) - Math.min(...figures)) / 2 / value };
}

const cell = f =>
  f ? `${Math.round(f.value).toLocaleString('en-US')} ±${Math.round(f.spread * 100)}%` : '-';
const ratio = (a, b) => (a && b ? a.value / b.value : undefined);
const two = n => n?.toFixed(2) ?? '-';

function verdict(reached, aim) {
  if (aim === undefined) return '';
  if (reached === undefined) return two(aim);
  return `${two(aim)} ${reached >= aim ? 'holds' : 'missed'}`;
}

/**
 * A row for each of `workloads`, a column for each of `paths`, and one for each of `ratios`: two paths,
 * the first one's figure divided by the second one's. The aim is about the first ratio.
 */
export function figureTable(results, workloads, paths, ratios) {
  const row = ({ name, unit, aim }) => {
    const figures = new Map(paths.map(path => [path, figure(results, name, path)]));
    const reached = ratios.map(([a, b]) => ratio(figures.get(a), figures.get(b)));
    return [name, unit, ...[...figures.values()].map(cell), ...reached.map(two), verdict(reached[0], aim)];
  };
  const head = ['workload', 'unit', ...paths, ...ratios.map(pair => pair.join('/')), 'aim'];
  return table([head, ...workloads.map(row)]);
}

// All rounds together: the kernel counts in ticks of 10 ms, too coarse for one.
function cost(results, { name, cost }, path, keys = ['cpuSeconds']) {
  const found = of(results, name, path).filter(r => keys.every(key => r[key] !== undefined));
  const total = key => found.reduce((sum, r) => sum + r[key], 0);
  if (total(cost.per) === 0) return undefined;
  return { value: (keys.map(total).reduce((a, b) => a + b) / total(cost.per)) * cost.scale };
}

const tenths = c => c?.value.toFixed(1) ?? '-';

/** CPU time, user and system, of the servers of `paths`, and with that of the load: b's divided by a's. */
export function cpuTable(results, workloads, paths, [a, b] = []) {
  const both = ['cpuSeconds', 'loadSeconds'];
  const rows = workloads.map(w => {
    const row = [w.name, w.cost.unit, ...paths.map(path => tenths(cost(results, w, path)))];
    return a ? [...row, two(ratio(cost(results, w, b, both), cost(results, w, a, both)))] : row;
  });
  const head = ["server's CPU", 'unit', ...paths];
  return table([a ? [...head, `${a}/${b} with load`] : head, ...rows]);
}
