/**
 * The safetensors format, read and written without help: 8 bytes of little-endian header length, a JSON header
 * `{ name: { dtype, shape, data_offsets: [begin, end) }, "__metadata__": { string: string } }`, then the data.
 * A file is treated as hostile: every number is checked before memory is taken.
 * Source: https://github.com/huggingface/safetensors (README, "Format").
 */
import { type FileHandle, open } from 'node:fs/promises';
import { isUint8Array } from '../checks.js';
import { environmentError, invalidArgument, VsslError } from '../errors.js';
import type { NamedTensor } from '../native/bindings.js';
import { checkMemory } from '../native/memory.js';
import { type WriteOperations, writeFileAtomic } from './atomic-write.js';

export interface SafetensorsFile {
  /** In the order of the header. Each has memory of its own, aligned for its type. */
  readonly tensors: readonly NamedTensor[];
  readonly metadata: Readonly<Record<string, string>>;
}

type Dtype = NamedTensor['dtype'];

/** Bytes of one element. */
export const DTYPE_BYTES: Readonly<Record<Dtype, number>> = {
  F64: 8,
  I64: 8,
  F32: 4,
  I32: 4,
  F16: 2,
  BF16: 2,
  U8: 1,
  BOOL: 1,
};

/** Limit of the reference implementation; a larger header means a damaged or hostile file. */
const MAX_HEADER_BYTES = 100_000_000;
/** The data area starts at a multiple of this, so that a mapped file is aligned for any vector unit. */
const DATA_ALIGNMENT = 64;

interface Entry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/**
 * Reads a whole file. Throws VsslError ERR_VSSL_SAFETENSORS when the file is not well formed, is cut off, or holds a
 * type that this package has no use for; ERR_VSSL_FILE when it cannot be opened.
 */
export async function readSafetensors(path: string): Promise<SafetensorsFile> {
  const file = await openForReading(path);
  try {
    const { entries, metadata, dataStart } = await readHeader(file, path);
    checkMemory(
      entries.reduce((bytes, { begin, end }) => bytes + end - begin, 0),
      `${path}: its tensors together`,
    );
    const tensors: NamedTensor[] = [];
    for (const { name, dtype, shape, begin, end } of entries) {
      const data = allocate(end - begin, path, name);
      await readExactly(file, data, dataStart + begin, path);
      if (dtype === 'BOOL' && data.some((byte) => byte > 1))
        throw bad(path, `tensor '${name}' of type BOOL holds a byte other than 0 and 1`);
      tensors.push({ name, dtype, shape, data });
    }
    return { tensors, metadata };
  } finally {
    await file.close();
  }
}

/** Whether a file that begins with these bytes (four at least) is one of torch.save: an archive, or a pickle. */
export function isTorchFile(head: Uint8Array): boolean {
  const hex = Buffer.from(head.subarray(0, 4)).toString('hex');
  // the pickle is of protocol 2 and begins with a whole number of ten bytes
  return hex === '504b0304' || hex === '80028a0a';
}

/** Reads the metadata alone: cheap, whatever the size of the file. Same errors as readSafetensors. */
export async function readSafetensorsMetadata(path: string): Promise<Readonly<Record<string, string>>> {
  const file = await openForReading(path);
  try {
    return (await readHeader(file, path)).metadata;
  } finally {
    await file.close();
  }
}

