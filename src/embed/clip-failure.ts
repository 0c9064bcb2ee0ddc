import { isEnvironmentCode, VsslError, type VsslErrorCode } from '../errors.js';
import type { NativeClipFailure } from '../native/bindings.js';

/** What the loader says of a clip, as an error. */
export function clipFailure(failure: NativeClipFailure): VsslError {
  const { path, code, reason, where } = failure;
  const stable = code.startsWith('ERR_VSSL_') ? (code as VsslErrorCode) : 'ERR_VSSL_VIDEO_DECODE';
  return new VsslError(stable, reason.includes(path) ? reason : `${path}: ${reason}`, {
    details: { path, reason, ...(where >= 0 ? { where } : {}) },
  });
}

/** Throws what is no fault of the clips: none of them may be left out, or remembered as bad, for it. */
export function refuseEnvironment(failures: readonly NativeClipFailure[]): void {
  const found = failures.find(({ code }) => isEnvironmentCode(code));
  if (found) throw clipFailure(found);
}
