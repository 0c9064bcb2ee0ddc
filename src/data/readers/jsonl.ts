import { dirname, resolve } from 'node:path';
import type { DatasetReader, ReaderRequest, ReaderResult } from './reader.js';
import { makeRows, wrongLine } from './table.js';
import { readText } from './text.js';

/** A manifest as JSON lines: one object a line with the keys of the CSV's columns. */
export const jsonlReader: DatasetReader = {
  name: 'jsonl',
  options: [],
  async read({ target }: ReaderRequest): Promise<ReaderResult> {
    const text = await readText(target);
    const columns = new Set<string>();
    const records = text.split('\n').flatMap((line, i) => {
      if (line.trim() === '') return [];
      const where = `line ${i + 1}`;
      let fields: unknown;
      try {
        fields = JSON.parse(line);
      } catch (cause) {
        throw wrongLine(target, where, `is not JSON: ${(cause as Error).message}`);
      }
      if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
        throw wrongLine(target, where, 'is not an object with a path, such as {"path": "a.mp4"}');
      }
      for (const key of Object.keys(fields)) columns.add(key);
      return [{ where, fields: fields as Record<string, unknown> }];
    });
    const rows = await makeRows(records, target, dirname(resolve(target)));
    return { rows, columns: [...columns], warnings: [] };
  },
};
