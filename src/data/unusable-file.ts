import { VsslError } from '../errors.js';

/** Under data.onError fail. `where`: seconds into the file; -1 when it does not apply. */
export function unusableFile(path: string, code: string, reason: string, where: number): VsslError {
  return new VsslError(
    'ERR_VSSL_DATA',
    `${path} cannot be used: ${reason} (${code}). Repair or remove it, or set data.onError to skip`,
    { details: { path, code, where } },
  );
}
