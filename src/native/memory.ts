import { totalmem } from 'node:os';
import { VsslError } from '../errors.js';

/** Bytes that this process can have at most: physical memory, or less where its control group is limited. */
export function memoryLimit(): number {
  const group = process.constrainedMemory?.() ?? 0;
  return group > 0 ? Math.min(totalmem(), group) : totalmem();
}

/**
 * Throws ERR_VSSL_OUT_OF_MEMORY when `bytes` are more than there can be; `what` begins the sentence. The same rule as
 * in the native code (native/common/memory.h): what fits is never refused.
 */
export function checkMemory(bytes: number, what: string): void {
  const limit = memoryLimit();
  if (bytes <= limit) return;
  throw new VsslError(
    'ERR_VSSL_OUT_OF_MEMORY',
    `${what} needs ${bytes} bytes, more than the ${limit} that this process can have`,
    { details: { bytes, limit } },
  );
}
