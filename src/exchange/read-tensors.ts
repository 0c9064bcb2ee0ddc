/** Tensors of a file of whatever library: safetensors, or what torch.save writes. */
import { type FileHandle, open } from 'node:fs/promises';
import { environmentError, VsslError } from '../errors.js';
import type { NamedTensor } from '../native/bindings.js';
import { checkMemory } from '../native/memory.js';
import { isTorchFile, readSafetensors, readSafetensorsMetadata } from '../weights/safetensors.js';
import { readTorchFile } from './torch-file.js';

/** A file of torch is read whole, which is what Node reads at once. */
const MOST_BYTES = 2 ** 31 - 1;

/**
 * The tensors of a file of another library; null for a file of this package, whose metadata say what it is. Throws
 * ERR_VSSL_FILE when it cannot be opened, ERR_VSSL_SAFETENSORS as readSafetensors does, and ERR_VSSL_WEIGHTS for a file of
 * torch that cannot be read here, with the lines of Python that make another of it.
 */
export async function readForeignTensors(path: string): Promise<readonly NamedTensor[] | null> {
  const ofTorch = await readTorch(path);
  if (ofTorch) return ofTorch;
  const { format, format_version } = await readSafetensorsMetadata(path);
  return format?.startsWith('vssl-') || format_version !== undefined
    ? null
    : (await readSafetensors(path)).tensors;
}

/** Null when the file is none of torch. */
async function readTorch(path: string): Promise<NamedTensor[] | null> {
  const file = await open(path, 'r').catch((error) => {
    const code = (error as NodeJS.ErrnoException).code;
    const why = code === 'ENOENT' ? 'there is no such file' : `it cannot be opened (${code})`;
    throw (
      environmentError(path, error) ??
      new VsslError('ERR_VSSL_FILE', `${path}: ${why}`, { details: { path }, cause: error })
    );
  });
  try {
    const bytes = await readIfTorch(file, path);
    return bytes && readTorchFile(bytes);
  } catch (error) {
    if (error instanceof VsslError) throw error;
    throw unreadable(path, (error as Error).message, error);
  } finally {
    await file.close();
  }
}

/** All bytes; null when the file is none of torch. */
async function readIfTorch(file: FileHandle, path: string): Promise<Uint8Array | null> {
  const head = new Uint8Array(4);
  const stat = await file.stat();
  if (!stat.isFile()) return null;
  await file.read(head, 0, 4, 0);
  if (!isTorchFile(head)) return null;
  if (stat.size > MOST_BYTES)
    throw unreadable(path, `it has ${stat.size} bytes, more than can be read at once`);
  // as it is, and as tensors
  checkMemory(2 * stat.size, path);
  return await file.readFile();
}

function unreadable(path: string, why: string, cause?: unknown): VsslError {
  return new VsslError(
    'ERR_VSSL_WEIGHTS',
    `${path} is a file of torch.save, but ${why}. In Python, this makes one that can be read: ` +
      `import torch, safetensors.torch as s; s.save_file(torch.load(PATH, weights_only=True), 'weights.safetensors')`,
    { details: { path }, cause },
  );
}
