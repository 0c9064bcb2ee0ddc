import { ntXent, ntXentAsync, type Precision } from '../../kernels/index.js';
import { loadKernels } from '../../native/load.js';
import type { Check, KernelCase, KernelWorkload, PeerSpec } from '../case.js';
import { finiteDifferenceError } from '../finite-differences.js';
import { memo } from '../memo.js';
import { uniformFloats } from '../random.js';
import { distance, norm } from '../vectors.js';
import { secondsPerFlop, toleranceOf } from './matrix-loss.js';
import { type ExactNtXent, exactNtXent } from './nt-xent-exact.js';
import { drawHalfRows, exactNtXentOfPairs, type HalfRows, pairRows } from './nt-xent-pairs.js';

type NtXentParameters = {
  readonly rows: number;
  readonly dim: number;
  readonly temperature: number;
  readonly precision: Precision;
  readonly form: 'sync' | 'async';
  /** Left halves of rows that are pairs of halves (nt-xent-pairs.ts), an even number; 0: every row is drawn. */
  readonly lefts: number;
};

const SEED = 7;
const TEMPERATURE = 0.1;

const fp32Peers = peers(
  'torch eager',
  'torch compile',
  'pytorch-metric-learning NTXentLoss',
  'pytorch-metric-learning SupConLoss',
);
const bf16Peers = peers(
  'torch eager',
  'torch autocast',
  'torch bf16',
  'torch compile',
  'torch compile autocast',
);

export const ntXentCases: readonly KernelCase[] = [
  ...[256, 1024, 4096].flatMap((rows) => [
    ntXentCase({ rows, precision: 'fp32' }, fp32Peers),
    ntXentCase({ rows, precision: 'bf16' }, bf16Peers),
  ]),
  ntXentCase({ rows: 4096, precision: 'fp32', form: 'async' }, peers('torch eager')),
  // No peer: the similarity matrix alone would be 17 GB.
  ntXentCase({ rows: 65536, precision: 'fp32', form: 'async', lefts: 256 }, []),
  ntXentCase({ rows: 65536, precision: 'bf16', form: 'async', lefts: 256 }, []),
];

function ntXentCase(
  options: Pick<NtXentParameters, 'rows' | 'precision'> & Partial<NtXentParameters>,
  peerSpecs: readonly PeerSpec[],
): KernelCase {
  const parameters = { dim: 128, temperature: TEMPERATURE, form: 'sync', lefts: 0, ...options } as const;
  const { rows, dim, precision, form, lefts } = parameters;
  const bf16 = precision === 'bf16';
  return {
    name: `ntXent${form === 'async' ? 'Async' : ''} ${precision} ${rows}x${dim}`,
    kernel: 'ntXent',
    parameters,
    small: { ...parameters, rows: 66, dim: 33, lefts: lefts && 6 },
    prepare: (chosen) => prepare(chosen as unknown as NtXentParameters),
    // The symmetric scheme: once the upper half of S for the sums, once more for the weights, then the gradient.
    flops: 4 * rows * rows * dim,
    bytes: 2 * 4 * rows * dim,
    limit: bf16 ? 'bf16 multiply-adds' : 'fp32 multiply-adds',
    verified: `loss, every gradient entry and dL/dtau${lefts ? `; the rows are pairs of ${lefts} and ${rows / lefts} half rows` : ''}`,
    peers: bf16 ? peerSpecs.map((peer) => ({ ...peer, tolerance: 5e-2 })) : peerSpecs,
    ...(rows > 10000 ? { roundsAtMost: 3, measureMemory: true } : {}),
  };
}

function peers(...names: string[]): PeerSpec[] {
  return names.map((name) => ({ module: 'ntxent', name, tolerance: 1e-4 }));
}

