import type { EngineAddon, NativeBatch } from '../../native/bindings.js';
import { uniformBytes } from '../random.js';

const SEED = 11;
const ENLARGED = 8; // of both sides: smooth pictures
const PLAN_VERSION = 2;
const AS_IT_IS = {
  crop: [0, 0, 1, 1],
  flip: false,
  color: [],
  gray: false,
  blur: 0,
  blurRadius: 0,
  solarize: null,
};

/** A batch with a view `clip` of (clips, frames, size, size, 3), drawn from a seed. */
export async function drawClips(
  engine: EngineAddon,
  { clips, frames, size }: { readonly clips: number; readonly frames: number; readonly size: number },
): Promise<NativeBatch> {
  const loader = engine.createLoader({ threads: 1, cacheBytes: 0 });
  try {
    const side = Math.max(2, Math.ceil(size / ENLARGED));
    const plans = Array.from({ length: clips }, (_, i) => {
      const pictures = uniformBytes(frames * side * side * 3, SEED + i);
      const id = loader.addMemoryClip(pictures, frames, side, side);
      return {
        source: { kind: 'memory', id, fps: 1 },
        modality: 'rgb',
        times: Array.from({ length: frames }, (_, t) => t),
        ...{ height: size, width: size, shrink: 1, augment: [AS_IT_IS], input: 'rgb' },
        ...{ mean: [0.45, 0.45, 0.45], std: [0.225, 0.225, 0.225] },
      };
    });
    const { batch } = await loader.load({ version: PLAN_VERSION, views: [{ name: 'clip', clips: plans }] });
    return batch;
  } finally {
    loader.dispose();
  }
}
