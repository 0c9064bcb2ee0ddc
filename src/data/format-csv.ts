/** Lines of a manifest as CSV. A value that is absent is empty, an object is JSON. */
export function formatCsv(
  columns: readonly string[],
  lines: readonly Readonly<Record<string, unknown>>[],
): string {
  const rows = [columns, ...lines.map((line) => columns.map((column) => line[column]))];
  return `${rows.map(formatCsvLine).join('\n')}\n`;
}

/** One line, without its end. */
export function formatCsvLine(values: readonly unknown[]): string {
  return values.map(field).join(',');
}

function field(value: unknown): string {
  if (value === undefined || value === null) return '';
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
