import test from 'ava';
import { uniformFloats } from '#src/bench/random.js';
import { estimate, median, ratios } from '#src/bench/statistics.js';

test('median', (t) => {
  t.is(median([3, 1, 2]), 2);
  t.is(median([4, 1, 3, 2]), 2.5);
  t.is(median([7]), 7);
  t.true(Number.isNaN(median([])));
  const values = [2, 1];
  median(values);
  t.deepEqual(values, [2, 1]);
});

test('ratios stay in pairs', (t) => {
  t.deepEqual(ratios([2, 9, 8], [1, 3, 2]), [2, 3, 4]);
});

test('the interval holds the median, is repeatable and does not mind outliers', (t) => {
  const values = [...uniformFloats(30, 1)].map((value) => 8 + 0.1 * value);
  const plain = estimate(values);
  t.deepEqual(plain, estimate(values));
  t.true(plain.low <= plain.median && plain.median <= plain.high);
  t.true(plain.low > 7.9 && plain.high < 8.1);
  const disturbed = estimate(values.map((value, i) => (i % 10 === 0 ? 50 * value : value)));
  t.true(disturbed.high < 8.1, `${disturbed.high}`);
});

test('the interval covers the true median about 95 times in 100', (t) => {
  let covered = 0;
  for (let k = 0; k < 100; k++) {
    // the product of two uniform factors: skewed, median known from many draws
    const [a, b] = [uniformFloats(30, 2 * k + 1), uniformFloats(30, 2 * k + 2)];
    const { low, high } = estimate(Array.from(a, (value, i) => (value + 1) * (b[i]! + 1)));
    if (low <= 0.7467 && 0.7467 <= high) covered++;
  }
  t.true(covered >= 88 && covered <= 99, `${covered}`);
});

test('one value is its own interval', (t) => {
  t.deepEqual(estimate([3]), { median: 3, low: 3, high: 3 });
});
