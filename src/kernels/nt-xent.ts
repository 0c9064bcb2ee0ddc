import { checkBoolean, checkCount, checkOneOf, checkPositive, requireOptions } from '../checks.js';
import { coded, codedAsync, invalidArgument } from '../errors.js';
import type { Floats } from '../native/bindings.js';
import { loadKernels } from '../native/load.js';
import { checkFloats, checkThreads, gradientTarget, type Precision } from './arguments.js';

export interface NtXentOptions {
  /** Rows of the matrix, 2N: rows i and i + N are the two views of one instance. Even, at least 2. */
  readonly rows: number;
  /** Values per row, at least 1. */
  readonly dim: number;
  /** tau > 0. Default 0.1. */
  readonly temperature?: number;
  /** L2-normalise rows first (x / max(|x|, 1e-12)); the gradient goes through it. Default true. */
  readonly normalize?: boolean;
  /** 'bf16' allows bf16 products where the CPU has them. Default 'fp32'. */
  readonly precision?: Precision;
  /** true (default) allocates one, an array of rows * dim is written to, false computes the loss only. */
  readonly gradient?: boolean | Float32Array;
  /** Upper bound of threads; default: one per physical core. Does not change a bit of the result. */
  readonly threads?: number;
}

export interface NtXentResult {
  /** Mean over the rows. */
  readonly loss: number;
  /** dL / d embeddings, rows x dim; absent with `gradient: false`. */
  readonly gradient?: Floats;
  /** dL / d temperature; absent with `gradient: false`. */
  readonly gradTemperature?: number;
}

const OPTION_KEYS = ['rows', 'dim', 'temperature', 'normalize', 'precision', 'gradient', 'threads'];

type NativeArguments = [Float32Array, Floats | null, number, number, number, boolean, Precision, number];

/**
 * NT-Xent loss (SimCLR, Chen et al. 2020, eq. 1) and its gradient: with z the (normalised) rows,
 * s_ij = z_i . z_j / tau, L = mean_i [log sum_{j != i} exp(s_ij) - s_i,pos(i)], pos(i) = (i + rows / 2) mod rows.
 * Memory O(rows * dim), never rows * rows.
 *
 * @param embeddings rows x dim, row-major
 * @throws VsslError ERR_VSSL_INVALID_ARGUMENT on wrong arguments, before any native work. NaN or infinite values
 * are not wrong arguments: the loss and the gradient are then NaN.
 */
export function ntXent(embeddings: Float32Array, options: NtXentOptions): NtXentResult {
  const args = checkArguments(embeddings, options);
  return toResult(
    coded(() => loadKernels().ntXent(...args)),
    args[1],
  );
}

/**
 * As ntXent(), off the event loop. The embeddings are copied at the call; a `gradient` array is written when the
 * promise resolves. Wrong arguments reject the promise.
 */
export async function ntXentAsync(embeddings: Float32Array, options: NtXentOptions): Promise<NtXentResult> {
  const args = checkArguments(embeddings, options);
  return toResult(await codedAsync(() => loadKernels().ntXentAsync(...args)), args[1]);
}

function checkArguments(embeddings: Float32Array, options: NtXentOptions): NativeArguments {
  requireOptions(options, OPTION_KEYS);
  const { rows, dim, temperature = 0.1, normalize = true, precision = 'fp32', gradient = true } = options;
  checkCount('rows', rows, 2);
  if (rows % 2 !== 0) throw invalidArgument('rows', 'an even number (two views of each instance)', rows);
  checkCount('dim', dim);
  checkFloats('embeddings', embeddings, rows * dim, 'rows * dim');
  checkPositive('temperature', temperature);
  checkBoolean('normalize', normalize);
  checkOneOf('precision', precision, ['fp32', 'bf16']);
  const target = gradientTarget(gradient, rows * dim);
  return [embeddings, target, rows, dim, temperature, normalize, precision, checkThreads(options.threads)];
}

function toResult(raw: { loss: number; gradTemperature: number }, gradient: Floats | null): NtXentResult {
  if (gradient === null) return { loss: raw.loss };
  return { loss: raw.loss, gradient, gradTemperature: raw.gradTemperature };
}
