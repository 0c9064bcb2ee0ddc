/**
 * The shift probe: how much of the time between two windows of a video can be read off their frozen features, by a
 * linear map, in videos that it never saw.
 *
 * Of each video all ordered pairs (i, j) of some windows are taken. A ridge regression predicts the signed shift
 * t_j - t_i in seconds from [f_i, f_j, f_j - f_i], each column divided by its standard deviation:
 *
 *     minimise  mean (y - x.w)^2 + penalty |w|^2
 *
 * Since each pair stands there in both orders, the best w is one that changes its sign when i and j change places:
 * x.w = a.(f_j - f_i), and the regression is that of d = f_j - f_i alone with the scale
 * sqrt(2 s^2 r^2 / (2 s^2 + r^2)) for a column of deviation s in f and r in d. That is how it is computed. So the probe
 * finds what tells where in its video a window lies. The penalty is chosen by 3-fold validation over whole videos inside
 * the training videos; of equal results the stronger wins.
 */
import { checkCount } from '../checks.js';
import { type ClipFormat, clockOf, planEvaluationClips, spanOf } from '../data/clip-plan.js';
import type { ClipPlan, VideoFacts } from '../data/plan.js';
import { Rng } from '../data/rng.js';
import type { GetFacts, VideoRow } from '../data/rows.js';
import { clipTimes } from '../data/samplers/clock.js';
import { drawUniformStarts } from '../data/samplers/starts.js';
import { extractFeatures } from '../embed/extract-features.js';
import type { ClipEmbedder } from '../embed/features.js';
import { invalidArgument, VsslError } from '../errors.js';
import type { NativeLoader } from '../native/bindings.js';
import type { FeatureMatrix } from './feature-matrix.js';
import { planFolds } from './folds.js';
import { solveInPlace } from './kernel-ridge.js';

/** Penalties tried, strongest first. */
export const shiftPenalties: readonly number[] = [10, 1, 0.1, 0.01, 0.001, 0.0001];

/** Windows of videos: a row of features each. */
export interface WindowFeatures {
  readonly features: FeatureMatrix;
  /** Where each window begins, in seconds of its video. */
  readonly starts: ArrayLike<number>;
  /** Which video each window is of. */
  readonly videos: ArrayLike<number>;
}

export interface ShiftProbeResult {
  /** 1 - (squared error) / (squared shifts) over the pairs of the test videos: 1 is perfect, 0 is no better than "0 s". */
  readonly r2: number;
  /** Root of the mean squared error, in seconds. */
  readonly rmse: number;
  readonly penalty: number;
  /** R^2 of each penalty in validation. */
  readonly validation: readonly { readonly penalty: number; readonly r2: number }[];
  /** Ordered pairs that were tested. */
  readonly pairs: number;
}

/** One order of each pair: the other differs by its sign throughout. */
interface Pairs {
  /** f_j - f_i, (pairs, dim). */
  readonly differences: Float64Array;
  readonly shifts: Float64Array;
  readonly videos: readonly number[];
}

/** Fits on the pairs of `train` and tests on those of `test`, which must be other videos. Throws ERR_VSSL_DATA. */
export function fitShiftProbe(train: WindowFeatures, test: WindowFeatures): ShiftProbeResult {
  const { dim } = train.features;
  if (test.features.dim !== dim)
    throw invalidArgument('test', `features of dimension ${dim}`, test.features.dim);
  const known = pairsOf(train);
  const unseen = pairsOf(test);
  for (const [name, pairs] of Object.entries({ training: known, test: unseen }))
    if (!pairs.shifts.some((shift) => shift !== 0))
      throw new VsslError(
        'ERR_VSSL_DATA',
        `no two windows of any ${name} video begin at different times: the shift probe needs videos longer than a clip`,
      );
  const scale = scaleOf(train, known);
  const folds = validationFolds(known.videos);
  const validation = shiftPenalties.map((penalty) => ({ penalty, error: 0, total: 0 }));
  for (const { inside, held } of folds) {
    const fitted = fitAll(select(known, inside, dim), scale);
    const part = select(known, held, dim);
    fitted.forEach((weights, i) => {
      const { error, total } = errorOf(part, weights);
      validation[i]!.error += error;
      validation[i]!.total += total;
    });
  }
  const scores = validation.map(({ penalty, error, total }) => ({ penalty, r2: 1 - error / (total || 1) }));
  const best = scores.reduce((a, b) => (b.r2 > a.r2 ? b : a));
  const weights = fitAll(known, scale)[shiftPenalties.indexOf(best.penalty)]!;
  const { error, total } = errorOf(unseen, weights);
  const count = unseen.shifts.length;
  return {
    r2: 1 - error / total,
    rmse: Math.sqrt(error / count),
    penalty: best.penalty,
    validation: scores,
    pairs: 2 * count,
  };
}

