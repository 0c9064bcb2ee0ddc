/** From labelled vectors to a classifier with calibrated confidences. */
import { throwIfAborted } from '../checks.js';
import { VsslError } from '../errors.js';
import type { FeatureMatrix } from '../eval/feature-matrix.js';
import { weightDecays } from '../eval/linear.js';
import { type Calibration, scoreConfidences } from './calibration.js';
import { type Fitter, fitLinearHead, type Head, knnHead, scoreHeldOut } from './heads.js';
import { type HeldOut, planHeldOut } from './held-out.js';
import { fitTemperature, logLoss, placeOfLargest, softmax } from './temperature.js';

export type ClassifierKind = 'linear' | 'knn';

export interface FitOptions {
  readonly kind: ClassifierKind;
  /** Neighbours that vote. */
  readonly k: number;
  /** Group of each row. */
  readonly groups: readonly (string | undefined)[];
  readonly signal?: AbortSignal;
}

/** How the classifier did on labelled clips that were held out of it. */
export interface HeldOutScore extends Calibration {
  /** Whether whole groups were held out. */
  readonly byGroup: boolean;
  /** Mean of -ln(probability of the truth). */
  readonly logLoss: number;
  /** L2 penalty of the linear probe: the one with the least log loss. */
  readonly weightDecay?: number;
}

export interface FittedClassifier {
  readonly head: Head;
  readonly temperature: number;
  readonly heldOut: HeldOutScore;
  /** Numbers of labelled rows that could not be held out: see planHeldOut. */
  readonly left: readonly number[];
}

/** What is tried. */
type Choice =
  | { readonly kind: 'linear'; readonly weightDecay: number }
  | { readonly kind: 'knn'; readonly k: number };

/**
 * Fits a classifier of `classes` classes to rows with the classes `labels`. Temperature and penalty are those with the least
 * log loss on labelled rows that were held out; the classifier is then fitted to all of them. Throws ERR_VSSL_DATA when no
 * row can be held out.
 */
export async function fitClassifier(
  engine: Fitter,
  features: FeatureMatrix,
  labels: Int32Array,
  classes: number,
  { kind, k, groups, signal }: FitOptions,
): Promise<FittedClassifier> {
  const heldOut = planHeldOut(labels, groups);
  if (heldOut.folds.length === 0)
    throw new VsslError(
      'ERR_VSSL_DATA',
      'confidences are calibrated on labelled clips that are held out in turn, which needs two clips of a class and one of another at least: label more clips',
    );
  const choices: readonly Choice[] =
    kind === 'knn'
      ? [{ kind: 'knn', k }]
      : weightDecays.map((weightDecay) => ({ kind: 'linear' as const, weightDecay }));
  let best: (Calibrated & { readonly choice: Choice }) | undefined;
  for (const choice of choices) {
    const scores: Float64Array[] = [];
    for (const fold of heldOut.folds) {
      throwIfAborted(signal);
      scores.push(await scoreHeldOut(engine, features, labels, classes, fold, choice));
    }
    const found = calibrate(scores, heldOut, labels, classes);
    // of equal losses the stronger penalty, which comes first
    if (!best || found.loss < best.loss) best = { ...found, choice };
  }
  const { choice, temperature, loss, score } = best!;
  throwIfAborted(signal);
  const head =
    choice.kind === 'knn'
      ? knnHead(features, labels, classes, choice.k)
      : await fitLinearHead(engine, features, labels, classes, choice.weightDecay);
  const penalty = choice.kind === 'linear' ? { weightDecay: choice.weightDecay } : {};
  const told = { ...score, byGroup: heldOut.byGroup, logLoss: loss, ...penalty };
  return { head, temperature, heldOut: told, left: heldOut.left };
}

interface Calibrated {
  readonly temperature: number;
  readonly loss: number;
  readonly score: Calibration;
}

/** `parts`: scores of the test rows of each fold. */
function calibrate(
  parts: readonly Float64Array[],
  { folds }: HeldOut,
  labels: Int32Array,
  classes: number,
): Calibrated {
  const scores = Float64Array.from(parts.flatMap((part) => [...part]));
  const truth = folds.flatMap(({ test }) => test.map((row) => labels[row]!));
  const temperature = fitTemperature(scores, truth, classes);
  const score = scoreConfidences(
    truth.map((label, row) => {
      const probabilities = softmax(scores.subarray(row * classes, (row + 1) * classes), temperature);
      const guess = placeOfLargest(probabilities);
      return { confidence: probabilities[guess]!, right: guess === label };
    }),
  );
  return { temperature, loss: logLoss(scores, truth, classes, temperature), score };
}
