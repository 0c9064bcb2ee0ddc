/** Text tables for the terminal: columns as wide as their widest cell, numbers to the right. */

import { pad, printable, widthOf } from './terminal.js';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** A column of numbers. */
export function right(title: string): Column {
  return { title, align: 'right' };
}

/** Lines of a table with a rule under its header. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const titles = columns.map(({ title }) => title);
  const lines = [titles, ...rows].map((row) => columns.map((_, c) => printable(row[c] ?? '')));
  const widths = columns.map((_, c) => lines.reduce((most, line) => Math.max(most, widthOf(line[c]!)), 0));
  const [head, ...body] = lines.map((cells) =>
    cells
      .map((cell, c) => pad(cell, widths[c]!, columns[c]!.align))
      .join('  ')
      .trimEnd(),
  );
  return [head, widths.map((w) => '-'.repeat(w)).join('  '), ...body].join('\n');
}

/** 0.734 as '73.4'. */
export function percent(value: number | null | undefined): string {
  return value === null || value === undefined ? '-' : (100 * value).toFixed(1);
}
