import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { writeFileAtomic } from '../../weights/atomic-write.js';
import { type EmbeddingFormat, inChunks, type StoredRecord, storedRecord } from './record.js';

/** A line a vector: `{ path, id, label, group, start, end, stamp, vector }`; what is not known is left out. */
export const jsonLines: EmbeddingFormat = {
  name: 'jsonl',
  async write(out, records) {
    const lines = function* () {
      for (const { vector, ...said } of records)
        yield `${JSON.stringify({ ...said, vector: Array.from(vector) })}\n`;
    };
    await writeFileAtomic(
      out,
      inChunks(lines(), (text) => Buffer.from(text)),
    );
  },
  async read(out) {
    const records: StoredRecord[] = [];
    for await (const line of linesOf(out)) {
      const { vector, ...said } = JSON.parse(line) as Record<string, unknown>;
      const record = storedRecord(said, Float32Array.from(vector as number[]));
      if (record) records.push(record);
    }
    return records;
  },
};

/** Lines of a text file that are not empty. */
export async function* linesOf(path: string): AsyncGenerator<string, void, undefined> {
  const input = createReadStream(path);
  try {
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY }))
      if (line !== '') yield line;
  } finally {
    input.destroy();
  }
}
