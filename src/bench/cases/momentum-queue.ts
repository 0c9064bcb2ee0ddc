import { MomentumQueue, type Precision } from '../../kernels/index.js';
import { loadKernels } from '../../native/load.js';
import type { KernelCase, KernelWorkload, PeerSpec } from '../case.js';
import { finiteDifferenceError } from '../finite-differences.js';
import { memo } from '../memo.js';
import { normalizeRows, throughNormalize } from '../normalize.js';
import { uniformFloats } from '../random.js';
import { distance, toBf16 } from '../vectors.js';
import { secondsPerFlop, toleranceOf } from './matrix-loss.js';

type QueueParameters = {
  readonly rows: number;
  readonly capacity: number;
  readonly dim: number;
  readonly temperature: number;
  readonly decay: number;
  readonly decayOn: 'logit' | 'weight';
  readonly precision: Precision;
  /** That queries and keys are of, whose old keys are left out; 0: nothing is. */
  readonly videos: number;
};

const SEED = 11;
const FULL = { rows: 256, capacity: 65536, dim: 128, temperature: 0.07, decay: 0.999 } as const;
const SMALL = { rows: 35, capacity: 200, dim: 33 } as const;

const PLAIN = ['torch eager', 'torch eager logsumexp', 'torch flash attention', 'torch compile'];
const BF16 = ['torch autocast', 'torch bf16', 'torch flash attention bf16', 'torch compile autocast'];

export const momentumQueueCases: readonly KernelCase[] = [
  queueCase('fp32', 'logit', peers(1e-4, PLAIN)),
  queueCase('bf16', 'logit', peers(5e-2, [...PLAIN, ...BF16])),
  queueCase('fp32', 'weight', peers(1e-4, ['torch eager'])),
  queueCase('fp32', 'logit', [], 10_000),
  queueCase('bf16', 'logit', [], 10_000),
];

function peers(tolerance: number, names: readonly string[]): PeerSpec[] {
  return names.map((name) => ({ module: 'momentum_queue', name, tolerance }));
}

function queueCase(
  precision: Precision,
  decayOn: 'logit' | 'weight',
  peerSpecs: readonly PeerSpec[],
  videos = 0,
): KernelCase {
  const parameters: QueueParameters = { ...FULL, decayOn, precision, videos };
  const { rows, capacity, dim } = parameters;
  return {
    name:
      `infoNce ${precision} ${rows}x${dim}, queue of ${capacity}, decay on ${decayOn}` +
      (videos > 0 ? ', own keys left out' : ''),
    kernel: 'infoNce',
    parameters,
    small: { ...parameters, ...SMALL, ...(videos > 0 && { videos: 40 }) },
    prepare: (chosen) => prepare(chosen as unknown as QueueParameters),
    // Once for the similarities, once for the gradient.
    flops: 4 * rows * capacity * dim,
    bytes: 4 * (capacity * dim + 3 * rows * dim),
    limit: precision === 'bf16' ? 'bf16 multiply-adds' : 'fp32 multiply-adds',
    verified: 'loss and every gradient entry',
    peers: peerSpecs,
  };
}

