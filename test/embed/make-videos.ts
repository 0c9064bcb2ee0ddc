/** Small real video files and weights for the tests of this folder and of test/eval. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadEngine } from '#src/native/load.js';
import { type EncoderDescription, writeEncoderFile } from '#src/weights/encoder-file.js';

/** Frames (T, H, W, 3): a bright square on a dark ground, at a place that depends on time. */
export function squareFrames(
  frames: number,
  height: number,
  width: number,
  place: (t: number) => readonly [y: number, x: number],
  color: readonly [number, number, number] = [230, 200, 160],
): Uint8Array {
  const out = new Uint8Array(frames * height * width * 3).fill(40);
  const side = Math.floor(Math.min(height, width) / 4);
  for (let t = 0; t < frames; t++) {
    const [top, left] = place(t);
    for (let y = Math.max(0, top); y < Math.min(height, top + side); y++)
      for (let x = Math.max(0, left); x < Math.min(width, left + side); x++)
        out.set(color, ((t * height + y) * width + x) * 3);
  }
  return out;
}

/** Writes an MPEG-4 file of a moving square. */
export async function writeSquareVideo(
  path: string,
  place: (t: number) => readonly [number, number],
  options: {
    readonly frames?: number;
    readonly height?: number;
    readonly width?: number;
    readonly color?: readonly [number, number, number];
  } = {},
): Promise<void> {
  const { frames = 20, height = 48, width = 64, color } = options;
  const pixels = squareFrames(frames, height, width, place, color);
  await loadEngine().writeVideo(path, pixels, [frames, height, width], { fps: 25 });
}

/** Geometry small enough for a test on any machine. */
export const tiny = { frames: 4, stride: 2, size: 32, fps: null } as const;

export const tinyDescription: EncoderDescription = {
  method: 'none',
  encoder: 'encoder',
  model: { arch: 'r3d_10', width: 0.125 },
  clip: tiny,
  input: 'rgb',
  mean: [0, 0, 0],
  std: [1, 1, 1],
  shrink: 'auto',
  step: 7,
};

/** A weights file of an untrained encoder. */
export async function writeTinyWeights(
  path: string,
  changes: Partial<EncoderDescription> = {},
): Promise<void> {
  const description = { ...tinyDescription, ...changes };
  const encoder = await loadEngine().createEncoder({ ...description.model, seed: 3, device: 'cpu' });
  try {
    await writeEncoderFile(path, description, await encoder.weights());
  } finally {
    encoder.dispose();
  }
}

/** A folder of its own, and how to remove it. */
export function scratch(): { folder: string; file: (name: string) => string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'vssl-test-'));
  return {
    folder,
    file: (name) => join(folder, name),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
