import { configError } from '../errors.js';

/** What is to be known of an architecture before the engine is asked for it. */
export interface Architecture {
  /** Of the model's settings, beside arch and width. */
  readonly keys: readonly string[];
  /** Smallest clip that it takes, in frames and in pixels of a side. */
  readonly leastClip: { readonly frames: number; readonly size: number };
  /** Least and largest factor on channel counts. */
  readonly width: readonly [number, number];
}

const residual = { keys: [], leastClip: { frames: 1, size: 1 }, width: [1 / 64, 8] } as const;
const basic = { ...residual, keys: ['timeStrides'] } as const;

/** The engine's architectures: what its own `architectures()` tells. */
export const ARCHITECTURES = {
  r3d_10: basic,
  r3d_18: basic,
  r3d_34: basic,
  r3d_50: residual,
  mc3_18: residual,
  r2plus1d_18: basic,
  // pooled three times in time and four times in space
  c3d: { ...residual, keys: ['batchNorm'], leastClip: { frames: 8, size: 16 } },
} as const satisfies Readonly<Record<string, Architecture>>;

export type ArchitectureName = keyof typeof ARCHITECTURES;

export const ARCHITECTURE_NAMES = Object.keys(ARCHITECTURES) as [ArchitectureName, ...ArchitectureName[]];

/** Factors on channel counts that every architecture takes. */
export const [LEAST_WIDTH, LARGEST_WIDTH] = residual.width;

/** Strides in time of the four layers of basic blocks. */
export const TIME_STRIDES = [1, 2, 2, 2] as const;

/** Steps in time of the feature map that an architecture makes of so many frames. */
export function timeSteps(
  {
    arch,
    timeStrides = TIME_STRIDES,
  }: { readonly arch: ArchitectureName; readonly timeStrides?: readonly number[] | undefined },
  frames: number,
): number {
  if (arch === 'mc3_18') return frames;
  if (arch === 'c3d') return Math.floor(frames / 8);
  const strides = arch === 'r3d_50' ? [2] : timeStrides;
  return strides.reduce((steps, stride) => Math.ceil(steps / stride), frames);
}

/** The architectures that have this setting beside arch and width. */
export function architecturesWith(key: string): readonly ArchitectureName[] {
  return ARCHITECTURE_NAMES.filter((name) => (ARCHITECTURES[name] as Architecture).keys.includes(key));
}

/**
 * Throws ERR_VSSL_CONFIG for clips that an architecture cannot take: `key` is what sets their frames, `remark` ends the
 * message where it takes more to say where the number comes from.
 */
export function checkLeastClip(
  arch: ArchitectureName,
  { frames, size }: { readonly frames: number; readonly size: number },
  key: string,
  remark = '',
): void {
  const least = ARCHITECTURES[arch].leastClip;
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