function prepare(p: QueueParameters): KernelWorkload {
  const { rows, dim, capacity, temperature, precision, videos } = p;
  const queries = uniformFloats(rows * dim, SEED);
  const keys = uniformFloats(rows * dim, SEED + 1);
  const queue = filledQueue(p);
  const gradient = new Float32Array(rows * dim);
  const own = videos > 0 ? { ids: numbersOf(rows, videos, 0) } : {};
  const options = { rows, temperature, precision, gradient, ...own };
  let loss = Number.NaN;
  const run = (threads: number) => {
    loss = queue.infoNce(queries, keys, { ...options, threads }).loss;
  };
  const call = (threads: number) => {
    gradient.fill(Number.NaN);
    run(threads);
    return expectationOf(p, queries, keys, queue);
  };
  return {
    inputs: {
      queries: { data: queries, shape: [rows, dim] },
      keys: { data: keys, shape: [rows, dim] },
      queue: { data: queue.keys(), shape: [capacity, dim] },
      ages: { data: queue.ages, shape: [capacity] },
    },
    run,
    outputs: () => ({ loss: Float32Array.of(loss), gradient }),
    verify: async (threads) => {
      const { exact, tolerance } = call(threads);
      return [
        { what: 'loss', error: Math.abs(loss - exact.loss), tolerance: tolerance.loss },
        { what: 'gradient', error: distance(gradient, exact.gradient), tolerance: tolerance.gradient },
      ];
    },
    checkGradient: async (threads) => {
      const { lossOf, tolerance } = call(threads);
      const error = finiteDifferenceError(lossOf, new Float64Array(queries), gradient);
      return [{ what: 'gradient by finite differences', error, tolerance: tolerance.gradient }];
    },
    limitSeconds: (limits, threads) => 4 * rows * capacity * dim * secondsPerFlop(limits, precision, threads),
  };
}

/** As training fills it: a batch after the other, the oldest first. */
function filledQueue({ rows, capacity, dim, decay, decayOn, videos }: QueueParameters): MomentumQueue {
  const queue = new MomentumQueue({ capacity, dim, decay, decayOn, init: 'empty', ids: videos > 0 });
  for (let done = 0; done < capacity + rows; done += rows)
    queue.enqueue(
      uniformFloats(rows * dim, SEED + 2 + done),
      rows,
      videos > 0 ? numbersOf(rows, videos, done) : undefined,
    );
  return queue;
}

/** Videos in turn, as an epoch has them. */
function numbersOf(rows: number, videos: number, done: number): Float64Array {
  return Float64Array.from({ length: rows }, (_, i) => (done + i) % videos);
}

interface Exact {
  readonly loss: number;
  readonly gradient: Float64Array;
}

interface Expectation {
  readonly exact: Exact;
  /** The exact loss as a function of the queries. */
  readonly lossOf: (queries: Float64Array) => number;
  readonly tolerance: { readonly loss: number; readonly gradient: number };
}

const twins = memo<Exact>(2);

/** The twin's answer and how far ours may be from it, as for ntXent. */
function expectationOf(
  p: QueueParameters,
  queries: Float32Array,
  keys: Float32Array,
  queue: MomentumQueue,
): Expectation {
  const { rows, capacity, dim, decay, decayOn, temperature, videos } = p;
  const ids = videos > 0 ? numbersOf(rows, videos, 0) : null;
  const queueIds = queue.ids ?? null;
  const wide = [queries, keys, queue.keys(), queue.ages].map((array) => new Float64Array(array));
  const [x, positives, ring, ages] = wide as [Float64Array, Float64Array, Float64Array, Float64Array];
  const { infoNce } = loadKernels().reference;
  const twin = (
    q: Float64Array,
    k: Float64Array,
    queued: Float64Array,
    gradient: Float64Array | null,
    normalize: boolean,
  ) =>
    infoNce(q, k, gradient, rows, dim, queued, ages, decay, decayOn, temperature, normalize, ids, queueIds);
  const exact = twins([rows, capacity, dim, temperature, decay, decayOn, videos], () => {
    const gradient = new Float64Array(rows * dim);
    return { loss: twin(x, positives, ring, gradient, true), gradient };
  });
  const tolerance = toleranceOf(exact, x, dim, temperature);
  if (p.precision === 'bf16') {
    const { z, norms } = normalizeRows(x, dim);
    const unit = normalizeRows(positives, dim).z;
    const gradient = new Float64Array(rows * dim);
    const loss = twin(z.map(toBf16), unit.map(toBf16), ring.map(toBf16), gradient, false);
    throughNormalize(gradient, dim, (row) => ({ z, from: row * dim, norm: norms[row]! }));
    tolerance.loss += 2 * Math.abs(loss - exact.loss);
    tolerance.gradient += 2 * distance(gradient, exact.gradient);
  }
  return { exact, lossOf: (q) => twin(q, positives, ring, null, true), tolerance };
}
