// Wheels, which are zip files: what one holds, and taking out of it what C++ needs.
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
// Streams entries of files of any size, and refuses names that lead out of the folder.
import yauzl from 'yauzl';
import { log, ToolError } from './common.mjs';

/** The beginnings of the names of what C++ needs: of PyTorch, its own libraries' dependencies, and NVIDIA's. */
const PARTS = ['torch/lib/', 'torch/include/', 'torch/version.py', 'nvidia/'];
const isNeeded = (name) =>
  (PARTS.some((part) => name.startsWith(part)) || name.includes('.libs/')) && !/(\/|\.a)$/.test(name);

/** Calls `onEntry(entry, zip)` for each entry in turn. A file that is no whole zip is an error that names it. */
async function eachEntry(file, onEntry) {
  try {
    const zip = await yauzl.openPromise(file);
    for await (const entry of zip.eachEntry()) await onEntry(entry, zip);
  } catch (error) {
    if (error instanceof ToolError) throw error;
    throw new ToolError(
      `'${file}' is no whole wheel (a zip file): ${error.message}. Get it again`,
      3,
      'ERR_VSSL_LIBTORCH',
    );
  }
}

/** { version, tags, hasTorch, hasCuda }: told by the content, whatever the file is called. */
export async function describeWheel(file) {
  const facts = { version: 'unknown', tags: [], hasTorch: false, hasCuda: false };
  await eachEntry(file, async (entry, zip) => {
    const name = entry.fileName;
    facts.hasTorch ||= /^torch\/lib\/libtorch_cpu\.(so|dylib)$/.test(name);
    facts.hasCuda ||= name === 'torch/lib/libtorch_cuda.so';
    const info = /^torch-([^/]+)\.dist-info\/WHEEL$/.exec(name);
    if (!info) return;
    facts.version = info[1];
    const text = await textOf(entry, zip);
    facts.tags = [...text.matchAll(/^Tag: (\S+)/gm)].map(([, tag]) => tag);
  });
  return facts;
}

/** Unpacks what C++ needs of a wheel. */
export async function unpackWheel(file, folder, signal) {
  log(`unpacking ${file}`);
  await eachEntry(file, async (entry, zip) => {
    if (signal?.aborted) throw new ToolError('stopped');
    if (!isNeeded(entry.fileName)) return;
    const target = join(folder, entry.fileName);
    mkdirSync(dirname(target), { recursive: true });
    try {
      await pipeline(await zip.openReadStreamPromise(entry), checkCrc(entry), createWriteStream(target));
    } catch (error) {
      if (!error.syscall) throw error;
      throw new ToolError(
        `'${target}' cannot be written: ${error.code === 'ENOSPC' ? 'the disk is full' : error.message}; VSSL_CACHE ` +
          'names another folder',
        3,
        'ERR_VSSL_ENVIRONMENT',
      );
    }
  });
}

async function textOf(entry, zip) {
  const chunks = await (await zip.openReadStreamPromise(entry)).toArray();
  return Buffer.concat(chunks).toString();
}

/** yauzl checks sizes alone. */
function checkCrc({ fileName, crc32: expected }) {
  return async function* (chunks) {
    let found = 0;
    for await (const chunk of chunks) {
      found = crc32(chunk, found);
      yield chunk;
    }
    if (found !== expected) throw new Error(`the checksum of ${fileName} does not fit`);
  };
}
