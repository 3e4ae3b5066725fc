// Text for people: times in milliseconds.
import { median, table } from '../datapath/report.mjs';

const ms = times =>
  `${median(times).toFixed(1)} (${Math.min(...times).toFixed(1)}-${Math.max(...times).toFixed(1)})`;

/** `results` are {what: milliseconds}; a row for each of `rows`: its name, a key and, maybe, an aim. */
export function timeTable(title, results, rows) {
  const lines = rows.map(([name, key, aim]) => {
    const times = results.map(result => result[key]);
    const verdict = aim === undefined ? '' : `${aim} ${median(times) < aim ? 'holds' : 'missed'}`;
    return [name, ms(times), verdict];
  });
  return table([[title, 'ms', 'aim, below'], ...lines]);
}

/** A row for each way: how long it took, and that divided by what the plain one took. */
export function hangupTable(results, aim) {
  const [plain] = results.plain === undefined ? [] : [median(results.plain.map(({ hangup }) => hangup))];
  const rows = Object.entries(results).map(([way, all]) => {
    const [chmod, hangup] = ['chmod', 'hangup'].map(key => all.map(result => result[key]));
    const later = median(all.map(({ chmod, hangup }) => Math.max(chmod, hangup)));
    const verdict = way === 'plain' ? '' : `${aim} ${later < aim ? 'holds' : 'missed'}`;
    return [way, ms(chmod), ms(hangup), (median(hangup) / plain).toFixed(2), verdict];
  });
  return table([
    ['chmod to hang-up', 'chmod returns, ms', 'last reset seen, ms', 'of plain', 'aim, below'],
    ...rows,
  ]);
}
