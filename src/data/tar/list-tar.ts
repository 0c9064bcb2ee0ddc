/** The members of a tar file on disk: headers are read, bodies are passed over. */
import { type FileHandle, open } from 'node:fs/promises';
import { fsPath } from '../file-names.js';
import { BLOCK, isZero, paddedSize, parseHeader, parsePax, readText } from './headers.js';

export interface TarMember {
  /** As it is written, but for what says nothing: './' and '//'. */
  readonly name: string;
  readonly kind: 'file' | 'link' | 'sparse' | 'device';
  /** Of its bytes in the archive. */
  readonly offset: number;
  readonly size: number;
  /** Its bytes, where they were asked for and are no more than MOST_TEXT. */
  readonly body: Buffer | null;
}

/** What is wrong with an archive, and what to do. */
export interface TarFault {
  readonly what: string;
  readonly way: string;
}

export interface TarListing {
  /** Whole ones; folders are left out. */
  readonly members: readonly TarMember[];
  /** Why it ends, or cannot be read on, after these. */
  readonly fault: TarFault | null;
}

/** Bytes of a long name, of a pax header, and of what stands beside a video. */
export const MOST_TEXT = 1 << 20;

const COMPRESSED: readonly (readonly [magic: string, name: string, program: string])[] = [
  ['1f8b', 'gzip', 'gzip -dc'],
  ['425a68', 'bzip2', 'bzip2 -dc'],
  ['fd377a585a00', 'xz', 'xz -dc'],
  ['28b52ffd', 'zstd', 'zstd -dc'],
];

/** `wants`: members whose bodies are read. Rejects with the system's error for a file that cannot be read. */
export async function listTar(path: string, wants: (name: string) => boolean): Promise<TarListing> {
  const handle = await open(fsPath(path), 'r');
  try {
    const file = new ReadWindow(handle, (await handle.stat()).size);
    const members: TarMember[] = [];
    const fault = await walk(file, wants, members);
    return { members, fault };
  } finally {
    await handle.close();
  }
}

async function walk(
  file: ReadWindow,
  wants: (name: string) => boolean,
  members: TarMember[],
): Promise<TarFault | null> {
  if (file.size === 0) return { what: 'is empty', way: 'make it again' };
  /** What the headers before a member's own say of it. */
  let long: string | undefined;
  let pax = new Map<string, string>();
  let last = '';
  for (let at = 0; ; ) {
    const block = await file.read(at, BLOCK);
    // an archive without its end mark is whole all the same
    if (block.length === 0 && at > 0) return null;
    const compressed = at === 0 ? compressionOf(block) : null;
    if (compressed) return compressed;
    if (block.length < BLOCK) return at === 0 ? NO_TAR : cut(`in a header, after '${last}'`, at);
    if (isZero(block)) return null;
    const header = parseHeader(block);
    if (!header) return at === 0 ? NO_TAR : damaged(at, last);
    const body = at + BLOCK;
    const size = header.kind === 'file' ? Number(pax.get('size') ?? header.size) : header.size;
    if (!Number.isSafeInteger(size) || size < 0) return damaged(at, last);
    at = body + paddedSize(size);
    if (header.kind === 'long name' || header.kind === 'pax') {
      if (size > MOST_TEXT) return damaged(body - BLOCK, last);
      const text = await file.read(body, size);
      if (text.length < size) return cut(`in a name, after '${last}'`, file.size);
      const records = header.kind === 'pax' ? parsePax(text) : null;
      if (header.kind === 'long name') long = readText(text);
      else if (records) pax = records;
      else return damaged(body - BLOCK, last);
      continue;
    }
    if (header.kind === 'pax of all') continue; // dates and comments
    const name = plainName(pax.get('GNU.sparse.name') ?? pax.get('path') ?? long ?? header.name);
    const isSparse = [...pax.keys()].some((key) => key.startsWith('GNU.sparse.'));
    long = undefined;
    pax = new Map();
    if (body + size > file.size) return cut(`in '${name}'`, file.size);
    last = name;
    // GNU's old sparse files have further headers of their own between this one and the body
    if (header.kind === 'sparse') at += BLOCK * (await countSparseHeaders(file, block, body));
    if (header.kind === 'folder' || name === '') continue;
    const reads = header.kind === 'file' && size <= MOST_TEXT && wants(name);
    members.push({
      ...{ name, kind: isSparse ? 'sparse' : header.kind, offset: body, size },
      body: reads ? Buffer.from(await file.read(body, size)) : null,
    });
  }
}

function plainName(written: string): string {
  return written
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

async function countSparseHeaders(file: ReadWindow, header: Buffer, body: number): Promise<number> {
  let count = 0;
  for (let more = header[482]; more; count++) {
    const block = await file.read(body + count * BLOCK, BLOCK);
    more = block[504];
  }
  return count;
}

const NO_TAR: TarFault = { what: 'is no tar file', way: 'give shards that tar or webdataset wrote' };

function cut(where: string, at: number): TarFault {
  return {
    what: `ends in the middle, ${where} (byte ${at})`,
    way: 'copy or make it again, or use what is whole before that with ?damaged=skip',
  };
}

function damaged(at: number, last: string): TarFault {
  return {
    what: `is damaged at byte ${at}${last === '' ? '' : `, after '${last}'`}`,
    way: 'copy or make it again, or use what is whole before that with ?damaged=skip',
  };
}

function compressionOf(block: Buffer): TarFault | null {
  const start = block.toString('hex', 0, 6);
  const found = COMPRESSED.find(([magic]) => start.startsWith(magic));
  if (!found) return null;
  const [, name, program] = found;
  return {
    what: `is compressed with ${name}, so that no video can be read in its place`,
    way: `unpack it: ${program} SHARD > SHARD.tar; behind a command, | ${program}`,
  };
}

/** Reads of a few bytes after each other as one: what stands beside a video lies between its neighbours. */
class ReadWindow {
  readonly size: number;
  readonly #file: FileHandle;
  readonly #window = Buffer.alloc(16 << 10);
  #start = 0;
  #filled = 0;

  constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.size = size;
  }

  /** Fewer where the file ends. They hold until the next read. */
  async read(at: number, length: number): Promise<Buffer> {
    if (length > this.#window.length) return await this.#fill(Buffer.alloc(length), at);
    if (at < this.#start || at + length > this.#start + this.#filled) {
      this.#filled = (await this.#fill(this.#window, at)).length;
      this.#start = at;
    }
    const from = at - this.#start;
    return this.#window.subarray(from, Math.min(from + length, this.#filled));
  }

  async #fill(into: Buffer, at: number): Promise<Buffer> {
    let filled = 0;
    while (filled < into.length) {
      const { bytesRead } = await this.#file.read(into, filled, into.length - filled, at + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return into.subarray(0, filled);
  }
}
