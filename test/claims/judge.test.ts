import test from 'ava';
import { compareArms, joinVerdicts } from '#src/claims/judge.js';

test('the interval is that of paired differences', (t) => {
  const { difference, interval, verdict, seeds } = compareArms([0.5, 0.62, 0.71], [0.4, 0.5, 0.62], 1e-6);
  // differences 0.10, 0.12, 0.09: mean 0.10333, deviation 0.0152753
  const half = (4.3027 * 0.0152753) / Math.sqrt(3);
  t.is(seeds, 3);
  t.true(Math.abs(difference - 0.31 / 3) < 1e-12);
  t.true(Math.abs(interval![0] - (0.31 / 3 - half)) < 1e-5);
  t.true(Math.abs(interval![1] - (0.31 / 3 + half)) < 1e-5);
  t.is(verdict, 'holds');
});

test('arms that vary together are told apart, arms that do not are not', (t) => {
  t.is(compareArms([0.2, 0.5, 0.8], [0.1, 0.4, 0.69], 1e-6).verdict, 'holds');
  t.is(compareArms([0.2, 0.5, 0.8], [0.5, 0.1, 0.69], 1e-6).verdict, 'cannot tell');
  t.is(compareArms([0.1, 0.4, 0.69], [0.2, 0.5, 0.8], 1e-6).verdict, 'does not hold');
});

test('one seed and none say nothing; equal arms neither', (t) => {
  t.deepEqual(compareArms([0.9], [0.1], 0.01), {
    seeds: 1,
    difference: 0.8,
    interval: null,
    verdict: 'cannot tell',
  });
  t.is(compareArms([], [], 0).verdict, 'cannot tell');
  t.is(compareArms([0.5, 0.5, 0.5], [0.5, 0.5, 0.5], 0.01).verdict, 'cannot tell');
});

test('the same small difference with every seed is no proof: the measure is that coarse', (t) => {
  const video = 1 / 100;
  t.is(compareArms([0.51, 0.61, 0.71], [0.5, 0.6, 0.7], video).verdict, 'cannot tell');
  t.is(compareArms([0.61, 0.71, 0.81], [0.5, 0.6, 0.7], video).verdict, 'holds');
});

test('an ordering of several arms', (t) => {
  t.is(joinVerdicts(['holds', 'holds']), 'holds');
  t.is(joinVerdicts(['holds', 'cannot tell']), 'cannot tell');
  t.is(joinVerdicts(['cannot tell', 'does not hold']), 'does not hold');
  t.is(joinVerdicts([]), 'cannot tell');
});
