import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { fsPath } from '../data/file-names.js';
import type { ClipSource } from '../data/plan.js';

/** Bytes that are read of a file at its beginning, in its middle and at its end. */
const BLOCK = 1 << 16;

/**
 * What a file holds, in short: its size, and a digest of three blocks of it. Two videos with the same are one video: a
 * file that was moved, or copied, is known by it, and so is one that was packed into a tar file. null: the source is no one
 * file, or cannot be read.
 */
export async function fingerprint(source: ClipSource): Promise<string | null> {
  if (source.kind !== 'file' && source.kind !== 'member') return null;
  const file = await open(fsPath(source.path), 'r').catch(() => null);
  if (!file) return null;
  try {
    const whole = { offset: 0, size: (await file.stat()).size };
    const { offset, size } = source.kind === 'member' ? source : whole;
    const hash = createHash('sha256');
    const block = Buffer.alloc(BLOCK);
    for (const from of new Set([0, Math.floor(size / 2), Math.max(0, size - BLOCK)])) {
      const { bytesRead } = await file.read(block, 0, Math.min(BLOCK, size - from), offset + from);
      hash.update(block.subarray(0, bytesRead));
    }
    return `${size}:${hash.digest('hex').slice(0, 32)}`;
  } catch {
    return null;
  } finally {
    await file.close();
  }
}
