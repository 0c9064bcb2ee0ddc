import { open } from 'node:fs/promises';
import { writeFileAtomic } from '../../weights/atomic-write.js';
import { linesOf } from './json-lines.js';
import {
  type EmbeddingFormat,
  type EmbeddingRecord,
  inChunks,
  type StoredRecord,
  storedRecord,
} from './record.js';

/** Bytes before the header's text: a magic string, the version 1.0, and the length of the text. */
const PREFIX = 10;
/** numpy wants the data at a multiple of this. */
const ALIGNMENT = 64;

/** The file beside the array that says whose its rows are. */
const namesFile = (out: string) => `${out}.jsonl`;

/**
 * An array (vectors, dim) of float32 as `numpy.save` writes it, and beside it OUT.jsonl: line i says of what row i is. The
 * names come first: an array that is there has them.
 */
export const npy: EmbeddingFormat = {
  name: 'npy',
  async write(out, records, { dim }) {
    const names = function* () {
      for (const { vector: _, ...said } of records) yield `${JSON.stringify(said)}\n`;
    };
    await writeFileAtomic(
      namesFile(out),
      inChunks(names(), (text) => Buffer.from(text)),
    );
    await writeFileAtomic(out, arrayOf(records, dim));
  },
  async read(out) {
    const { rows, dim, data } = await readArray(out);
    const records: StoredRecord[] = [];
    let row = 0;
    for await (const line of linesOf(namesFile(out))) {
      const record = storedRecord(JSON.parse(line), data.subarray(row * dim, ++row * dim));
      if (record) records.push(record);
    }
    if (row !== rows) throw new Error(`${out} has ${rows} rows, ${namesFile(out)} names ${row}`);
    return records;
  },
};

function* arrayOf(records: readonly EmbeddingRecord[], dim: number): Generator<Uint8Array> {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${records.length}, ${dim}), }`;
  const whole = Math.ceil((PREFIX + text.length + 1) / ALIGNMENT) * ALIGNMENT;
  const header = Buffer.alloc(whole, ' ');
  header.write('\x93NUMPY\x01\x00', 'latin1');
  header.writeUInt16LE(whole - PREFIX, PREFIX - 2);
  header.write(text, PREFIX, 'latin1');
  header.write('\n', whole - 1, 'latin1');
  yield header;
  // thousands of rows in one write
  const most = Math.max(1, Math.floor(2 ** 20 / (4 * dim)));
  for (let from = 0; from < records.length; from += most) {
    const some = records.slice(from, from + most);
    const block = new Float32Array(some.length * dim);
    for (const [i, { vector }] of some.entries()) block.set(vector, i * dim);
    yield new Uint8Array(block.buffer);
  }
}

/** What arrayOf wrote; rejects for arrays of other types and shapes. */
async function readArray(path: string): Promise<{ rows: number; dim: number; data: Float32Array }> {
  const file = await open(path, 'r');
  try {
    const bytes = await file.readFile();
    const start = PREFIX + bytes.readUInt16LE(PREFIX - 2);
    const shape = /'<f4', 'fortran_order': False, 'shape': \((\d+), (\d+)\)/.exec(
      bytes.toString('latin1', PREFIX, start),
    );
    const [rows, dim] = [Number(shape![1]), Number(shape![2])];
    const data = new Float32Array(rows * dim);
    new Uint8Array(data.buffer).set(bytes.subarray(start, start + data.byteLength));
    if (bytes.length - start !== data.byteLength) throw new Error(`${path} is cut off`);
    return { rows, dim, data };
  } finally {
    await file.close();
  }
}
