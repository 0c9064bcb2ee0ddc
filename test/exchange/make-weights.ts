/** Weights that are a function of their names, and encoder files of them. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Model, networkOf, tensorsOf } from '#src/exchange/networks.js';
import type { NamedTensor } from '#src/native/bindings.js';
import { type EncoderDescription, writeEncoderFile } from '#src/weights/encoder-file.js';
import { tinyDescription } from '../embed/make-videos.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

/** A file of test/fixtures/exchange. */
export function fixture(name: string): Buffer {
  return readFileSync(join(root, 'test/fixtures/exchange', name));
}

/** Numbers in [-1, 1), each a function of its index and the stream: that of test/fixtures/r3d/make_fixture.py. */
export function counter(count: number, stream: number): Float64Array {
  const begin = Number((BigInt(stream) * 0x9e3779b9n) & 0xffffffffn);
  const out = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    let x = (i + begin) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d) >>> 0;
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b) >>> 0;
    x = (x ^ (x >>> 16)) >>> 0;
    out[i] = (x >>> 8) / 2 ** 23 - 1;
  }
  return out;
}

/** Those of test/fixtures/exchange/make_fixture.py: streams are numbered by the sorted names. */
export function formulaWeights(model: Model): NamedTensor[] {
  const forms = [...tensorsOf(networkOf(model))].sort(([a], [b]) => (a < b ? -1 : 1));
  const floats = forms.filter(([, { dtype }]) => dtype === 'F32').map(([name]) => name);
  return forms.map(([name, { dtype, shape }]) => {
    if (dtype !== 'F32') return { name, dtype, shape, data: new Uint8Array(8) };
    const count = shape.reduce((product, side) => product * side, 1);
    const scale = Math.sqrt(6 / (count / shape[0]!));
    const part = name.split('.').at(-1)!;
    const [centre, factor] =
      shape.length > 1
        ? [0, scale]
        : ({ weight: [1, 0.25], bias: [0, 0.25], running_mean: [0, 0.5], running_var: [1, 0.5] }[part] as [
            number,
            number,
          ]);
    const values = Float32Array.from(counter(count, floats.indexOf(name) + 1), (u) => centre + factor * u);
    return { name, dtype, shape, data: new Uint8Array(values.buffer) };
  });
}

/** An encoder file of them. */
export async function writeFormulaWeights(
  path: string,
  model: Model,
  changes: Partial<EncoderDescription> = {},
): Promise<void> {
  await writeEncoderFile(path, { ...tinyDescription, ...changes, model }, formulaWeights(model));
}

/** Names of tensors that one has and the other has not, or not so; quick for large ones. */
export function differing(a: readonly NamedTensor[], b: readonly NamedTensor[]): string[] {
  const other = new Map(b.map((tensor) => [tensor.name, tensor]));
  const odd = a.filter(({ name, dtype, shape, data }) => {
    const own = other.get(name);
    other.delete(name);
    return (
      own?.dtype !== dtype || String(own.shape) !== String(shape) || Buffer.compare(own.data, data) !== 0
    );
  });
  return [...odd.map(({ name }) => name), ...other.keys()];
}

/** The largest difference, beside the largest of what is expected (at least 1). */
export function distance(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  const all = Array.from(expected);
  const largest = all.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  if (got.length !== all.length) return Number.POSITIVE_INFINITY;
  return all.reduce((most, value, i) => Math.max(most, Math.abs(value - got[i]!)), 0) / largest;
}
