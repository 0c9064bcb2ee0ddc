import test from 'ava';
import { poolDeviation, rejectTests } from '#src/claims/statistics.js';
import { xorshift } from '#src/eval/resampling.js';
import { studentTail } from '#src/eval/student.js';

const pair = (better: string, worse: string, differences: number[]) => ({ better, worse, differences });
const isNear = (a: number, b: number) => Math.abs(a - b) < 1e-12;

test('the deviation of all pairs, worked out by hand', (t) => {
  // sums of squares about the means: (1, 2, 3) 2; (0, 4) 8; a pair with one seed has none
  const pool = poolDeviation([pair('a', 'b', [1, 2, 3]), pair('c', 'd', [0, 4]), pair('e', 'f', [9])])!;
  t.true(isNear(pool.deviation, Math.sqrt(10 / 3)));
  t.true(isNear(pool.degrees, 3), 'no arm in common: 2 + 1');
  t.is(pool.pairs, 2);
  t.is(poolDeviation([pair('a', 'b', [1])]), null);
  t.is(poolDeviation([]), null);
});

test('pairs that share an arm count for less, the same pair once, whichever way round', (t) => {
  const shared = poolDeviation([pair('a', 'b', [1, 2, 3]), pair('a', 'c', [1, 2, 6])])!;
  // v = 2 and 2: (2 + 2)^2 / (2 + 2 + 2 * 2 / 4) = 16 / 5
  t.true(isNear(shared.degrees, 16 / 5));
  t.true(isNear(shared.deviation, Math.sqrt((2 + 14) / 4)));
  const twice = poolDeviation([pair('a', 'b', [1, 2, 3]), pair('b', 'a', [-1, -2, -3])])!;
  t.deepEqual(twice, { deviation: 1, degrees: 2, pairs: 1 });
});

test('which tests count: an example by hand', (t) => {
  // thresholds of level 0.05 and five tests: 0.01, 0.02, 0.03, 0.04, 0.05. The third is above its own, the fourth below
  t.deepEqual(rejectTests([0.031, 0.001, 0.9, 0.019, 0.039], 0.05), [true, true, false, true, true]);
  t.deepEqual(rejectTests([0.02, 0.5], 0.05), [true, false]);
  t.deepEqual(rejectTests([0.04, 0.5], 0.05), [false, false]);
  t.deepEqual(rejectTests([], 0.05), []);
});

/** Standard normal draws (Box and Muller). */
function normals(seed: number): () => number {
  const next = xorshift(seed);
  return () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

/**
 * The part of the rejected tests that is wrong, in the mean over repetitions, with the dependence that claims have: one arm
 * that many are compared with, and chains of three whose two differences share the middle with opposite signs.
 */
function wrongPart(effects: readonly number[], repetitions: number): number {
  const draw = normals(20_240_517);
  const seeds = 3;
  let sum = 0;
  for (let r = 0; r < repetitions; r++) {
    const arm = (mean: number) => Array.from({ length: seeds }, () => mean + draw());
    const first = arm(0);
    const pairs = effects.map((effect, i) => {
      const other = arm(-effect);
      return { better: 'first', worse: `${i}`, differences: first.map((value, s) => value - other[s]!) };
    });
    for (let chain = 0; chain < 4; chain++) {
      const [a, b, c] = [arm(0), arm(0), arm(0)];
      pairs.push({
        better: `a${chain}`,
        worse: `b${chain}`,
        differences: a.map((value, s) => value - b[s]!),
      });
      pairs.push({
        better: `b${chain}`,
        worse: `c${chain}`,
        differences: b.map((value, s) => value - c[s]!),
      });
    }
    const pool = poolDeviation(pairs)!;
    const p = pairs.map(({ differences }) => {
      const mean = differences.reduce((x, y) => x + y, 0) / seeds;
      return 2 * studentTail(Math.abs(mean) / (pool.deviation / Math.sqrt(seeds)), pool.degrees);
    });
    const rejected = rejectTests(p, 0.05);
    const wrong = rejected.filter((is, i) => is && (effects[i] ?? 0) === 0).length;
    sum += wrong / Math.max(1, rejected.filter(Boolean).length);
  }
  return sum / repetitions;
}

test('with the arms that claims share, wrong verdicts stay below the level', (t) => {
  // 4000 repetitions: the standard error of a part of 0.05 is 0.0034
  for (const effects of [
    Array.from({ length: 12 }, () => 0),
    Array.from({ length: 12 }, (_, i) => (i < 6 ? 4 : 0)),
  ]) {
    const part = wrongPart(effects, 4000);
    t.true(part <= 0.05 + 2 * 0.0034, `${effects}: ${part}`);
  }
});
