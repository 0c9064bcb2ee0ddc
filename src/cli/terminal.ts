/** What a terminal can do, how wide text is on it, and text that can do it no harm. */
import type { WriteStream } from 'node:tty';
import pc from 'picocolors';
import stringWidth from 'string-width';

interface Stream {
  readonly isTTY?: boolean;
}

/** Whether text may be coloured. FORCE_COLOR and NO_COLOR are the user's word; a file or a dumb terminal has none. */
export function hasColors(stream: Stream, env: NodeJS.ProcessEnv = process.env): boolean {
  const { FORCE_COLOR: force, NO_COLOR: no } = env;
  if (force !== undefined && force !== '') return force !== '0' && force !== 'false';
  if (no !== undefined && no !== '') return false;
  return stream.isTTY === true && env.TERM !== 'dumb';
}

/** A line at the bottom of a terminal that is drawn again and again; nothing where none can be. */
export class RedrawnLine {
  readonly #stream: WriteStream;
  readonly #can: boolean;
  #line = '';

  constructor(stream: WriteStream, env: NodeJS.ProcessEnv = process.env) {
    this.#stream = stream;
    this.#can = canRedraw(stream, env);
  }

  /** Cut to the terminal's width at this moment: a longer line would wrap, and could not be cleared. */
  show(line: string): void {
    if (!this.#can) return;
    this.clear();
    this.#line = line;
    this.#stream.write(cut(printable(line), Math.max(1, (this.#stream.columns ?? 80) - 1)));
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#line) this.#stream.write('\r\x1b[K');
    this.#line = '';
  }

  /** Writes a line above it. */
  writeAbove(line: string): void {
    const below = this.#line;
    this.clear();
    this.#stream.write(`${line}\n`);
    if (below) this.show(below);
  }

  /** Leaves it as it stands. */
  keep(): void {
    if (this.#line) this.#stream.write('\n');
    this.#line = '';
  }
}

/** Whether a line may be drawn again in its place: not into a file, a CI log or a dumb terminal. */
export function canRedraw(stream: Stream, env: NodeJS.ProcessEnv = process.env): boolean {
  return stream.isTTY === true && !env.CI && env.TERM !== 'dumb';
}

/** Colours of messages, which all go to stderr. */
export const colors = pc.createColors(hasColors(process.stderr));

/** C0 and C1 controls, line separators, and what turns the direction of text around. */
const HARMFUL = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;

/** Text on one line in which nothing moves the cursor, colours or hides: `\x1b` for an escape. */
export function printable(text: string): string {
  return text.replace(HARMFUL, escapeOf);
}

/** The same for text of several lines. */
export function printableLines(text: string): string {
  return text.replace(HARMFUL, (character) => (character === '\n' ? '\n' : escapeOf(character)));
}

function escapeOf(character: string): string {
  const named = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }[character];
  if (named) return named;
  const code = character.codePointAt(0)!;
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
}

/** Columns that text takes: 2 for wide characters and emoji, 0 for combining marks. */
export function widthOf(text: string): number {
  return stringWidth(text);
}

export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const spaces = ' '.repeat(Math.max(0, width - widthOf(text)));
  return align === 'right' ? spaces + text : text + spaces;
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** The beginning of a text that fits into so many columns; no character is cut in two. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let [kept, width] = ['', 0];
  for (const { segment } of graphemes.segment(text)) {
    width += widthOf(segment);
    if (width > columns) break;
    kept += segment;
  }
  return kept;
}
