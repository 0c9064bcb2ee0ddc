/** What stands in a file of vectors, whatever its format. */

/** One vector: of a video, or of a window of it. */
export interface EmbeddingRecord {
  readonly path: string;
  /** Of the row, the same for all windows of a video. */
  readonly id: string;
  readonly label: string | undefined;
  readonly group: string | undefined;
  /** Seconds of the file that the vector is of; absent: all of it. */
  readonly start: number | undefined;
  readonly end: number | undefined;
  /** With which settings it was made, and of what state of the file: the same stamp, the same vector. */
  readonly stamp: string;
  readonly vector: Float32Array;
}

/** Columns that are no part of the vector, in the order in which files have them. */
export const COLUMNS = ['path', 'id', 'label', 'group', 'start', 'end', 'stamp'] as const;

/** What is read back from a file: enough to know whether it still holds, and to keep it. */
export type StoredRecord = Pick<EmbeddingRecord, 'path' | 'id' | 'start' | 'end' | 'stamp' | 'vector'>;

/** What else a file may say about its vectors. */
export interface AboutVectors {
  readonly dim: number;
  readonly entries: Readonly<Record<string, string>>;
}

/** By the suffix of the file. */
export type EmbeddingFormatName = 'safetensors' | 'jsonl' | 'parquet' | 'npy' | 'csv';

/** How vectors are written, and read back. */
export interface EmbeddingFormat {
  readonly name: EmbeddingFormatName;
  /** Refuses, before any work, what cannot be written here. */
  check?(): Promise<void>;
  /** Under a temporary name, renamed when whole. Throws errors of the system as they are. */
  write(out: string, records: readonly EmbeddingRecord[], about: AboutVectors): Promise<void>;
  /** Rejects when the file is none of this package's, whatever its reason: then nothing of it is used again. */
  read(out: string): Promise<readonly StoredRecord[]>;
}

/** A record of what a file says; null when it lacks what a record must have. */
export function storedRecord(
  said: Readonly<Record<string, unknown>>,
  vector: Float32Array,
): StoredRecord | null {
  const { path, id, stamp } = said;
  if (typeof path !== 'string' || typeof id !== 'string' || typeof stamp !== 'string') return null;
  return { path, id, stamp, start: secondsOf(said.start), end: secondsOf(said.end), vector };
}

/** A time from a file: a number, or its digits. */
function secondsOf(value: unknown): number | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const seconds = Number(value);
  return Number.isFinite(seconds) ? seconds : undefined;
}

const CHUNK_BYTES = 1 << 20;

/** Pieces of text as few larger ones: each would be a write of its own. `encode`: to the bytes of the file. */
export function* inChunks(
  pieces: Iterable<string>,
  encode: (text: string) => Uint8Array,
): Generator<Uint8Array> {
  let held: string[] = [];
  let length = 0;
  for (const piece of pieces) {
    held.push(piece);
    length += piece.length;
    if (length < CHUNK_BYTES) continue;
    yield encode(held.join(''));
    held = [];
    length = 0;
  }
  if (held.length > 0) yield encode(held.join(''));
}
