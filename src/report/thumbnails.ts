/** Small moving pictures of clips: some frames side by side in one JPEG, which a page shows one after another. */
import { plainAugment } from '../data/augment/draw-augment.js';
import { type ClipPlan, type ClipSource, PLAN_VERSION } from '../data/plan.js';
import type { EngineAddon, NativeLoader } from '../native/bindings.js';

export interface Thumbnail {
  /** Of one frame, in pixels. */
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  readonly jpeg: Uint8Array;
}

export interface ThumbnailOptions {
  /** Height of a frame. Default 96. */
  readonly height?: number;
  /** Default 8. */
  readonly frames?: number;
  /** 1 (best) to 31. Default 6. */
  readonly quality?: number;
}

/** What of a video is shown: seconds from `start` to `end`; width and height as displayed. */
export interface Shown {
  readonly source: ClipSource;
  readonly start: number;
  readonly end: number;
  readonly width: number;
  readonly height: number;
}

/** null, and why, where the clip cannot be decoded. */
export type ThumbnailOrReason = { readonly thumbnail: Thumbnail } | { readonly reason: string };

export async function makeThumbnail(
  engine: Pick<EngineAddon, 'encodeJpeg'>,
  loader: Pick<NativeLoader, 'load'>,
  shown: Shown,
  { height = 96, frames = 8, quality = 6 }: ThumbnailOptions = {},
): Promise<ThumbnailOrReason> {
  // narrow and wide ones take no more room than a page has
  const width = Math.max(16, Math.min(4 * height, Math.round((height * shown.width) / shown.height)));
  const length = shown.end - shown.start;
  const clip: ClipPlan = {
    source: shown.source,
    modality: 'rgb',
    times: Array.from({ length: frames }, (_, i) => shown.start + ((i + 0.5) * length) / frames),
    height,
    width,
    shrink: Math.max(1, Math.floor(Math.min(shown.height / height, shown.width / width) / 2)),
    augment: [plainAugment([0, 0, 1, 1])],
    input: 'rgb',
    mean: [0, 0, 0],
    std: [1, 1, 1],
  };
  return await showClip(engine, loader, clip, quality);
}

/** Every frame of a clip whose values go from 0 to 1, or as `toUnit` brings them there. */
export async function showClip(
  engine: Pick<EngineAddon, 'encodeJpeg'>,
  loader: Pick<NativeLoader, 'load'>,
  clip: ClipPlan,
  quality: number,
  toUnit: (value: number) => number = (value) => value,
): Promise<ThumbnailOrReason> {
  const { height, width, times } = clip;
  const frames = times.length;
  const plan = { version: PLAN_VERSION, views: [{ name: 'frames', clips: [clip] }] };
  const { batch, failures } = await loader.load(plan);
  try {
    if (failures[0]) return { reason: failures[0].reason };
    const floats = batch.toFloat32('frames').map(toUnit);
    const jpeg = await engine.encodeJpeg(
      sideBySide(floats, frames, height, width),
      height,
      frames * width,
      quality,
    );
    return { thumbnail: { width, height, frames, jpeg } };
  } finally {
    batch.dispose();
  }
}

/** (T, H, W, 3) floats from 0 to 1 as bytes (H, T W, 3). */
function sideBySide(floats: Float32Array, frames: number, height: number, width: number): Uint8Array {
  const rgb = new Uint8Array(floats.length);
  const row = 3 * width;
  for (let t = 0; t < frames; t++)
    for (let y = 0; y < height; y++) {
      const from = (t * height + y) * row;
      const to = (y * frames + t) * row;
      for (let i = 0; i < row; i++)
        rgb[to + i] = Math.min(255, Math.max(0, Math.round(255 * floats[from + i]!)));
    }
  return rgb;
}
