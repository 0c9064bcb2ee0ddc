/**
 * header.json: what an index holds, and which shards it is made of. It is replaced as a whole, by rename: whoever reads it
 * sees the shards of before or those of after, never some of both.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkCount } from '../checks.js';
import type { WindowGrid } from '../data/windows.js';
import { VsslError } from '../errors.js';
import { writeFileAtomic } from '../weights/atomic-write.js';

export const HEADER_NAME = 'header.json';
const FORMAT = 'vssl-index';
const VERSION = 1;

/** How a vector's numbers are kept. fp16 takes half the room and half the time, and turns a vector by about 1e-7. */
export type VectorType = 'fp16' | 'fp32';

export const TYPE_BYTES: Readonly<Record<VectorType, number>> = { fp16: 2, fp32: 4 };

/** How videos were cut: vectors of windows that were cut in another way do not belong beside these. */
export interface IndexSettings {
  readonly windows: WindowGrid;
  /** Clips of a window, and crops of a clip. */
  readonly clips: number;
  readonly crops: 1 | 3;
}

/** Of an index that does not say otherwise. */
export const DEFAULT_SETTINGS: IndexSettings = { windows: { every: 1 }, clips: 1, crops: 1 };

/** The encoder's weights beside its vectors: what is searched for is embedded with them. */
export const ENCODER_NAME = 'encoder.safetensors';

/** What keeps the vectors: files of this package, or a table of LanceDB. */
export type StoreName = 'flat' | 'lancedb';

export const STORES: readonly StoreName[] = ['flat', 'lancedb'];

export interface IndexHeader {
  readonly store: StoreName;
  /** Numbers of a vector. */
  readonly dim: number;
  readonly type: VectorType;
  /** Digest of the encoder that made the vectors. */
  readonly encoder: string;
  /** null: the vectors are the caller's own. */
  readonly settings: IndexSettings | null;
  /** Names of the shards of a flat store, in order. */
  readonly shards: readonly string[];
  /** Number of the next shard; none is used twice. */
  readonly next: number;
}

/** null when there is none. Throws ERR_VSSL_INDEX for one that cannot be read. */
export async function readHeader(db: string): Promise<IndexHeader | null> {
  const path = join(db, HEADER_NAME);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw indexError(db, `its ${HEADER_NAME} cannot be read (${error.code})`);
  });
  if (text === null) return null;
  let said: Partial<IndexHeader> & { format?: unknown; version?: unknown };
  try {
    // the first indexes do not name their store
    said = { store: 'flat', ...JSON.parse(text) };
  } catch {
    throw indexError(db, `its ${HEADER_NAME} is damaged; make the index again with another --db`);
  }
  if (said?.format !== FORMAT) throw indexError(db, `its ${HEADER_NAME} is none of this package`);
  if (said.version !== VERSION)
    throw indexError(
      db,
      `it is of version ${String(said.version)}, this package reads ${VERSION}: upgrade it, or make the index again`,
    );
  if (!isWhole(said))
    throw indexError(db, `its ${HEADER_NAME} is damaged; make the index again with another --db`);
  const { store, dim, type, encoder, settings, shards, next } = said;
  return { store, dim, type, encoder, settings, shards, next };
}

function isWhole(said: Partial<IndexHeader>): said is IndexHeader {
  const { store, dim, type, encoder, settings, shards, next } = said;
  const isName = (name: unknown) => typeof name === 'string' && /^\d{6,}$/.test(name);
  return (
    STORES.includes(store as StoreName) &&
    Number.isSafeInteger(dim) &&
    (dim as number) > 0 &&
    (type === 'fp16' || type === 'fp32') &&
    typeof encoder === 'string' &&
    (settings === null || typeof settings === 'object') &&
    Array.isArray(shards) &&
    shards.every(isName) &&
    Number.isSafeInteger(next)
  );
}

/** The commit point of whatever changes the list of shards. */
export async function writeHeader(db: string, header: IndexHeader): Promise<void> {
  const text = JSON.stringify({ format: FORMAT, version: VERSION, ...header }, null, 2);
  await writeFileAtomic(join(db, HEADER_NAME), `${text}\n`);
}

/** The header with one more shard, and that shard's name. */
export function withNewShard(header: IndexHeader): { header: IndexHeader; name: string } {
  const name = String(checkCount('next', header.next)).padStart(6, '0');
  return { header: { ...header, shards: [...header.shards, name], next: header.next + 1 }, name };
}

/** ERR_VSSL_INDEX that names the index. */
export function indexError(db: string, why: string, cause?: unknown): VsslError {
  return new VsslError('ERR_VSSL_INDEX', `the index ${db} cannot be used: ${why}`, {
    details: { db },
    cause,
  });
}
