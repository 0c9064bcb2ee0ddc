/** Kernels over the leading axis of a clip (frames, pixels): DCT, motion, frame difference. */
import { isUint8Array } from '../../checks.js';
import { dct, dctMotion, frameDifference } from '../../kernels/index.js';
import type { KernelReference } from '../../native/bindings.js';
import { loadKernels } from '../../native/load.js';
import type { KernelCase, KernelWorkload, LimitKind, Parameters, PeerSpec } from '../case.js';
import { finiteDifferenceError } from '../finite-differences.js';
import { uniformBytes, uniformFloats } from '../random.js';
import { distance, norm } from '../vectors.js';

type ClipParameters = {
  readonly frames: number;
  /** Eight clips of 3 x 112 x 112. */
  readonly pixels: number;
  readonly input: 'float32' | 'uint8';
};

/** A linear map of a clip, as the public API offers it and as the twin does. */
interface ClipKernel {
  readonly kernel: string;
  readonly module: string;
  readonly rowsOut: (frames: number) => number;
  readonly call: (
    clip: Float32Array | Uint8Array,
    frames: number,
    out: Float32Array,
    threads: number,
  ) => void;
  readonly twin: (
    reference: KernelReference,
    out: Float64Array,
    clip: Float64Array,
    frames: number,
    pixels: number,
  ) => void;
  /** The transpose, applied to what the kernel has given: with it the kernel's gradient is made. */
  readonly transpose: (values: Float32Array, frames: number, pixels: number, threads: number) => Float32Array;
}

const PIXELS = 8 * 3 * 112 * 112;
const SEED = 23;
const SAMPLED_PIXELS = 16384; // the twin computes each cosine anew

const dctKernel: ClipKernel = {
  kernel: 'dct',
  module: 'dct',
  rowsOut: (frames) => frames,
  call: (clip, frames, out, threads) => void dct(clip, { frames, out, threads }),
  twin: (reference, out, clip, frames, pixels) => reference.dct(out, clip, frames, pixels, frames, false),
  transpose: (values, frames, _pixels, threads) => dct(values, { frames, inverse: true, threads }),
};

const motionKernel: ClipKernel = {
  kernel: 'dctMotion',
  module: 'dct_motion',
  rowsOut: (frames) => frames,
  call: (clip, frames, out, threads) => void dctMotion(clip, { frames, out, threads }),
  twin: (reference, out, clip, frames, pixels) => reference.dctMotion(out, clip, frames, pixels, 1, 'signal'),
  transpose: (values, frames, _pixels, threads) => dctMotion(values, { frames, threads }),
};

const differenceKernel: ClipKernel = {
  kernel: 'frameDifference',
  module: 'frame_difference',
  rowsOut: (frames) => frames - 1,
  call: (clip, frames, out, threads) => void frameDifference(clip, { frames, out, threads }),
  twin: (reference, out, clip, frames, pixels) => reference.frameDifference(out, clip, frames, pixels),
  transpose: (values, frames, pixels) => {
    const back = new Float32Array(frames * pixels);
    for (let i = 0; i < values.length; i++) {
      back[i]! -= values[i]!;
      back[i + pixels]! += values[i]!;
    }
    return back;
  },
};

const dctPeers = ['scipy', 'torch matmul', 'OpenCV'];
const motionPeers = ['torch mean', 'torch matmul', 'scipy'];
const differencePeers = ['numpy', 'torch', 'OpenCV'];

export const clipCases: readonly KernelCase[] = [
  ...[8, 16, 32, 64].map((frames) => clipCase(dctKernel, { frames, input: 'float32' }, dctPeers)),
  clipCase(dctKernel, { frames: 16, input: 'uint8' }, dctPeers),
  clipCase(motionKernel, { frames: 16, input: 'float32' }, motionPeers),
  clipCase(motionKernel, { frames: 16, input: 'uint8' }, motionPeers),
  clipCase(differenceKernel, { frames: 16, input: 'float32' }, differencePeers),
  clipCase(differenceKernel, { frames: 16, input: 'uint8' }, differencePeers),
];