/**
 * Writes atomically (temporary name, fsync, rename, fsync of the folder). Throws ERR_VSSL_INVALID_ARGUMENT when a
 * tensor's bytes do not match its shape, or names repeat; errors of the file system come through as they are.
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly NamedTensor[],
  metadata: Readonly<Record<string, string>> = {},
  operations?: WriteOperations,
): Promise<void> {
  await writeFileAtomic(path, encodeSafetensors(tensors, metadata), operations);
}

/** The file's bytes as a list of chunks: the header, then each tensor's data (not copied). */
export function encodeSafetensors(
  tensors: readonly NamedTensor[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  const names = new Set<string>();
  for (const tensor of tensors) checkTensor(tensor, names);
  // Wider types first, so that each tensor is aligned to its element; names break ties, so that the order in which
  // tensors were collected leaves no trace in the bytes of the data area.
  const laidOut = [...tensors].sort(
    (a, b) => DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype] || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );
  const offsets = new Map<string, readonly [number, number]>();
  let end = 0;
  for (const { name, data } of laidOut) {
    offsets.set(name, [end, end + data.byteLength]);
    end += data.byteLength;
  }
  // Put together as text: an object would move names like "0" to the front and lose one called "__proto__".
  const parts: string[] = [];
  const keys = Object.keys(metadata).sort();
  if (keys.length > 0) {
    for (const key of keys)
      if (typeof metadata[key] !== 'string')
        throw invalidArgument(`metadata['${key}']`, 'a string', metadata[key]);
    parts.push(
      `"__metadata__":{${keys.map((k) => `${JSON.stringify(k)}:${JSON.stringify(metadata[k])}`).join(',')}}`,
    );
  }
  for (const { name, dtype, shape } of tensors)
    parts.push(
      `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(',')}],"data_offsets":[${offsets.get(name)!.join(',')}]}`,
    );
  const json = Buffer.from(`{${parts.join(',')}}`, 'utf8');
  const length = Math.ceil((8 + json.length) / DATA_ALIGNMENT) * DATA_ALIGNMENT - 8;
  if (length > MAX_HEADER_BYTES)
    throw invalidArgument('tensors', `names and metadata of at most ${MAX_HEADER_BYTES} bytes`, length);
  const header = Buffer.alloc(8 + length, 0x20);
  header.writeBigUInt64LE(BigInt(length), 0);
  json.copy(header, 8);
  return [header, ...laidOut.map((tensor) => tensor.data)];
}

function checkTensor({ name, dtype, shape, data }: NamedTensor, names: Set<string>): void {
  if (typeof name !== 'string' || name === '__metadata__')
    throw invalidArgument('tensor name', "a string other than '__metadata__'", name);
  if (names.has(name)) throw invalidArgument('tensors', 'names that differ', `${name} twice`);
  names.add(name);
  if (!Object.hasOwn(DTYPE_BYTES, dtype))
    throw invalidArgument(
      `dtype of tensor '${name}'`,
      `one of ${Object.keys(DTYPE_BYTES).join(', ')}`,
      dtype,
    );
  const bytes = byteLength(dtype, shape);
  if (bytes === null) throw invalidArgument(`shape of tensor '${name}'`, 'whole numbers from 0', shape);
  if (!isUint8Array(data) || data.byteLength !== bytes)
    throw invalidArgument(
      `data of tensor '${name}'`,
      `${bytes} bytes for ${dtype} [${shape.join(', ')}]`,
      data,
    );
}

async function openForReading(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    const environment = environmentError(path, error);
    if (environment) throw environment;
    const code = (error as NodeJS.ErrnoException).code;
    const why = code === 'ENOENT' ? 'there is no such file' : `it cannot be opened (${code})`;
    throw new VsslError('ERR_VSSL_FILE', `${path}: ${why}`, { details: { path }, cause: error });
  }
}

async function readHeader(
  file: FileHandle,
  path: string,
): Promise<{ entries: Entry[]; metadata: Record<string, string>; dataStart: number }> {
  const stat = await file.stat();
  if (!stat.isFile()) throw bad(path, 'it is not a file');
  if (stat.size < 10) throw bad(path, `it has ${stat.size} bytes, too few for a header`);
  const prefix = Buffer.alloc(8);
  await readExactly(file, prefix, 0, path);
  if (isTorchFile(prefix))
    throw bad(path, "it is one of torch.save, of which 'vssl-native import FILE' makes an encoder file");
  const length = Number(prefix.readBigUInt64LE(0));
  if (length > MAX_HEADER_BYTES)
    throw bad(path, `its header claims ${length} bytes, the limit is ${MAX_HEADER_BYTES}`);
  if (8 + length > stat.size)
    throw bad(path, `its header claims ${length} bytes, the file has ${stat.size}: cut off?`);
  const text = Buffer.alloc(length);
  await readExactly(file, text, 8, path);
  const { entries, metadata } = parseHeader(text, stat.size - 8 - length, path);
  return { entries, metadata, dataStart: 8 + length };
}

