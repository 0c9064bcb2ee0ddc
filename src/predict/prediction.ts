/** What a classifier says of one video. */
import { placeOfLargest, softmax } from './temperature.js';

export interface Prediction {
  /** The likeliest class; null where its confidence is below `minConfidence`. */
  readonly label: string | null;
  /** The likeliest class, however sure. */
  readonly guess: string;
  /** The chance that the guess is right, from 0 to 1. */
  readonly confidence: number;
  /** Of every class; they add up to 1. */
  readonly probabilities: Readonly<Record<string, number>>;
}

/** `scores`: one a class. */
export function describePrediction(
  classes: readonly string[],
  scores: ArrayLike<number>,
  temperature: number,
  minConfidence: number,
): Prediction {
  const all = softmax(scores, temperature);
  const best = placeOfLargest(all);
  const guess = classes[best]!;
  const confidence = all[best]!;
  const probabilities = Object.fromEntries(classes.map((name, c) => [name, all[c]!]));
  return { label: confidence >= minConfidence ? guess : null, guess, confidence, probabilities };
}
