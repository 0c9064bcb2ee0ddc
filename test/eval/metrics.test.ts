import test from 'ava';
import { bootstrapMean, meanAndSpread, scoreClassification } from '#src/eval/metrics.js';

test('accuracy, accuracy by class and confusion', (t) => {
  const score = scoreClassification([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 0, 1], ['a', 'b', 'c']);
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
  t.throws(() => scoreClassification([0], [1], ['a']), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
  t.throws(() => scoreClassification([0], [], ['a']), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
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