function parseHeader(
  text: Uint8Array,
  dataBytes: number,
  path: string,
): { entries: Entry[]; metadata: Record<string, string> } {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text));
  } catch (error) {
    throw bad(path, `its header is not JSON in UTF-8 (${(error as Error).message})`);
  }
  if (!isObject(header)) throw bad(path, 'its header is not a JSON object');
  let metadata: Record<string, string> = {};
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') metadata = parseMetadata(value, path);
    else entries.push(parseEntry(name, value, path));
  }
  // No holes, no overlaps, nothing after the end: every byte belongs to exactly one tensor.
  let at = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== at) throw bad(path, `tensor '${name}' starts at byte ${begin} of the data, expected ${at}`);
    at = end;
  }
  if (at !== dataBytes)
    throw bad(path, `its tensors take ${at} bytes, the file holds ${dataBytes}: cut off?`);
  return { entries, metadata };
}

function parseMetadata(value: unknown, path: string): Record<string, string> {
  if (!isObject(value)) throw bad(path, "'__metadata__' is not a JSON object");
  for (const [key, text] of Object.entries(value))
    if (typeof text !== 'string') throw bad(path, `metadata '${key}' is not a string`);
  return value as Record<string, string>;
}

function parseEntry(name: string, value: unknown, path: string): Entry {
  if (!isObject(value)) throw bad(path, `the entry of tensor '${name}' is not a JSON object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string' || !Object.hasOwn(DTYPE_BYTES, dtype))
    throw bad(
      path,
      `tensor '${name}' has type ${String(dtype)}; known are ${Object.keys(DTYPE_BYTES).join(', ')}`,
    );
  const bytes = byteLength(dtype as Dtype, shape);
  if (bytes === null)
    throw bad(path, `tensor '${name}' has a shape that is no list of whole numbers of bounded size`);
  if (
    !Array.isArray(offsets) ||
    offsets.length !== 2 ||
    !offsets.every((o) => Number.isSafeInteger(o) && o >= 0)
  )
    throw bad(path, `tensor '${name}' has data_offsets that are not two whole numbers`);
  const [begin, end] = offsets as [number, number];
  if (end - begin !== bytes)
    throw bad(path, `tensor '${name}' has ${end - begin} bytes, its type and shape need ${bytes}`);
  return { name, dtype: dtype as Dtype, shape: shape as number[], begin, end };
}

/** null when the shape is wrong, or the size is no longer exact in a double. */
function byteLength(dtype: Dtype, shape: unknown): number | null {
  if (!Array.isArray(shape) || shape.length > 64) return null;
  let bytes = DTYPE_BYTES[dtype];
  for (const extent of shape) {
    if (!Number.isSafeInteger(extent) || extent < 0) return null;
    bytes *= extent;
    if (bytes > Number.MAX_SAFE_INTEGER) return null;
  }
  return bytes;
}

async function readExactly(
  file: FileHandle,
  into: Uint8Array,
  position: number,
  path: string,
): Promise<void> {
  const most = 1 << 26;
  for (let done = 0; done < into.byteLength; ) {
    const { bytesRead } = await file.read(
      into,
      done,
      Math.min(most, into.byteLength - done),
      position + done,
    );
    if (bytesRead === 0) throw bad(path, `it ends at byte ${position + done}: cut off?`);
    done += bytesRead;
  }
}

function allocate(bytes: number, path: string, name: string): Uint8Array {
  try {
    return new Uint8Array(bytes);
  } catch {
    throw bad(path, `tensor '${name}' needs ${bytes} bytes of memory, more than there is`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function bad(path: string, why: string): VsslError {
  return new VsslError('ERR_VSSL_SAFETENSORS', `${path} is not a usable safetensors file: ${why}`, {
    details: { path },
  });
}
