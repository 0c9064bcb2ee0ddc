import { dirname, resolve } from 'node:path';
import type { VideoRow } from '../rows.js';
import type { DatasetReader, ReaderRequest, ReaderResult } from './reader.js';
import { RowMaker, type TableRecord, wrongLine } from './table.js';
import { readPieces } from './text.js';

/** A manifest as JSON lines: one object a line with the keys of the CSV's columns. */
export const jsonlReader: DatasetReader = {
  name: 'jsonl',
  options: [],
  async read({ target }: ReaderRequest): Promise<ReaderResult> {
    const maker = new RowMaker(target, dirname(resolve(target)));
    const columns = new Set<string>();
    const rows: VideoRow[] = [];
    let line = 0;
    let rest = '';
    for await (const { text, isLast } of readPieces(target)) {
      const lines = (rest + text).split('\n');
      rest = isLast ? '' : lines.pop()!;
      const records: TableRecord[] = [];
      for (const each of lines) {
        line++;
        if (each.trim() !== '') records.push({ line, fields: parseLine(each, target, line) });
      }
      for (const { fields } of records) for (const key of Object.keys(fields)) columns.add(key);
      await maker.add(records, rows);
    }
    return { rows, columns: [...columns], warnings: [] };
  },
};

function parseLine(text: string, file: string, line: number): Record<string, unknown> {
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch (cause) {
    throw wrongLine(file, line, `is not JSON: ${(cause as Error).message}`);
  }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields))
    throw wrongLine(file, line, 'is not an object with a path, such as {"path": "a.mp4"}');
  return fields as Record<string, unknown>;
}