export interface ShiftProbeOptions {
  readonly loader: NativeLoader;
  readonly embedder: ClipEmbedder;
  readonly format: ClipFormat;
  readonly rows: readonly VideoRow[];
  readonly getFacts: GetFacts;
  /** Numbers of the rows to fit on, and of those to test on. */
  readonly train: readonly number[];
  readonly test: readonly number[];
  /** Windows of each video. Default 4, that is 12 ordered pairs. */
  readonly windows?: number;
  /** Of the places of the windows. Default 0. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
  /** Told of each window that is left out, with the number of its row. */
  readonly onFailure?: (failure: { readonly row: number; readonly error: VsslError }) => void;
}

/** The shift probe of an encoder; videos that cannot be used are left out. Throws ERR_VSSL_DATA when too few are left. */
export async function measureShiftProbe(options: ShiftProbeOptions): Promise<ShiftProbeResult> {
  const { loader, embedder, format, rows, getFacts, windows = 4, seed = 0, signal, onFailure } = options;
  checkCount('windows', windows, 2);
  const starts = new Map<string, number>();
  const features = async (numbers: readonly number[]): Promise<WindowFeatures> => {
    const items = numbers.flatMap((row) => Array.from({ length: windows }, (_, window) => ({ row, window })));
    const extracted = await extractFeatures(items, {
      loader,
      embedders: [embedder],
      signal,
      planClips: async ({ row, window }) => {
        const video = rows[row]!;
        const clips = planShiftWindows({ row: video, facts: await getFacts(video), format, windows, seed });
        starts.set(`${row} ${window}`, clips[window]!.times[0]!);
        return { clip: [clips[window]!] };
      },
    });
    for (const { index, error } of extracted.failures) onFailure?.({ row: items[index]!.row, error });
    const kept = extracted.kept.map((item) => items[item]!);
    return {
      features: extracted.features[0]!,
      starts: kept.map(({ row, window }) => starts.get(`${row} ${window}`)!),
      videos: kept.map(({ row }) => row),
    };
  };
  const train = await features(options.train);
  return fitShiftProbe(train, await features(options.test));
}

/** The windows of one video: centre squares at independent uniform times. Draws hang on (seed, row id) alone. */
export function planShiftWindows(options: {
  readonly row: VideoRow;
  readonly facts: VideoFacts;
  readonly format: ClipFormat;
  readonly windows: number;
  readonly seed: number;
}): ClipPlan[] {
  const { row, facts, format, windows, seed } = options;
  const { frames, stride } = format.clip;
  const clock = clockOf(row, facts, format);
  const { source, start, end } = row;
  const clip = planEvaluationClips({ source, facts, format, windows: 1, start, end })[0]!;
  const rng = new Rng(seed, 'shift probe', row.id);
  return drawUniformStarts(spanOf(clock, format), windows, false, rng).map((at) => ({
    ...clip,
    times: clipTimes(clock, at, frames, stride),
  }));
}

function pairsOf({ features: { data, rows, dim }, starts, videos }: WindowFeatures): Pairs {
  if (starts.length !== rows || videos.length !== rows)
    throw invalidArgument('starts and videos', `${rows} entries, one a window`, [
      starts.length,
      videos.length,
    ]);
  const windows = new Map<number, number[]>();
  for (let row = 0; row < rows; row++) windows.set(videos[row]!, [...(windows.get(videos[row]!) ?? []), row]);
  const pairs = [...windows.values()].flatMap((own) =>
    own.flatMap((i, place) => own.slice(place + 1).map((j) => [i, j] as const)),
  );
  const differences = new Float64Array(pairs.length * dim);
  pairs.forEach(([i, j], p) => {
    for (let c = 0; c < dim; c++) differences[p * dim + c] = data[j * dim + c]! - data[i * dim + c]!;
  });
  return {
    differences,
    shifts: Float64Array.from(pairs, ([i, j]) => starts[j]! - starts[i]!),
    videos: pairs.map(([i]) => videos[i]!),
  };
}

