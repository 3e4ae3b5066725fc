// Text for people: what was lost of the datagrams.
import { table } from '../datapath/report.mjs';

const PERCENT = 100;

function share(results, name, path) {
  const found = results.filter(r => r.workload === name && r.path === path && !r.error);
  const total = key => found.reduce((sum, r) => sum + r[key], 0);
  if (found.length === 0) return '-';
  return `${((total('lost') / (total('ops') + total('lost'))) * PERCENT).toFixed(1)}%`;
}

/** Of all that was sent, by path, for the workloads that lost any; undefined if none has. */
export function lostTable(results, workloads, paths) {
  const losing = workloads.filter(w => results.some(r => r.workload === w.name && r.lost > 0));
  if (losing.length === 0) return undefined;
  const rows = losing.map(w => [w.name, ...paths.map(path => share(results, w.name, path))]);
  return table([['lost', ...paths], ...rows]);
}
