/** Names of files as a page shows them: they may hold anything but a zero and a slash. */
import { html, type Markup } from './html.js';

/** A name on one line, every character of which is seen: a line end as \n and the like, bytes that are no text as U+FFFD. */
export function printable(name: string): string {
  return Buffer.from(name)
    .toString()
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, escaped);
}

function escaped(c: string): string {
  const short = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }[c];
  return short ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** The same as markup: a name that is written from right to left, or says so, turns nothing around it. */
export function nameMarkup(name: string): Markup {
  return html`<bdi>${printable(name)}</bdi>`;
}

/** The folder that all paths are in, with its slash; '' where there is none. */
export function commonFolder(paths: readonly string[]): string {
  const [first = '', ...others] = paths;
  let folder = first.slice(0, first.lastIndexOf('/') + 1);
  while (folder !== '' && !others.every((path) => path.startsWith(folder)))
    folder = folder.slice(0, folder.lastIndexOf('/', folder.length - 2) + 1);
  return folder === '/' ? '' : folder;
}
