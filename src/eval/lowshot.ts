/**
 * Low-shot: what a linear classifier makes of a few labelled videos a class.
 *
 * Of each class k videos are drawn from the training videos, several times over; draw d of 5 videos holds draw d of 1.
 * Features are shifted and scaled by the mean and deviation of all training videos, which needs no label, and a
 * multinomial logistic regression with a fixed L2 penalty learns from those drawn: too few to choose a penalty by.
 */
import { Rng } from '../data/rng.js';
import type { EngineAddon } from '../native/bindings.js';
import { type FeatureMatrix, selectRows } from './feature-matrix.js';
import { fitLinearProbe, standardize } from './linear.js';
import { meanAndSpread, type Ranked, rankScores, TOP } from './metrics.js';
import type { LabelledRows } from './protocols.js';
import { bootstrap, bootstrapMean, drawnTogether, type Interval, meanOfClasses } from './resampling.js';

export interface LowshotSettings {
  /** Labelled videos of a class. */
  readonly shots: readonly number[];
  readonly draws: number;
  readonly seed: number;
  readonly weightDecay: number;
}

export interface ShotScore {
  readonly shots: number;
  /** Videos that a draw learns from, the mean over folds. */
  readonly train: number;
  readonly count: number;
  /** Mean over the draws. */
  readonly accuracy: number;
  /** Of resamples of the test videos, whole groups where there are enough, and of the draws at once. */
  readonly interval: Interval;
  readonly meanClassAccuracy: number;
  /** Where there are more than five classes. */
  readonly top5?: { readonly accuracy: number; readonly interval: Interval };
  /** Accuracy of each draw, and their standard deviation. */
  readonly draws: readonly number[];
  readonly drawSpread: number;
}

/** In the order of the settings' shots. */
export interface LowshotScore {
  readonly shots: readonly ShotScore[];
}

export async function scoreLowshot(
  engine: Pick<EngineAddon, 'fitLinear'>,
  features: FeatureMatrix,
  rows: LabelledRows,
  settings: LowshotSettings,
  signal?: AbortSignal,
): Promise<LowshotScore> {
  const scores: ShotScore[] = [];
  for (const shots of settings.shots)
    scores.push(await scoreShots(engine, features, rows, shots, settings, signal));
  return { shots: scores };
}

async function scoreShots(
  engine: Pick<EngineAddon, 'fitLinear'>,
  features: FeatureMatrix,
  rows: LabelledRows,
  shots: number,
  { draws, seed, weightDecay }: LowshotSettings,
  signal?: AbortSignal,
): Promise<ShotScore> {
  const classes = rows.labels.length;
  const tested = rows.splits.flatMap(({ test }) => test);
  const hits = Array.from({ length: draws }, () => new Uint8Array(tested.length));
  const near = Array.from({ length: draws }, () => new Uint8Array(tested.length));
  let learnt = 0;
  let first = 0;
  for (const { name, train, test } of rows.splits) {
    const [known, unseen] = standardize(selectRows(features, train), selectRows(features, test));
    const labels = train.map((row) => rows.classes[row]!);
    for (let draw = 0; draw < draws; draw++) {
      const drawn = drawShots(labels, shots, new Rng(seed, 'low-shot', name, draw));
      const of = Int32Array.from(drawn, (place) => labels[place]!);
      const options = { weightDecay, standardize: false, signal };
      const fit = await fitLinearProbe(engine, selectRows(known, drawn), of, unseen, classes, options);
      const ranked = rankScores(fit.scores, test.length, classes);
      note(hits[draw]!, near[draw]!, first, test, rows.classes, ranked);
      learnt += drawn.length / draws / rows.splits.length;
    }
    first += test.length;
  }
  return summarize(shots, learnt, tested, rows, hits, near);
}

/**
 * Places of `shots` of each class, or of all that it has, in the order of the classes. The first of a larger draw are
 * those of a smaller one.
 */
export function drawShots(labels: readonly number[], shots: number, rng: Rng): number[] {
  const places = new Map<number, number[]>();
  for (const [place, label] of labels.entries()) {
    const of = places.get(label);
    if (of) of.push(place);
    else places.set(label, [place]);
  }
  return [...places]
    .sort(([a], [b]) => a - b)
    .flatMap(([label, of]) => rng.fork(label).shuffle(of).slice(0, shots));
}

/** Writes down which of the test rows, from place `first` on, were named right. */
function note(
  hits: Uint8Array,
  near: Uint8Array,
  first: number,
  test: readonly number[],
  classes: Int32Array,
  { classes: named, depth }: Ranked,
): void {
  for (const [i, row] of test.entries()) {
    const of = named.subarray(i * depth, (i + 1) * depth);
    if (of[0] === classes[row]) hits[first + i] = 1;
    if (of.includes(classes[row]!)) near[first + i] = 1;
  }
}

function summarize(
  shots: number,
  train: number,
  tested: readonly number[],
  rows: LabelledRows,
  hits: readonly Uint8Array[],
  near: readonly Uint8Array[],
): ShotScore {
  const groups = tested.map((row) => rows.groups[row]);
  const perDraw = hits.map((of) => meanAndSpread(Array.from(of)).mean);
  const { mean, std } = meanAndSpread(perDraw);
  const nearest = near.map((of) => meanAndSpread(Array.from(of)).mean);
  const count = rows.labels.length;
  const all = new Float64Array(count);
  const right = new Float64Array(count);
  tested.forEach((row, i) => {
    all[rows.classes[row]!]!++;
    for (const of of hits) right[rows.classes[row]!]! += of[i]! / hits.length;
  });
  return {
    shots,
    train,
    count: tested.length,
    accuracy: mean,
    interval: bothDrawn(hits, groups),
    meanClassAccuracy: meanOfClasses(right, all),
    ...(count > TOP
      ? { top5: { accuracy: meanAndSpread(nearest).mean, interval: bothDrawn(near, groups) } }
      : {}),
    draws: perDraw,
    drawSpread: std,
  };
}

/** Interval of the mean of `hits[draw][row]` when groups of rows and draws are drawn anew. */
export function bothDrawn(hits: readonly Uint8Array[], groups: readonly (string | undefined)[]): Interval {
  if (hits.length === 1) return bootstrapMean(hits[0]!, groups);
  const units = drawnTogether(groups.length, groups).map((rows) => ({
    count: rows.length,
    sums: hits.map((of) => rows.reduce((sum, row) => sum + of[row]!, 0)),
  }));
  const times = new Int32Array(hits.length);
  return bootstrap(units, (drawn, next) => {
    times.fill(0);
    for (let i = 0; i < hits.length; i++) times[Math.floor(next() * hits.length)]!++;
    let sum = 0;
    let count = 0;
    for (const unit of drawn) {
      const { count: rows, sums } = units[unit]!;
      count += rows;
      for (let draw = 0; draw < times.length; draw++) sum += times[draw]! * sums[draw]!;
    }
    return sum / count / hits.length;
  });
}
