import { configError } from '../errors.js';
import type { ARCHITECTURES } from './schema.js';

type Architecture = (typeof ARCHITECTURES)[number];

/** Smallest clips of the architectures that do not take every clip: c3d halves time three times, pictures four times. */
const LEAST_CLIPS: Partial<Record<Architecture, { readonly frames: number; readonly size: number }>> = {
  c3d: { frames: 8, size: 16 },
};

/**
 * Throws ERR_VSSL_CONFIG for clips that an architecture cannot take: `key` is what sets their frames, `remark` ends the
 * message where it takes more to say where the number comes from.
 */
export function checkLeastClip(
  arch: Architecture,
  { frames, size }: { readonly frames: number; readonly size: number },
  key: string,
  remark = '',
): void {
  const least = LEAST_CLIPS[arch];
  if (least === undefined) return;
  if (frames < least.frames)
    throw configError(
      key,
      `${arch} needs clips of at least ${least.frames} frames but got ${frames}${remark}`,
    );
  if (size < least.size)
    throw configError(
      'data.clip.size',
      `${arch} needs pictures of at least ${least.size} x ${least.size} but got ${size} x ${size}`,
    );
}
