/** One file of the parts that the jobs of `embed --shard` or `eval --shard` have written. */
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { extname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseShard } from '../data/shard.js';
import { VsslError } from '../errors.js';
import type { NamedTensor } from '../native/bindings.js';
import { checkOutFile, temporaryName, writeError } from '../weights/atomic-write.js';
import { readSafetensors, type SafetensorsFile, writeSafetensors } from '../weights/safetensors.js';

export interface MergeResult {
  readonly out: string;
  /** Vectors. */
  readonly count: number;
  readonly files: number;
}

/**
 * Merges files of embeddings, or of an evaluation's features, into `out`, of the same format: `.safetensors` in the order
 * of their shards, which must be all there and of one encoder; `.jsonl` one after the other as they are given. Throws
 * ERR_VSSL_USAGE naming what is missing or does not go together, ERR_VSSL_FILE, ERR_VSSL_SAFETENSORS and ERR_VSSL_WRITE.
 */
export async function mergeEmbeddings(files: readonly string[], out: string): Promise<MergeResult> {
  if (files.length === 0) throw usage('there is no file to merge');
  const format = extname(out).toLowerCase();
  const other = files.find((file) => extname(file).toLowerCase() !== format);
  if (other !== undefined) throw usage(`${other} is not of the format of ${out}: expected ${format} files`);
  if (files.includes(out)) throw usage(`${out} is one of the files to merge; name another --out`);
  await checkOutFile(out);
  if (format === '.jsonl') return await mergeLines(files, out);
  if (format === '.safetensors') return await mergeTensors(files, out);
  throw usage(`${out}: expected a name that ends in .safetensors or .jsonl`);
}

interface Part {
  readonly file: string;
  readonly index: number;
  readonly content: SafetensorsFile;
}

async function mergeTensors(files: readonly string[], out: string): Promise<MergeResult> {
  const parts = await readParts(files);
  const first = parts[0]!;
  for (const part of parts) checkSameEncoder(first, part);
  const tensors = first.content.tensors.map(({ name }) => mergeRows(name, parts));
  const { shard: _, ...metadata } = first.content.metadata;
  const lists = Object.keys(metadata)
    .filter((name) => isList(metadata[name]!))
    .map((name) => [name, JSON.stringify(parts.flatMap((part) => listOf(part, name)))]);
  await writeSafetensors(out, tensors, { ...metadata, ...Object.fromEntries(lists) }).catch((error) => {
    throw writeError(out, error);
  });
  const count = tensors.reduce((sum, { shape }) => sum + shape[0]!, 0);
  return { out, count, files: files.length };
}

/** All shards, in their order. */
async function readParts(files: readonly string[]): Promise<Part[]> {
  const parts: Part[] = [];
  let count = 0;
  for (const file of files) {
    const content = await readSafetensors(file);
    const { shard: text } = content.metadata;
    if (text === undefined) throw usage(`${file} was not written by 'embed --shard' or 'eval --shard'`);
    const shard = parseShard(text);
    if (count !== 0 && shard.count !== count)
      throw usage(`${file} is shard ${text}, ${parts[0]!.file} is one of ${count}`);
    count = shard.count;
    const twice = parts.find(({ index }) => index === shard.index);
    if (twice) throw usage(`${file} and ${twice.file} are both shard ${text}`);
    parts.push({ file, index: shard.index, content });
  }
  const missing = Array.from({ length: count }, (_, i) => i).filter((i) => !parts.some((p) => p.index === i));
  if (missing.length > 0)
    throw usage(`of ${count} shards ${missing.map((i) => `${i}/${count}`).join(', ')} are missing`);
  return parts.sort((a, b) => a.index - b.index);
}

/** What stands in the metadata once a video; everything else is the same in all shards. */
function isList(text: string): boolean {
  return text.startsWith('[');
}

function listOf({ file, content }: Part, name: string): unknown[] {
  try {
    return JSON.parse(content.metadata[name]!);
  } catch {
    throw usage(`${file} is damaged: its list of ${name} cannot be read`);
  }
}

/** Rows of all parts, one after the other; a part without any may not know their length. */
function mergeRows(name: string, parts: readonly Part[]): NamedTensor {
  const own = parts.map((part) => tensorOf(part, name));
  const rows = own.reduce((sum, { shape }) => sum + shape[0]!, 0);
  const dim = Math.max(...own.map(({ shape }) => shape[1]!));
  return { name, dtype: 'F32', shape: [rows, dim], data: Buffer.concat(own.map(({ data }) => data)) };
}

function tensorOf({ file, content }: Part, name: string): NamedTensor {
  const found = content.tensors.find((tensor) => tensor.name === name);
  if (found?.dtype !== 'F32' || found.shape.length !== 2) throw usage(`${file} lacks rows of '${name}'`);
  return found;
}

function checkSameEncoder(first: Part, other: Part): void {
  const [a, b] = [first.content.metadata, other.content.metadata];
  const names = Object.keys({ ...a, ...b }).filter(
    (name) => name !== 'shard' && !isList(a[name] ?? b[name]!),
  );
  const name = names.find((name) => a[name] !== b[name]);
  if (name !== undefined)
    throw usage(
      `${other.file} and ${first.file} do not go together: ${name} is ${b[name]} in one and ${a[name]} in the other`,
    );
  for (const { name } of first.content.tensors) {
    const [mine, theirs] = [first, other].map((part) => tensorOf(part, name).shape);
    if (mine![0]! > 0 && theirs![0]! > 0 && mine![1] !== theirs![1])
      throw usage(`${other.file} has ${name} of ${theirs![1]} numbers a row, ${first.file} of ${mine![1]}`);
  }
}

async function mergeLines(files: readonly string[], out: string): Promise<MergeResult> {
  const temporary = temporaryName(out);
  let count = 0;
  const target = createWriteStream(temporary, { flags: 'wx' });
  try {
    for (const file of files) {
      let last = 10;
      await pipeline(
        createReadStream(file),
        async function* (chunks: AsyncIterable<Buffer>) {
          for await (const chunk of chunks) {
            for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) count++;
            last = chunk.at(-1) ?? last;
            yield chunk;
          }
        },
        target,
        { end: false },
      );
      if (last !== 10) throw usage(`${file} ends in the middle of a line: it is not whole`);
    }
    await new Promise<void>((resolve, reject) =>
      target.end((error?: Error | null) => (error ? reject(error) : resolve())),
    );
    await rename(temporary, out);
    return { out, count, files: files.length };
  } catch (error) {
    target.destroy();
    await rm(temporary, { force: true });
    if (error instanceof VsslError) throw error;
    const { code, path } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && path !== undefined && files.includes(path))
      throw new VsslError('ERR_VSSL_FILE', `${path} is not there`, { cause: error, details: { path } });
    throw writeError(out, error);
  }
}

function usage(message: string): VsslError {
  return new VsslError('ERR_VSSL_USAGE', message);
}
