import { emaUpdate } from '../../kernels/index.js';
import { loadKernels } from '../../native/load.js';
import type { KernelCase, KernelWorkload } from '../case.js';
import { finiteDifferenceError } from '../finite-differences.js';
import { uniformFloats } from '../random.js';
import { distance, norm } from '../vectors.js';

type EmaParameters = { readonly count: number; readonly momentum: number };

const SEED = 31;
// Parameters of R3D-18, about.
const FULL: EmaParameters = { count: 33_000_000, momentum: 0.99 };

export const emaUpdateCases: readonly KernelCase[] = [
  {
    name: 'emaUpdate 33 M floats',
    kernel: 'emaUpdate',
    parameters: FULL,
    small: { ...FULL, count: 1003 },
    prepare: (chosen) => prepare(chosen as unknown as EmaParameters),
    flops: 0,
    bytes: 12 * FULL.count,
    limit: 'triad',
    verified: 'every value',
    peers: ['torch lerp_', 'torch foreach lerp_', 'torch loop', 'numpy'].map((name) => ({
      module: 'ema_update',
      name,
      tolerance: 1e-6,
    })),
  },
];

function prepare({ count, momentum }: EmaParameters): KernelWorkload {
  const before = uniformFloats(count, SEED);
  const source = uniformFloats(count, SEED + 1);
  const target = before.slice();
  const written = new Float32Array(count);
  // The API takes all cores, whatever the others are given.
  const run = () => emaUpdate(target, source, momentum);
  const exactly = (values: Float64Array) => {
    const exact = new Float64Array(before);
    loadKernels().reference.emaUpdate(exact, values, momentum);
    return exact;
  };
  return {
    inputs: { target: { data: before, shape: [count] }, source: { data: source, shape: [count] } },
    run,
    outputs: () => ({ target }),
    verify: async () => {
      target.set(before);
      run();
      const exact = exactly(new Float64Array(source));
      return [{ what: 'values', error: distance(target, exact), tolerance: 1e-6 * norm(exact) }];
    },
    checkGradient: async () => {
      // Of f(source) = |target'|^2 / 2, whose gradient is (1 - m) target'.
      target.set(before);
      run();
      const gradient = target.map((value) => (1 - momentum) * value);
      const f = (values: Float64Array) => exactly(values).reduce((sum, value) => sum + value ** 2 / 2, 0);
      const error = finiteDifferenceError(f, new Float64Array(source), gradient, { step: 1e-2 });
      return [{ what: 'gradient by finite differences', error, tolerance: 1e-6 * norm(gradient) }];
    },
    // Which is faster depends on the memory: into a third array past the caches, or in place.
    limitSeconds: (limits, threads) =>
      Math.min(
        limits.triadSeconds(written, target, source, momentum, threads),
        limits.triadSeconds(written, written, source, momentum, threads),
      ),
  };
}
