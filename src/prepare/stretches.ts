/** The pictures of a copy, or their flow, a stretch at a time: what bounds the memory that a video takes, however long it is. */
import { throwIfAborted } from '../checks.js';
import { floatToHalf } from '../data/half.js';
import { type ClipPlan, PLAN_VERSION } from '../data/plan.js';
import { clipFailure } from '../embed/clip-failure.js';
import type { NativeLoader, NativeVideoWriter } from '../native/bindings.js';
import type { PlacedBytes } from '../weights/atomic-write.js';

/** Pictures of a stretch, at most. */
export const STRETCH = 32;

export function stretchesOf(times: readonly number[]): number[][] {
  const parts: number[][] = [];
  for (let i = 0; i < times.length; i += STRETCH) parts.push(times.slice(i, i + STRETCH));
  return parts;
}

/** Each plan's floats as bytes, one after another. Throws the failure of a stretch that cannot be made, and the signal's reason. */
export async function* readStretches(
  loader: NativeLoader,
  plans: Iterable<ClipPlan>,
  encode: (floats: Float32Array) => Uint8Array,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for (const plan of plans) {
    throwIfAborted(signal);
    const views = [{ name: 'stretch', clips: [plan] }];
    const { batch, failures } = await loader.load({ version: PLAN_VERSION, views });
    try {
      if (failures[0]) throw clipFailure(failures[0]);
      yield encode(batch.toFloat32('stretch'));
    } finally {
      batch.dispose();
    }
  }
}

/**
 * The parts of a video file of raw pictures. How small they become is known when the first stretch is encoded:
 * `onFirst(ratio)` is told bytes of the file for each of the pictures, before any part is given.
 */
export async function* encodeStretches(
  openWriter: () => NativeVideoWriter,
  pictures: AsyncIterable<Uint8Array>,
  onFirst: (ratio: number) => Promise<void>,
): AsyncGenerator<PlacedBytes> {
  const writer = openWriter();
  let isFirst = true;
  try {
    for await (const stretch of pictures) {
      const parts = await writer.add(stretch);
      if (isFirst)
        await onFirst(parts.reduce((sum, { bytes }) => sum + bytes.length, 0) / stretch.byteLength);
      isFirst = false;
      yield* parts;
    }
    yield* await writer.finish();
  } finally {
    writer.dispose();
  }
}

/** Values in [0, 1] as bytes. */
export function toBytes(floats: Float32Array): Uint8Array {
  return Uint8Array.from(floats, (x) => Math.round(x * 255));
}

/** u and v of (u, v, magnitude) as halves. */
export function toHalves(floats: Float32Array): Uint8Array {
  const halves = new Uint16Array((floats.length / 3) * 2);
  for (let i = 0, j = 0; i < floats.length; i += 3) {
    halves[j++] = floatToHalf(floats[i] as number);
    halves[j++] = floatToHalf(floats[i + 1] as number);
  }
  return new Uint8Array(halves.buffer);
}