function select({ differences, shifts, videos }: Pairs, rows: readonly number[], dim: number): Pairs {
  const out = new Float64Array(rows.length * dim);
  rows.forEach((row, i) => {
    out.set(differences.subarray(row * dim, (row + 1) * dim), i * dim);
  });
  return {
    differences: out,
    shifts: Float64Array.from(rows, (row) => shifts[row]!),
    videos: rows.map((row) => videos[row]!),
  };
}

/** What each column of the differences is divided by; 0 for one that never varies. */
function scaleOf(
  { features: { data, rows, dim }, videos }: WindowFeatures,
  { differences }: Pairs,
): Float64Array {
  // The rows of f as the pairs have them: a window counts once for each of its partners.
  const partners = new Map<number, number>();
  for (let row = 0; row < rows; row++) partners.set(videos[row]!, (partners.get(videos[row]!) ?? -1) + 1);
  const mean = new Float64Array(dim);
  const square = new Float64Array(dim);
  let weight = 0;
  for (let row = 0; row < rows; row++) weight += partners.get(videos[row]!)!;
  for (const pass of [0, 1])
    for (let row = 0; row < rows; row++) {
      const share = partners.get(videos[row]!)! / weight;
      for (let c = 0; c < dim; c++) {
        const value = data[row * dim + c]!;
        if (pass === 0) mean[c]! += share * value;
        else square[c]! += share * (value - mean[c]!) ** 2;
      }
    }
  const pairs = differences.length / dim;
  return Float64Array.from(mean, (m, c) => {
    let r2 = 0;
    for (let p = 0; p < pairs; p++) r2 += differences[p * dim + c]! ** 2 / pairs;
    const s2 = square[c]!;
    // rounding alone makes a constant column vary by about 1e-7 of its size
    return s2 > (1e-6 * m) ** 2 && s2 > 0 && r2 > 0 ? Math.sqrt((2 * s2 * r2) / (2 * s2 + r2)) : 0;
  });
}

/** The map a of each penalty. */
function fitAll({ differences, shifts }: Pairs, scale: Float64Array): Float64Array[] {
  const dim = scale.length;
  const pairs = shifts.length;
  const gram = new Float64Array(dim * dim);
  const target = new Float64Array(dim);
  const row = new Float64Array(dim);
  for (let p = 0; p < pairs; p++) {
    for (let c = 0; c < dim; c++) row[c] = scale[c]! > 0 ? differences[p * dim + c]! / scale[c]! : 0;
    for (let a = 0; a < dim; a++) {
      const share = row[a]! / pairs;
      target[a]! += share * shifts[p]!;
      for (let b = 0; b <= a; b++) gram[a * dim + b]! += share * row[b]!;
    }
  }
  return shiftPenalties.map((penalty) =>
    solve(gram, target, penalty).map((weight, c) => (scale[c]! > 0 ? weight / scale[c]! : 0)),
  );
}

/** (gram + penalty I)^-1 target; of gram the lower half is read. */
function solve(gram: Float64Array, target: Float64Array, penalty: number): Float64Array {
  const dim = target.length;
  const system = gram.slice();
  for (let i = 0; i < dim; i++) system[i * dim + i]! += penalty;
  const out = target.slice();
  solveInPlace(system, dim, out, 1);
  return out;
}

function errorOf({ differences, shifts }: Pairs, weights: Float64Array): { error: number; total: number } {
  const dim = weights.length;
  let error = 0;
  let total = 0;
  shifts.forEach((shift, p) => {
    let predicted = 0;
    for (let c = 0; c < dim; c++) predicted += weights[c]! * differences[p * dim + c]!;
    error += (shift - predicted) ** 2;
    total += shift ** 2;
  });
  return { error, total };
}

/** Three folds of whole videos; none when there is but one. */
function validationFolds(videos: readonly number[]): { inside: number[]; held: number[] }[] {
  if (new Set(videos).size < 2) return [];
  return planFolds(videos.map(String), 3).map(({ train, test }) => ({ inside: [...train], held: [...test] }));
}
