/**
 * From scores to probabilities: softmax(score / temperature) (Guo et al. 2017). One number leaves the order of the classes as
 * it is and says only how sure the scores are; a few labelled clips are enough to fit it.
 */

/** Bounds of one over the temperature. */
const LEAST = 1e-3;
const MOST = 1e3;
/** Of the bisection between them: to the last digits of a double. */
const STEPS = 50;

/**
 * The temperature with the least log loss of `scores` (rows, classes), which are of clips that were held out. As in Platt's
 * scaling the truth is told with a doubt of 1 / (rows + 2): clips that are all told right would else ask for confidences of
 * 1, which nobody can know from a few clips.
 */
export function fitTemperature(scores: Float64Array, labels: ArrayLike<number>, classes: number): number {
  const slopeAt = (inverse: number) => lossSlope(scores, labels, classes, inverse);
  // scores that say nothing are as good at any temperature
  if (slopeAt(1) === 0) return 1;
  // the loss is convex in 1 / temperature, so that its slope has one zero
  let [low, high] = [Math.log(LEAST), Math.log(MOST)];
  for (let step = 0; step < STEPS; step++) {
    const middle = (low + high) / 2;
    if (slopeAt(Math.exp(middle)) < 0) low = middle;
    else high = middle;
  }
  return Math.exp(-(low + high) / 2);
}

/** Slope of the summed log loss along 1 / temperature: the score that is expected, minus that of the (doubted) truth. */
function lossSlope(
  scores: Float64Array,
  labels: ArrayLike<number>,
  classes: number,
  inverse: number,
): number {
  const doubt = 1 / (labels.length + 2);
  const other = doubt / Math.max(1, classes - 1);
  let slope = 0;
  for (let row = 0; row < labels.length; row++) {
    const own = scores.subarray(row * classes, (row + 1) * classes);
    const probabilities = softmax(own, 1 / inverse);
    for (let c = 0; c < classes; c++)
      slope += (probabilities[c]! - (c === labels[row] ? 1 - doubt : other)) * own[c]!;
  }
  return slope;
}

/** Probabilities of one row of scores. */
export function softmax(scores: ArrayLike<number>, temperature: number): Float64Array {
  const out = new Float64Array(scores.length);
  let most = Number.NEGATIVE_INFINITY;
  for (let c = 0; c < out.length; c++) most = Math.max(most, scores[c]!);
  let sum = 0;
  for (let c = 0; c < out.length; c++) {
    out[c] = Math.exp((scores[c]! - most) / temperature);
    sum += out[c]!;
  }
  for (let c = 0; c < out.length; c++) out[c]! /= sum;
  return out;
}

/** Place of the largest number; of equal ones the first. */
export function placeOfLargest(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** Mean of -ln(probability of the truth). */
export function logLoss(
  scores: Float64Array,
  labels: ArrayLike<number>,
  classes: number,
  temperature: number,
): number {
  let sum = 0;
  for (let row = 0; row < labels.length; row++) {
    const probabilities = softmax(scores.subarray(row * classes, (row + 1) * classes), temperature);
    sum -= Math.log(Math.max(probabilities[labels[row]!]!, Number.MIN_VALUE));
  }
  return sum / Math.max(1, labels.length);
}
