import { encodeName } from '../../data/file-names.js';
import { formatCsvLine } from '../../data/format-csv.js';
import { parseCsv } from '../../data/readers/csv.js';
import { writeFileAtomic } from '../../weights/atomic-write.js';
import { linesOf } from './json-lines.js';
import { COLUMNS, type EmbeddingFormat, inChunks, type StoredRecord, storedRecord } from './record.js';

/** A header, then a line a vector: the columns, and v0, v1... for its numbers. */
export const csv: EmbeddingFormat = {
  name: 'csv',
  async write(out, records, { dim }) {
    const lines = function* () {
      yield `${formatCsvLine([...COLUMNS, ...Array.from({ length: dim }, (_, i) => `v${i}`)])}\n`;
      for (const record of records) {
        const said = COLUMNS.map((column) => record[column]);
        yield `${formatCsvLine(said)},${record.vector.join(',')}\n`;
      }
    };
    await writeFileAtomic(out, inChunks(lines(), encodeName));
  },
  async read(out) {
    const records: StoredRecord[] = [];
    let header: readonly string[] | null = null;
    let pending = '';
    for await (const line of linesOf(out)) {
      pending += line;
      // a name may hold the end of a line: it goes on until its quotation mark is closed
      if (pending.split('"').length % 2 === 0) {
        pending += '\n';
        continue;
      }
      const { fields } = parseCsv(pending, out)[0]!;
      pending = '';
      if (!header) {
        header = fields;
        if (COLUMNS.some((column, c) => fields[c] !== column)) throw new Error(`${out} has other columns`);
        continue;
      }
      const said = Object.fromEntries(COLUMNS.map((column, c) => [column, fields[c]]));
      const record = storedRecord(said, Float32Array.from(fields.slice(COLUMNS.length), Number));
      if (record) records.push(record);
    }
    return records;
  },
};
