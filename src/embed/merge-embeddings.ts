/** One file of the parts that the jobs of `embed --shard` have written. */
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { extname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseShard } from '../data/shard.js';
import { VsslError } from '../errors.js';
import { checkOutFile, temporaryName, writeError } from '../weights/atomic-write.js';
import { readSafetensors, type SafetensorsFile, writeSafetensors } from '../weights/safetensors.js';

export interface MergeResult {
  readonly out: string;
  readonly count: number;
  readonly files: number;
}

/** What stands in the metadata once a video. */
const LISTS = ['paths', 'ids', 'labels', 'groups'] as const;

/**
 * Merges embedding files into `out`, of the same format: `.safetensors` in the order of their shards, which must be all
 * there and of one encoder; `.jsonl` one after the other as they are given. Throws ERR_VSSL_USAGE naming what is missing
 * or does not go together, ERR_VSSL_FILE, ERR_VSSL_SAFETENSORS and ERR_VSSL_WRITE.
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

async function mergeTensors(files: readonly string[], out: string): Promise<MergeResult> {
  const parts: { readonly file: string; readonly index: number; readonly content: SafetensorsFile }[] = [];
  let count = 0;
  for (const file of files) {
    const content = await readSafetensors(file);
    const { metadata } = content;
    if (metadata.format !== 'vssl-embeddings' || metadata.shard === undefined)
      throw usage(`${file} was not written by 'embed --shard'`);
    const shard = parseShard(metadata.shard);
    if (count !== 0 && shard.count !== count)
      throw usage(`${file} is shard ${metadata.shard}, ${parts[0]!.file} is one of ${count}`);
    count = shard.count;
    const twice = parts.find(({ index }) => index === shard.index);
    if (twice) throw usage(`${file} and ${twice.file} are both shard ${metadata.shard}`);
    parts.push({ file, index: shard.index, content });
  }
  const missing = Array.from({ length: count }, (_, i) => i).filter((i) => !parts.some((p) => p.index === i));
  if (missing.length > 0)
    throw usage(`of ${count} shards ${missing.map((i) => `${i}/${count}`).join(', ')} are missing`);
  parts.sort((a, b) => a.index - b.index);
  const [first] = parts;
  for (const { file, content } of parts) checkSameEncoder(first!, { file, content });
  const lists = LISTS.map((name) => [
    name,
    JSON.stringify(parts.flatMap(({ content }) => JSON.parse(content.metadata[name] ?? '[]') as unknown[])),
  ]);
  const data = Buffer.concat(parts.map(({ content }) => content.tensors[0]!.data));
  const rows = parts.reduce((sum, { content }) => sum + content.tensors[0]!.shape[0]!, 0);
  const shape = [rows, first!.content.tensors[0]!.shape[1]!];
  const { shard: _, ...metadata } = first!.content.metadata;
  await writeSafetensors(out, [{ name: 'features', dtype: 'F32', shape, data }], {
    ...metadata,
    ...Object.fromEntries(lists),
  }).catch((error) => {
    throw writeError(out, error);
  });
  return { out, count: rows, files: files.length };
}

function checkSameEncoder(
  first: { readonly file: string; readonly content: SafetensorsFile },
  other: { readonly file: string; readonly content: SafetensorsFile },
): void {
  const own = (name: string) => [first.content.metadata[name], other.content.metadata[name]];
  const names = Object.keys(first.content.metadata).filter(
    (name) => name !== 'shard' && !LISTS.includes(name as never),
  );
  const name = names.find((name) => own(name)[0] !== own(name)[1]);
  if (name !== undefined)
    throw usage(
      `${other.file} and ${first.file} do not go together: ${name} is ${own(name)[1]} in one and ${own(name)[0]} in the other`,
    );
  const dims = [first, other].map(({ content }) => content.tensors[0]!.shape[1]);
  if (dims[0] !== dims[1])
    throw usage(`${other.file} has vectors of ${dims[1]} numbers, ${first.file} of ${dims[0]}`);
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
            for (const byte of chunk) if (byte === 10) count++;
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
