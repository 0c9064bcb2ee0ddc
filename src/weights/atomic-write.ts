import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { invalidArgument, toVsslError, VsslError } from '../errors.js';

/** Suffix of files that are still being written. One left behind by a killed process is never read. */
export const TEMPORARY_SUFFIX = '.tmp';

/** Bytes that have their place at byte `at` of a file, whatever was written before them. */
export interface PlacedBytes {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** The few file operations that an atomic write is made of; tests put failing ones here. */
export interface WriteOperations {
  open(path: string, flags: string): Promise<Pick<FileHandle, 'write' | 'sync' | 'close'>>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
}

const nodeOperations: WriteOperations = {
  open: (path, flags) => open(path, flags),
  rename,
  remove: (path) => rm(path, { force: true }),
};

/**
 * Writes `chunks` to `path` so that a reader sees the old file or the whole new one, also after a power cut:
 * temporary name in the same folder, fsync, rename, fsync of the folder. On any error the temporary file is removed,
 * the old file stays, and the system's error (ENOSPC, EIO, EACCES...) is thrown.
 */
export async function writeFileAtomic(
  path: string,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array | PlacedBytes> | string,
  operations: WriteOperations = nodeOperations,
): Promise<void> {
  const folder = dirname(path);
  const temporary = temporaryName(path);
  // A rename would put a file in the place of a device.
  const what = await whatIsThere(path);
  if (what !== null && what !== 'a file')
    throw Object.assign(new Error(`it is ${what}`), { code: 'EEXIST', path });
  try {
    const file = await operations.open(temporary, 'wx');
    try {
      for await (const chunk of typeof chunks === 'string' ? [Buffer.from(chunks)] : chunks)
        await ('bytes' in chunk ? writeAll(file, chunk.bytes, chunk.at) : writeAll(file, chunk));
      await file.sync();
    } finally {
      await file.close();
    }
    await operations.rename(temporary, path);
  } catch (error) {
    await operations.remove(temporary).catch(() => {});
    throw error;
  }
  await syncFolder(folder, operations);
}

/** A name in the same folder, of a length that any file system takes. */
export function temporaryName(path: string): string {
  const own = `${process.pid}-${randomBytes(4).toString('hex')}${TEMPORARY_SUFFIX}`;
  return join(dirname(path), `${basename(path).slice(0, 60)}.${own}`);
}

/** Writes a result that someone asked for by name. Throws ERR_VSSL_WRITE as writeError makes it. */
export async function writeResultFile(path: string, content: string): Promise<void> {
  await writeFileAtomic(path, content).catch((error) => {
    throw writeError(path, error);
  });
}

/** ERR_VSSL_WRITE that names the file and says why; what is no error of the system keeps its code. */
export function writeError(path: string, error: unknown): VsslError {
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof VsslError || code === undefined || code.startsWith('ERR_')) return toVsslError(error);
  return new VsslError('ERR_VSSL_WRITE', `cannot write ${path}: ${writeReason(error)}`, {
    details: { path, systemCode: code },
    cause: error,
  });
}

/** Why the system refused a write, in words, with its code where it has one. */
export function writeReason(error: unknown): string {
  const { code, message, syscall } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOSPC':
      return 'the disk is full (ENOSPC)';
    case 'EDQUOT':
      return 'the disk quota is used up (EDQUOT)';
    case 'EFBIG':
      return 'the file would pass the size limit, see ulimit -f (EFBIG)';
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
      return `the folder is not writable (${code})`;
    case 'ENOENT':
      return 'its folder is not there (ENOENT)';
    case 'EEXIST':
      return syscall === 'mkdir' ? 'it is there and is no folder (EEXIST)' : message;
    case 'ENOTDIR':
      return 'a part of that path is a file (ENOTDIR)';
    case 'EMFILE':
    case 'ENFILE':
      return `too many files are open, raise the limit with ulimit -n (${code})`;
    default:
      return message ?? String(error);
  }
}

/**
 * Refuses, before any work, a name that cannot become a file: of a folder, a device, a pipe or a socket, or in a folder
 * that is not there. Throws ERR_VSSL_USAGE, and ERR_VSSL_INVALID_ARGUMENT for what is no name.
 */
export async function checkOutFile(path: unknown, name = 'out'): Promise<void> {
  if (typeof path !== 'string' || path === '') throw invalidArgument(name, 'a file name', path);
  const refuse = (why: string) =>
    new VsslError('ERR_VSSL_USAGE', `expected a file to write for ${name}, but ${why}`, {
      details: { path },
    });
  const what = await whatIsThere(path);
  if (what !== null && what !== 'a file') throw refuse(`${path} is ${what}`);
  const folder = dirname(resolve(path));
  const parent = await whatIsThere(folder);
  if (parent === null) throw refuse(`there is no folder ${folder}`);
  if (parent !== 'a folder') throw refuse(`${folder} is ${parent}, not a folder`);
}

/** What a path leads to, in words; null: nothing. */
async function whatIsThere(path: string): Promise<string | null> {
  const found = await stat(path).catch(() => null);
  if (!found) return null;
  if (found.isFile()) return 'a file';
  if (found.isDirectory()) return 'a folder';
  if (found.isFIFO()) return 'a pipe';
  return found.isSocket() ? 'a socket' : 'a device';
}

/** One write call takes at most 2^31 - 1 bytes and may take fewer: goes on until all are written. `at`: else at the end. */
async function writeAll(file: Pick<FileHandle, 'write'>, chunk: Uint8Array, at?: number): Promise<void> {
  const most = 1 << 26;
  for (let done = 0; done < chunk.byteLength; ) {
    const place = at === undefined ? null : at + done;
    const { bytesWritten } = await file.write(chunk, done, Math.min(most, chunk.byteLength - done), place);
    if (bytesWritten === 0) throw Object.assign(new Error('the file system took no bytes'), { code: 'EIO' });
    done += bytesWritten;
  }
}

/** Without this the rename itself may be lost in a power cut. Windows cannot open folders: there it is left out. */
async function syncFolder(folder: string, operations: WriteOperations): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await operations.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
