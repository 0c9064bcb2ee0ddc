import { PACKED_COLUMNS } from '../data/packed.js';
import type { VideoRow } from '../data/rows.js';
import type { Entry } from './pack-row.js';

/**
 * The manifest of a copy: path, label, group, the source's further columns, and what the packed files hold. A row's
 * window is not among them: its copy holds nothing else.
 */
export function formatPreparedManifest(
  entries: readonly { readonly row: VideoRow; readonly entry: Entry }[],
): string {
  const own = ['path', 'label', 'group', ...PACKED_COLUMNS];
  const further = [...new Set(entries.flatMap(({ row }) => Object.keys(row.extra)))].filter(
    (column) => !own.includes(column),
  );
  const columns = ['path', 'label', 'group', ...further, ...PACKED_COLUMNS];
  const lines = entries.map(({ row, entry }) => {
    const { path, frames, height, width, fps, flow } = entry;
    const values: Record<string, unknown> = {
      ...row.extra,
      path,
      label: row.label,
      group: row.group,
      frames,
      height,
      width,
      fps,
      flow,
    };
    return columns.map((column) => field(values[column])).join(',');
  });
  return `${[columns.map(field).join(','), ...lines].join('\n')}\n`;
}

function field(value: unknown): string {
  if (value === undefined || value === null) return '';
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
