import type { ClipEmbedder } from '../embed/features.js';
import type { FeatureMatrix } from './feature-matrix.js';
import { type FloorName, floorDims, floorFeatures, floorNames } from './floors.js';

/** The pixel floors of each clip of a view (plain RGB in [0, 1]), one after the other in one vector. */
export function floorEmbedder(view: string): ClipEmbedder {
  return {
    async embed(batch) {
      const found = batch.views().find(({ name }) => name === view)!;
      const [clips, frames, height, width] = found.shape as [number, number, number, number];
      const pixels = batch.toFloat32(view);
      const size = frames * height * width * 3;
      const dims = floorDims(frames);
      const dim = floorNames.reduce((sum, name) => sum + dims[name], 0);
      const out = new Float32Array(clips * dim);
      for (let clip = 0; clip < clips; clip++) {
        const features = floorFeatures(
          pixels.subarray(clip * size, (clip + 1) * size),
          frames,
          height,
          width,
        );
        let at = clip * dim;
        for (const name of floorNames) {
          out.set(features[name], at);
          at += dims[name];
        }
      }
      return out;
    },
  };
}

/** The floors' own matrices out of what floorEmbedder gave. */
export function splitFloors(joined: FeatureMatrix, frames: number): Record<FloorName, FeatureMatrix> {
  const dims = floorDims(frames);
  const split: Partial<Record<FloorName, FeatureMatrix>> = {};
  let first = 0;
  for (const name of floorNames) {
    const dim = dims[name];
    const data = new Float32Array(joined.rows * dim);
    for (let row = 0; row < joined.rows; row++) {
      const at = row * joined.dim + first;
      data.set(joined.data.subarray(at, at + dim), row * dim);
    }
    split[name] = { data, rows: joined.rows, dim };
    first += dim;
  }
  return split as Record<FloorName, FeatureMatrix>;
}
