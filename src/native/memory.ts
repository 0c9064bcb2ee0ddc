import { memoryLimit } from '../checks.js';
import { VsslError } from '../errors.js';

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
