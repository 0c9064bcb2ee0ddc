/** What a network and its peer in another library both read. */
import type { NamedTensor, NativeBatch } from '../../native/bindings.js';
import type { BenchInput } from '../case.js';

/** Weights by the names that peers use: `PREFIX.layer1.0.conv1.0.weight`. Counters are left out. */
export function weightInputs(
  prefix: string,
  tensors: readonly NamedTensor[],
): Readonly<Record<string, BenchInput>> {
  const floats = tensors.filter(({ dtype }) => dtype === 'F32');
  return Object.fromEntries(
    floats.map(({ name, shape, data }): [string, BenchInput] => [
      `${prefix}.${name}`,
      { data: new Float32Array(data.slice().buffer), shape },
    ]),
  );
}

/** The clips of a view, (N, T, H, W, 3). */
export function clipInput(batch: NativeBatch, name: string): BenchInput {
  const view = batch.views().find((one) => one.name === name)!;
  return { data: batch.toFloat32(name), shape: view.shape };
}

/** (N, T, H, W, C) as (N, C, T, H, W). */
export function channelsFirst({ data, shape }: BenchInput): Float32Array {
  const [clips, frames, height, width, channels] = shape as [number, number, number, number, number];
  const pixels = frames * height * width;
  const out = new Float32Array(data.length);
  for (let n = 0; n < clips; n++)
    for (let c = 0; c < channels; c++) {
      const to = (n * channels + c) * pixels;
      const from = n * pixels * channels + c;
      for (let i = 0; i < pixels; i++) out[to + i] = data[from + i * channels]!;
    }
  return out;
}
