/** File operations of a disk with room for so many bytes. */
import { open, rename, rm } from 'node:fs/promises';
import type { WriteOperations } from '#src/weights/atomic-write.js';

/** `seen.most`: bytes of the largest piece that was written. */
export function smallDisk(room: number): { operations: WriteOperations; seen: { most: number } } {
  const seen = { most: 0 };
  let left = room;
  const operations = {
    open: async (path: string, flags: string) => {
      const handle = await open(path, flags);
      return {
        write: async (chunk: Uint8Array, offset: number, length: number, at: number | null) => {
          left -= length;
          seen.most = Math.max(seen.most, length);
          if (left < 0) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
          return handle.write(chunk, offset, length, at);
        },
        sync: () => handle.sync(),
        close: () => handle.close(),
      };
    },
    rename,
    remove: (path: string) => rm(path, { force: true }),
  } as unknown as WriteOperations;
  return { operations, seen };
}
