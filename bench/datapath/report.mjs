// Text for people: the machine, the tables.
import os from 'node:os';

export function machine() {
  const [cpu] = os.cpus();
  return {
    cpu: cpu?.model.trim() ?? 'unknown CPU',
    cores: os.availableParallelism(),
    kernel: `${os.type()} ${os.release()}`,
    node: process.version,
    date: new Date().toISOString().slice(0, 16) + 'Z',
    load: os.loadavg()[0],
  };
}

export const machineLine = m =>
  `${m.cpu}, ${m.cores} cores, ${m.kernel}, node ${m.node}, ${m.date}, load before ${m.load.toFixed(2)}`;

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Median and half the range, as a part of the median; undefined when nothing was measured. */
function summary(figures) {
  if (figures.length === 0) return undefined;
  const value = median(figures);
  return { value, spread: (Math.max(...figures) - Math.min(...figures)) / 2 / value };
}

const number = n => Math.round(n).toLocaleString('en-US');
const cell = s => (s ? `${number(s.value)} ±${Math.round(s.spread * 100)}%` : '-');
const ratio = (a, b) => (a && b ? (a.value / b.value).toFixed(2) : '-');

/** Columns padded to the widest cell; the first column to the left, numbers to the right. */
function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map(row => row[column].length)));
  const pad = (text, i) => (i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i]));
  return rows.map(row => row.map(pad).join('  ').trimEnd()).join('\n');
}

const of = (results, name, path) => results.filter(r => r.workload === name && r.path === path && !r.error);
const figuresOf = (results, name, path) => summary(of(results, name, path).map(r => r.figure));

function figureRow(results, name, plain, unit) {
  const [direct, relay] = ['direct', 'relay'].map(path => figuresOf(results, plain, path));
  const [unix, tcp] = ['unix', 'tcp'].map(path => figuresOf(results, name, path));
  return [name, unit, ...[direct, relay, unix, tcp].map(cell), ratio(unix, relay), ratio(tcp, relay)];
}

export function figureTable(results, workloads, withIdle) {
  const head = [
    'workload',
    'unit',
    'direct',
    'relay',
    'slashnet unix',
    'slashnet tcp',
    'unix/relay',
    'tcp/relay',
  ];
  const rows = workloads.map(w => figureRow(results, w.name, w.plain, w.unit));
  if (withIdle) rows.push(figureRow(results, 'idle', 'idle', 'bytes/conv'));
  return table([head, ...rows]);
}

// All rounds together: the kernel counts in ticks of 10 ms, too coarse for one.
function secondsPerGigabyte(results, name, path) {
  const found = of(results, name, path);
  const bytes = found.reduce((sum, r) => sum + r.bytes, 0);
  const seconds = found.reduce((sum, r) => sum + r.cpuSeconds, 0);
  return bytes > 0 ? ((seconds / bytes) * 1e9).toFixed(2) : '-';
}

export function cpuTable(results, workloads) {
  const head = ['CPU s per GB', 'relay', 'slashnet unix', 'slashnet tcp'];
  const rows = workloads.map(w => [
    w.name,
    secondsPerGigabyte(results, w.plain, 'relay'),
    secondsPerGigabyte(results, w.name, 'unix'),
    secondsPerGigabyte(results, w.name, 'tcp'),
  ]);
  return table([head, ...rows]);
}

/** What went wrong or short, each once, with how often. */
export function remarks(results) {
  const counts = new Map();
  const remark = text => counts.set(text, (counts.get(text) ?? 0) + 1);
  for (const r of results) {
    if (r.error) remark(`${r.workload} on ${r.path} failed: ${r.error}`);
    if (r.note) remark(`${r.workload} on ${r.path} stopped after ${number(r.conversations)}: ${r.note}`);
    if (r.askedMsize && r.msize && r.msize !== r.askedMsize)
      remark(`${r.workload} on ${r.path}: asked for msize ${r.askedMsize}, got ${r.msize}`);
  }
  return [...counts].map(([text, n]) => (n > 1 ? `${text} (${n} times)` : text));
}

export { table };
