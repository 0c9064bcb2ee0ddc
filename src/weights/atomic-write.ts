import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Suffix of files that are still being written. One left behind by a killed process is never read. */
export const TEMPORARY_SUFFIX = '.tmp';

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
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array> | string,
  operations: WriteOperations = nodeOperations,
): Promise<void> {
  const folder = dirname(path);
  const temporary = join(
    folder,
    `${basename(path)}.${process.pid}-${randomBytes(4).toString('hex')}${TEMPORARY_SUFFIX}`,
  );
  try {
    const file = await operations.open(temporary, 'wx');
    try {
      for await (const chunk of typeof chunks === 'string' ? [Buffer.from(chunks)] : chunks)
        await writeAll(file, chunk);
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

/** One write call takes at most 2^31 - 1 bytes and may take fewer: goes on until all are written. */
async function writeAll(file: Pick<FileHandle, 'write'>, chunk: Uint8Array): Promise<void> {
  const most = 1 << 26;
  for (let done = 0; done < chunk.byteLength; ) {
    const { bytesWritten } = await file.write(chunk, done, Math.min(most, chunk.byteLength - done));
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
