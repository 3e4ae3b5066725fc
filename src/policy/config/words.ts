/** Words of the file, as its errors show them. */

const LONGEST = 60;

/** C0, C1, and what turns the direction of writing: an error is a line on a terminal and in a log. */
const CONTROLS = /[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g;

/** `'word'`, of which nothing moves a cursor; what is long is cut. */
export function shown(word: string): string {
  const cut = word.length > LONGEST ? `${word.slice(0, LONGEST)}...` : word;
  return `'${plain(cut)}'`;
}

export const plain = (text: string): string => text.replace(CONTROLS, '?');

/** The word that was probably meant; undefined where none is like it. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const asked = word.toLowerCase().slice(0, LONGEST);
  const near = known
    .map(each => ({ each, distance: distance(asked, each) }))
    .filter(({ each, distance }) => distance <= Math.max(1, Math.floor(each.length / 3)));
  return near.sort((a, b) => a.distance - b.distance)[0]?.each;
}

/** How many letters must be added, left out or replaced (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const replaced = row[j]! + (a[i] === b[j] ? 0 : 1);
      next.push(Math.min(replaced, row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
