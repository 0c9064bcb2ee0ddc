import test from 'ava';
import { meanInterval, pairedDifference, tPoint } from '#src/eval/intervals.js';

test('t points: the table, and beyond it within a thousandth', (t) => {
  t.is(tPoint(1), 12.7062);
  t.is(tPoint(4), 2.7764);
  t.is(tPoint(30), 2.0423);
  // R: qt(0.975, 31), qt(0.975, 60), qt(0.975, 1000)
  for (const [df, value] of [
    [31, 2.0395],
    [60, 2.0003],
    [1000, 1.9623],
  ] as const)
    t.true(Math.abs(tPoint(df) - value) < 1e-3, String(df));
  t.throws(() => tPoint(0), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
});

test('a mean over seeds: Student t, and never narrower than the measure is coarse', (t) => {
  const { mean, interval } = meanInterval([0.5, 0.6, 0.7]);
  t.true(Math.abs(mean - 0.6) < 1e-12);
  t.true(Math.abs(interval![1] - (0.6 + (4.3027 * 0.1) / Math.sqrt(3))) < 1e-9);
  t.deepEqual(meanInterval([0.5, 0.5], 0.02).interval, [
    0.5 - (12.7062 * 0.02) / Math.SQRT2,
    0.5 + (12.7062 * 0.02) / Math.SQRT2,
  ]);
  t.is(meanInterval([0.5]).interval, null);
  t.is(meanInterval([]).interval, null);
});

test('paired outcomes: what both got right and wrong alike says nothing', (t) => {
  const a = Array.from({ length: 200 }, (_, i) => (i % 2 === 0 || i < 20 ? 1 : 0));
  const b = Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? 1 : 0));
  const none = a.map(() => null);
  const { difference, interval, by } = pairedDifference(a, b, none);
  t.is(by, 'video');
  t.true(Math.abs(difference - 0.05) < 1e-12);
  // ten of 200 differ, all to one side: a binomial of p 0.05, far narrower than two accuracies by themselves
  t.true(interval[0] > 0.015 && interval[0] < 0.035, String(interval[0]));
  t.true(interval[1] > 0.065 && interval[1] < 0.095, String(interval[1]));
});

test('videos of one group are drawn together, and the interval is then wider', (t) => {
  const groups = Array.from({ length: 200 }, (_, i) => `g${Math.floor(i / 20)}`);
  const a = groups.map((group) => (group === 'g0' ? 1 : 0));
  const b = groups.map(() => 0);
  const grouped = pairedDifference(a, b, groups);
  const single = pairedDifference(
    a,
    b,
    groups.map(() => null),
  );
  t.is(grouped.by, 'group');
  const width = ([low, high]: readonly [number, number]) => high - low;
  t.true(width(grouped.interval) > 2 * width(single.interval));
  t.is(grouped.interval[0], 0, 'the only group that differs may be missed');
  t.is(pairedDifference([1, 0], [0, 0], ['g', 'g']).by, 'video', 'two groups are too few to draw');
});
