import test from 'ava';
import { meanAndSpread, rankScores, scoreClassification } from '#src/eval/metrics.js';
import { bootstrapClassMean, bootstrapMean, jackknife } from '#src/eval/resampling.js';

const firsts = (...classes: number[]) => ({ classes: Int32Array.from(classes), depth: 1 });

test('accuracy, accuracy by class and confusion', (t) => {
  const score = scoreClassification([0, 0, 0, 0, 1, 1], firsts(0, 0, 0, 1, 0, 1), ['a', 'b', 'c']);
  t.is(score.count, 6);
  t.is(score.correct, 4);
  t.is(score.accuracy, 4 / 6);
  t.is(score.meanClassAccuracy, (0.75 + 0.5) / 2, 'a class without videos does not count');
  t.deepEqual(score.confusion, [
    [3, 1, 0],
    [1, 1, 0],
    [0, 0, 0],
  ]);
  t.deepEqual(score.classes, [
    { label: 'a', count: 4, accuracy: 0.75 },
    { label: 'b', count: 2, accuracy: 0.5 },
    { label: 'c', count: 0, accuracy: null },
  ]);
  t.true(score.interval[0] < score.accuracy && score.accuracy < score.interval[1]);
  const [low, high] = score.meanClassInterval;
  t.true(low < score.meanClassAccuracy && score.meanClassAccuracy < high);
  t.is(score.top5, undefined, 'of three classes every one is among five');
  t.throws(() => scoreClassification([0], firsts(1), ['a']), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
  t.throws(() => scoreClassification([0], firsts(), ['a']), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
});

test('the interval has about the width that it should, and is the same each time', (t) => {
  const values = Array.from({ length: 400 }, (_, i) => (i % 4 === 0 ? 1 : 0));
  const [low, high] = bootstrapMean(values);
  t.deepEqual([low, high], [...bootstrapMean(values)]);
  // normal approximation: 1.96 sqrt(0.25 * 0.75 / 400)
  const half = 1.96 * Math.sqrt((0.25 * 0.75) / 400);
  t.true(Math.abs((high - low) / 2 - half) < 0.1 * half, `${(high - low) / 2} against ${half}`);
  t.deepEqual([...bootstrapMean([1, 1, 1])], [1, 1]);
  t.deepEqual([...bootstrapMean([])], [0, 0]);
});

test('videos of one group are drawn together: the interval grows', (t) => {
  const values = Array.from({ length: 400 }, (_, i) => (Math.floor(i / 40) % 4 === 0 ? 1 : 0));
  const groups = values.map((_, i) => `g${Math.floor(i / 40)}`);
  const width = ([low, high]: readonly [number, number]) => high - low;
  t.true(width(bootstrapMean(values, groups)) > 3 * width(bootstrapMean(values)));
});

test('mean and spread', (t) => {
  t.deepEqual(meanAndSpread([2, 4]), { mean: 3, std: Math.SQRT2 });
  t.deepEqual(meanAndSpread([2]), { mean: 2, std: 0 });
  t.deepEqual(meanAndSpread([]), { mean: 0, std: 0 });
});

/** Numbers from [0, 1), the same each time. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 2147483648;
  };
}

test('top 5 and the mean of classes, against their formulas on random scores', (t) => {
  const next = numbers(7);
  const [rows, classes] = [200, 9];
  const scores = Float32Array.from({ length: rows * classes }, () => Math.floor(next() * 12));
  const truth = Array.from({ length: rows }, () => Math.floor(next() * next() * classes));
  const labels = Array.from({ length: classes }, (_, c) => `class ${c}`);
  const ranked = rankScores(scores, rows, classes);
  t.is(ranked.depth, 5);
  let near = 0;
  const right = new Map<number, number[]>();
  truth.forEach((c, row) => {
    const of = [...scores.subarray(row * classes, (row + 1) * classes)];
    const order = of.map((_, k) => k).sort((a, b) => of[b]! - of[a]! || a - b);
    t.deepEqual([...ranked.classes.subarray(row * 5, row * 5 + 5)], order.slice(0, 5));
    if (order.indexOf(c) < 5) near++;
    right.set(c, [...(right.get(c) ?? []), order[0] === c ? 1 : 0]);
  });
  const score = scoreClassification(truth, ranked, labels);
  t.is(score.top5!.accuracy, near / rows);
  t.true(score.top5!.interval[0] < near / rows && near / rows < score.top5!.interval[1]);
  const means = [...right.values()].map((hits) => hits.reduce((a, b) => a + b, 0) / hits.length);
  t.true(Math.abs(score.meanClassAccuracy - means.reduce((a, b) => a + b, 0) / means.length) < 1e-12);
  for (const [c, row] of score.confusion.entries())
    for (const [p, n] of row.entries())
      t.is(n, truth.filter((of, i) => of === c && ranked.classes[i * 5] === p).length);
});

test('fewer classes than five have votes: the others are not named', (t) => {
  const labels = ['a', 'b', 'c', 'd', 'e', 'f'];
  const ranked = { classes: Int32Array.of(2, 0, -1, -1, -1, 1, 3, -1, -1, -1), depth: 5 };
  const score = scoreClassification([0, 5], ranked, labels);
  t.is(score.accuracy, 0);
  t.is(score.top5!.accuracy, 0.5);
});

test('intervals of a mean of classes: alike videos give one point, whole groups widen it', (t) => {
  const classes = Array.from({ length: 120 }, (_, i) => i % 3);
  t.deepEqual(
    [
      ...bootstrapClassMean(
        classes.map(() => 1),
        classes,
        3,
      ),
    ],
    [1, 1],
  );
  const hits = classes.map((_, i) => (Math.floor(i / 12) % 2 ? 1 : 0));
  const groups = classes.map((_, i) => `g${Math.floor(i / 12)}`);
  const width = ([low, high]: readonly [number, number]) => high - low;
  t.true(
    width(bootstrapClassMean(hits, classes, 3, groups)) > 2 * width(bootstrapClassMean(hits, classes, 3)),
  );
});

test('the jackknife of a mean has the interval of a mean', (t) => {
  const next = numbers(3);
  const values = Array.from({ length: 300 }, () => next());
  const mean = (without: readonly number[]) => {
    const left = values.filter((_, i) => !without.includes(i));
    return left.reduce((a, b) => a + b, 0) / left.length;
  };
  const [low, high] = jackknife(
    mean([]),
    Array.from(values.keys(), (i) => mean([i])),
  );
  const half = (1.96 * meanAndSpread(values).std) / Math.sqrt(values.length);
  t.true(Math.abs((high - low) / 2 - half) < 1e-9);
  t.true(Math.abs((high + low) / 2 - mean([])) < 1e-9);
});
