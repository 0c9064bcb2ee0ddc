/** Lines of a manifest as CSV. A value that is absent is empty, an object is JSON. */
export function formatCsv(
  columns: readonly string[],
  lines: readonly Readonly<Record<string, unknown>>[],
): string {
  const rows = [columns, ...lines.map((line) => columns.map((column) => line[column]))];
  return `${rows.map((row) => row.map(field).join(',')).join('\n')}\n`;
}

function field(value: unknown): string {
  if (value === undefined || value === null) return '';
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