function clipCase(
  kernel: ClipKernel,
  options: Omit<ClipParameters, 'pixels'>,
  peerNames: readonly string[],
): KernelCase {
  const parameters: ClipParameters = { ...options, pixels: PIXELS };
  const { frames, pixels, input } = parameters;
  const limit: LimitKind = input === 'uint8' ? 'widening copy' : 'copy';
  return {
    name: `${kernel.kernel} ${input} ${frames}x${pixels}`,
    kernel: kernel.kernel,
    parameters,
    small: { ...parameters, pixels: 149 },
    prepare: (chosen: Parameters) => prepare(kernel, chosen as unknown as ClipParameters),
    flops: 0,
    bytes: pixels * (frames * (input === 'uint8' ? 1 : 4) + 4 * kernel.rowsOut(frames)),
    limit,
    verified: `${SAMPLED_PIXELS} pixels, the first and the last among them`,
    peers: peerNames.map((name): PeerSpec => ({ module: kernel.module, name, tolerance: 1e-5 })),
  };
}

function prepare(kernel: ClipKernel, { frames, pixels, input }: ClipParameters): KernelWorkload {
  const make = input === 'uint8' ? uniformBytes : uniformFloats;
  const clip = make(frames * pixels, SEED);
  const out = new Float32Array(kernel.rowsOut(frames) * pixels);
  const copied = new Float32Array(out.length);
  const run = (threads: number) => kernel.call(clip, frames, out, threads);
  const { reference } = loadKernels();
  const exactly = (values: Float64Array, columns: number) => {
    const exact = new Float64Array(kernel.rowsOut(frames) * columns);
    kernel.twin(reference, exact, values, frames, columns);
    return exact;
  };
  return {
    inputs: { clip: { data: clip, shape: [frames, pixels] } },
    run,
    outputs: () => ({ out }),
    verify: async (threads) => {
      out.fill(Number.NaN);
      run(threads);
      const columns = sampled(pixels);
      const exact = exactly(gather(clip, columns, pixels), columns.length);
      const error = distance(gather(out, columns, pixels), exact);
      return [{ what: 'values', error, tolerance: 1e-6 * norm(exact) }];
    },
    checkGradient: async (threads) => {
      // Of f(x) = |K x - y|^2 / 2, whose gradient is K' (K x - y), at y = 0.5 everywhere.
      run(threads);
      const gradient = kernel.transpose(
        out.map((value) => value - 0.5),
        frames,
        pixels,
        threads,
      );
      const f = (x: Float64Array) =>
        exactly(x, pixels).reduce((sum, value) => sum + (value - 0.5) ** 2 / 2, 0);
      const error = finiteDifferenceError(f, new Float64Array(clip), gradient, { step: 1e-2 });
      return [{ what: 'gradient by finite differences', error, tolerance: 1e-6 * norm(gradient) }];
    },
    limitSeconds: (limits, threads) => {
      const moved = copied.length;
      return isUint8Array(clip)
        ? limits.widenSeconds(copied, clip.subarray(0, moved), threads)
        : limits.copySeconds(copied, clip.subarray(0, moved), threads);
    },
  };
}

/** Pixels that the twin looks at: all of a small clip, else spread evenly, with both ends. */
function sampled(pixels: number): Int32Array {
  const count = Math.min(pixels, SAMPLED_PIXELS);
  return Int32Array.from({ length: count }, (_, i) =>
    Math.floor((i * (pixels - 1)) / Math.max(1, count - 1)),
  );
}

function gather(values: ArrayLike<number>, columns: Int32Array, pixels: number): Float64Array {
  const rows = values.length / pixels;
  const chosen = new Float64Array(rows * columns.length);
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < columns.length; i++)
      chosen[row * columns.length + i] = values[row * pixels + columns[i]!]!;
  return chosen;
}
