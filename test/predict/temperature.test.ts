import test from 'ava';
import { Rng } from '#src/data/rng.js';
import { scoreConfidences } from '#src/predict/calibration.js';
import { fitTemperature, logLoss, placeOfLargest, softmax } from '#src/predict/temperature.js';

/** Log loss with doubted truths, written down as it is defined. */
function doubtedLoss(scores: number[][], labels: number[], temperature: number): number {
  const doubt = 1 / (labels.length + 2);
  let loss = 0;
  for (const [row, own] of scores.entries()) {
    // as logarithms, which no temperature takes out of range
    const most = Math.max(...own) / temperature;
    const total = most + Math.log(own.reduce((sum, score) => sum + Math.exp(score / temperature - most), 0));
    for (const [c, score] of own.entries()) {
      const truth = c === labels[row] ? 1 - doubt : doubt / (own.length - 1);
      loss -= truth * (score / temperature - total);
    }
  }
  return loss / labels.length;
}

/** The slow twin: tries temperatures from 0.01 to 100, ever more finely. */
function slowTemperature(scores: number[][], labels: number[]): number {
  let [low, high] = [Math.log(0.01), Math.log(100)];
  let best = 0;
  for (let round = 0; round < 6; round++) {
    const tried = Array.from({ length: 201 }, (_, i) => low + ((high - low) * i) / 200);
    const losses = tried.map((log) => doubtedLoss(scores, labels, Math.exp(log)));
    best = tried[losses.indexOf(Math.min(...losses))]!;
    const step = (high - low) / 200;
    [low, high] = [best - 2 * step, best + 2 * step];
  }
  return Math.exp(best);
}

function drawn(seed: number, rows: number, classes: number, signal: number) {
  const rng = new Rng(seed);
  const labels = Array.from({ length: rows }, () => rng.int(classes));
  const scores = labels.map((label) =>
    Array.from({ length: classes }, (_, c) => 3 * rng.normal() + (c === label ? signal : 0)),
  );
  return { labels, scores };
}

test('the temperature is that of a search by hand', (t) => {
  for (const [seed, rows, classes, signal] of [
    [1, 30, 2, 3],
    [2, 25, 5, 5],
    [3, 100, 20, 8],
    [4, 6, 3, 30],
    [5, 40, 4, 1],
  ] as const) {
    const { labels, scores } = drawn(seed, rows, classes, signal);
    const found = fitTemperature(Float64Array.from(scores.flat()), labels, classes);
    const slow = slowTemperature(scores, labels);
    t.true(Math.abs(found - slow) < 1e-3 * slow, `seed ${seed}: ${found} and ${slow}`);
  }
});

test('clips that are all right leave a doubt; scores that say nothing leave them as they are', (t) => {
  const right = Float64Array.of(1, 0, 0, 1, 1, 0, 0, 1);
  const temperature = fitTemperature(right, [0, 1, 0, 1], 2);
  t.true(temperature > 0.1 && temperature < 1, `${temperature}`);
  // a doubt of 1 / (4 + 2)
  t.true(Math.abs(softmax([1, 0], temperature)[0]! - 5 / 6) < 1e-6);
  t.is(fitTemperature(new Float64Array(8), [0, 1, 0, 1], 2), 1);
  // scores that are wrong more often than not: the classes come out alike
  const wrong = fitTemperature(right, [1, 0, 1, 0], 2);
  t.true(Math.abs(softmax([1, 0], wrong)[0]! - 0.5) < 0.01);
});

test('softmax, log loss and the largest', (t) => {
  t.deepEqual([...softmax([0, 0, 0, 0], 3)], [0.25, 0.25, 0.25, 0.25]);
  const [sure, other] = softmax([1000, 0], 1);
  t.is(sure, 1);
  t.is(other, 0);
  t.is(placeOfLargest([1, 3, 3]), 1);
  const loss = logLoss(Float64Array.of(Math.log(3), 0), [0], 2, 1);
  t.true(Math.abs(loss + Math.log(0.75)) < 1e-12);
});

test('expected calibration error by hand', (t) => {
  const of = (confidence: number, right: boolean) => ({ confidence, right });
  const { clips, accuracy, confidence, expectedCalibrationError } = scoreConfidences([
    // one bin of 15 from 0.8 to 0.867: half are right, confidence 0.82
    of(0.81, true),
    of(0.83, false),
    // the last one, with 1 in it
    of(1, true),
    of(0.96, true),
  ]);
  t.is(clips, 4);
  t.is(accuracy, 0.75);
  t.true(Math.abs(confidence - 0.9) < 1e-12);
  t.true(Math.abs(expectedCalibrationError - (2 * 0.32 + 2 * 0.02) / 4) < 1e-12);
  t.is(scoreConfidences([]).expectedCalibrationError, 0);
});
