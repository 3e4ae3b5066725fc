/** What a server wrote, or a stranger by way of it, on a terminal. */

/** C0 without the tab, C1, and what turns the direction of writing (Unicode, UAX 9). */
const CONTROLS = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g;

/** It moves no cursor, and one line stays one. */
export const printable = (text: string): string => text.replace(CONTROLS, '?');

/** The same as JSON, which says all of it. */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value, null, 2);
  return `${text.replace(/[\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g, escaped)}\n`;
}

const escaped = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