function prepare(p: NtXentParameters): KernelWorkload {
  const { rows, dim, temperature, precision, form } = p;
  const embeddings = embeddingsOf(p);
  const gradient = new Float32Array(rows * dim);
  const options = { rows, dim, temperature, precision, gradient };
  const result = { loss: Number.NaN, gradTemperature: Number.NaN, gradient };
  const keep = (made: { loss: number; gradTemperature?: number }) => void Object.assign(result, made);
  const run = (threads: number) =>
    form === 'sync'
      ? keep(ntXent(embeddings, { ...options, threads }))
      : ntXentAsync(embeddings, { ...options, threads }).then(keep);
  const made = async (threads: number) => {
    gradient.fill(Number.NaN);
    await run(threads);
    return result;
  };
  return {
    inputs: { embeddings: { data: embeddings, shape: [rows, dim] } },
    run,
    outputs: () => ({ loss: Float32Array.of(result.loss), gradient }),
    verify: async (threads) => compareWithTwin(p, await made(threads)),
    checkGradient: async (threads) => compareWithDifferences(p, embeddings, await made(threads)),
    limitSeconds: (limits, threads) => 4 * rows * rows * dim * secondsPerFlop(limits, precision, threads),
  };
}

/** What the kernel gave. */
type Found = Omit<ExactNtXent, 'gradient'> & { readonly gradient: Float32Array };

function compareWithTwin(p: NtXentParameters, { loss, gradient, gradTemperature }: Found): Check[] {
  const { exact, tolerance } = expectationOf(p);
  const slope = Math.abs(gradTemperature - exact.gradTemperature);
  return [
    { what: 'loss', error: Math.abs(loss - exact.loss), tolerance: tolerance.loss },
    { what: 'gradient', error: distance(gradient, exact.gradient), tolerance: tolerance.gradient },
    { what: 'dL/dtau', error: slope, tolerance: tolerance.temperature },
  ];
}

function compareWithDifferences(
  p: NtXentParameters,
  embeddings: Float32Array,
  { gradient, gradTemperature }: Found,
): Check[] {
  const { rows, dim, temperature } = p;
  const { tolerance } = expectationOf(p);
  const { reference } = loadKernels();
  const lossOf = (x: Float64Array, tau: number) => reference.ntXent(x, null, rows, dim, tau, true).loss;
  const x = new Float64Array(embeddings);
  const tau = Float64Array.of(temperature);
  const byRow = finiteDifferenceError((values) => lossOf(values, temperature), x, gradient);
  const byTau = finiteDifferenceError((values) => lossOf(x, values[0]!), tau, [gradTemperature]);
  return [
    { what: 'gradient by finite differences', error: byRow, tolerance: tolerance.gradient },
    { what: 'dL/dtau by finite differences', error: byTau, tolerance: tolerance.temperature },
  ];
}

function embeddingsOf(p: NtXentParameters): Float32Array {
  return p.lefts ? pairRows(...halvesOf(p)) : uniformFloats(p.rows * p.dim, SEED);
}

function halvesOf({ rows, dim, lefts }: NtXentParameters): [left: HalfRows, right: HalfRows] {
  const half = dim >> 1;
  return [drawHalfRows(lefts, half, SEED), drawHalfRows(rows / lefts, dim - half, SEED + 1000)];
}

interface Expectation {
  readonly exact: ExactNtXent;
  readonly tolerance: { readonly loss: number; readonly gradient: number; readonly temperature: number };
}

/** What must come out, and how far it may be off; bf16: beside toleranceOf twice the error that rounding the operands makes. */
function expectationOf(p: NtXentParameters): Expectation {
  const { dim, temperature } = p;
  const exact = twinOf(p, false);
  const x = embeddingsOf(p);
  const tolerance = {
    ...toleranceOf(exact, x, dim, temperature),
    temperature: 1e-5 * Math.abs(exact.gradTemperature) + 4e-6 / temperature ** 2,
  };
  if (p.precision === 'bf16') {
    const plain = twinOf(p, true);
    tolerance.loss += 2 * Math.abs(plain.loss - exact.loss);
    tolerance.gradient += 2 * distance(plain.gradient, exact.gradient);
    // dL/dtau = -sum_i z_i . dL/dz_i / 2 tau: as far off as the gradient's tolerance lets this be
    tolerance.temperature += (norm(x) * tolerance.gradient) / (2 * temperature);
  }
  return { exact, tolerance };
}

const twins = memo<ExactNtXent>(4);

function twinOf(p: NtXentParameters, rounded: boolean): ExactNtXent {
  const { rows, dim, temperature, lefts } = p;
  return twins([rows, dim, temperature, lefts, rounded], () =>
    lefts
      ? exactNtXentOfPairs(...halvesOf(p), temperature, rounded)
      : exactNtXent(new Float64Array(embeddingsOf(p)), rows, dim, temperature, rounded),
  );
}
