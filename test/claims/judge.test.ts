import test from 'ava';
import { joinVerdicts, judgeClaims, type MeasuredClaim } from '#src/claims/judge.js';
import { registerMeasure } from '#src/eval/measures.js';

const isNear = (a: number, b: number, by = 1e-5) => Math.abs(a - b) <= by;

/** A claim of arms with these values by seed; arms of one name are the same runs. */
function claim(
  arms: Readonly<Record<string, readonly (number | null)[]>>,
  { relation = 'better', measure = 'linear', noise = 0, resolution = 1e-6 }: Partial<Settings> = {},
): MeasuredClaim {
  const said = { name: 'c', statement: 's', source: 'p', measure, relation };
  return {
    claim: said,
    arms: Object.entries(arms).map(([name, values]) => ({ name, id: name, values, resolution, noise })),
  };
}
interface Settings {
  relation: 'better' | 'at least as good';
  measure: string;
  noise: number;
  resolution: number;
}

const verdictsOf = (...claims: MeasuredClaim[]) =>
  judgeClaims(claims).claims.flatMap(({ pairs }) => pairs.map(({ verdict }) => verdict));

test('one pair alone: the interval is that of paired differences', (t) => {
  const { claims, pools, tests } = judgeClaims([claim({ a: [0.5, 0.62, 0.71], b: [0.4, 0.5, 0.62] })]);
  const [pair] = claims[0]!.pairs;
  // differences 0.10, 0.12, 0.09: mean 0.10333, deviation 0.0152753
  const half = (4.30265 * 0.0152753) / Math.sqrt(3);
  t.is(pair!.seeds, 3);
  t.true(isNear(pair!.difference, 0.31 / 3, 1e-12));
  t.true(isNear(pair!.interval![0], 0.31 / 3 - half));
  t.true(isNear(pair!.interval![1], 0.31 / 3 + half));
  // two degrees of freedom: P(T > t) = 1/2 - t / (2 sqrt(2 + t^2)), two-sided
  const at = 0.31 / 3 / (0.0152753 / Math.sqrt(3));
  t.true(isNear(pair!.p!, 1 - at / Math.sqrt(2 + at * at)));
  t.is(pair!.verdict, 'holds');
  t.is(pools[0]!.degrees, 2);
  t.is(tests, 2, 'whether there is a difference, and whether it is within the margin');
});

test('pairs of a measure share a deviation, those of another do not', (t) => {
  const noisy = claim({ c: [0.5, 0.3, 0.6], d: [0.4, 0.5, 0.45] });
  const calm = claim({ a: [0.5, 0.51, 0.52], b: [0.4, 0.41, 0.42] });
  const { claims, pools } = judgeClaims([calm, noisy]);
  // sums of squares: none of the calm one; 0.1, -0.2, 0.15 about 1/60: 0.0716667
  t.true(isNear(pools[0]!.deviation!, Math.sqrt(0.0716667 / 4)));
  t.is(pools[0]!.degrees, 4);
  t.deepEqual(
    claims.map(({ pairs }) => pairs[0]!.deviation),
    [pools[0]!.deviation, pools[0]!.deviation],
  );
  const apart = judgeClaims([calm, { ...noisy, claim: { ...noisy.claim, measure: 'knn' } }]);
  t.deepEqual(
    apart.pools.map(({ measure }) => measure),
    ['linear', 'knn'],
  );
  t.is(apart.claims[0]!.pairs[0]!.deviation, 1e-6, 'no less than the resolution');
});

test('a deviation is at least what the test videos make', (t) => {
  const arms = { a: [0.61, 0.71, 0.81], b: [0.5, 0.6, 0.7] };
  t.deepEqual(verdictsOf(claim(arms)), ['holds']);
  const [judged] = judgeClaims([claim(arms, { noise: 0.07 })]).claims;
  t.true(isNear(judged!.pairs[0]!.deviation!, 0.07 * Math.SQRT2, 1e-12), 'of two arms');
  t.is(judged!.verdict, 'cannot tell');
  t.is(judgeClaims([claim(arms, { resolution: 0.2 })]).claims[0]!.verdict, 'cannot tell');
});

test('equal within the margin, and at least as good', (t) => {
  // differences 0.002, -0.001, 0.002: mean 0.001, deviation 0.001732, error 0.001; the margin is 29 of them away
  const alike = { a: [0.502, 0.599, 0.702], b: [0.5, 0.6, 0.7] };
  t.deepEqual(verdictsOf(claim(alike)), ['equal']);
  t.deepEqual(verdictsOf(claim(alike, { relation: 'at least as good' })), ['holds']);
  // a point behind with every seed: worse, but within the margin
  const behind = { a: [0.489, 0.59, 0.691], b: [0.5, 0.6, 0.7] };
  t.deepEqual(verdictsOf(claim(behind)), ['does not hold']);
  t.deepEqual(verdictsOf(claim(behind, { relation: 'at least as good' })), ['holds']);
  const far = { a: [0.4, 0.501, 0.599], b: [0.5, 0.6, 0.7] };
  t.deepEqual(verdictsOf(claim(far, { relation: 'at least as good' })), ['does not hold']);
  // of a measure without a margin neither can be told of arms that are alike
  registerMeasure({ name: 'plain', title: 'plain', run: async () => ({ value: 0, resolution: 0 }) });
  t.deepEqual(verdictsOf(claim(alike, { measure: 'plain' })), ['cannot tell']);
  t.deepEqual(verdictsOf(claim(alike, { measure: 'plain', relation: 'at least as good' })), ['cannot tell']);
});

test('many tests ask more of each', (t) => {
  // p = 0.03 alone is enough; beside nineteen pairs that show nothing it is not
  const one = (name: string, mean: number) =>
    claim(
      { [`${name}1`]: [mean - 0.1, mean, mean + 0.1], [`${name}2`]: [0, 0, 0] },
      { measure: 'shift-probe' },
    );
  const many = Array.from({ length: 19 }, (_, i) => one(`n${i}`, 0.001 * i));
  const difference = 0.15;
  const all = judgeClaims([one('x', difference), ...many]);
  t.true(all.claims[0]!.pairs[0]!.p! < 0.05, `${all.claims[0]!.pairs[0]!.p}`);
  t.is(all.claims[0]!.verdict, 'cannot tell');
  t.is(all.tests, 20, 'no margin, no test of it');
  t.is(judgeClaims([one('x', 0.5), ...many]).claims[0]!.verdict, 'holds');
});

test('seeds that failed, one seed, none', (t) => {
  const [judged] = judgeClaims([claim({ a: [0.9, null, 0.8], b: [0.1, 0.2, null] })]).claims;
  t.like(judged!.pairs[0]!, { seeds: 1, interval: null, p: null, deviation: null, verdict: 'cannot tell' });
  t.true(isNear(judged!.pairs[0]!.difference, 0.8, 1e-12));
  t.deepEqual(judged!.arms[0]!.values, [0.9, null, 0.8]);
  t.deepEqual(verdictsOf(claim({ a: [null], b: [0.1] })), ['cannot tell']);
  t.deepEqual(verdictsOf(claim({ a: [0.9], b: [0.1] }), claim({ c: [0.5, 0.6], d: [0.1, 0.2] })), [
    'cannot tell',
    'holds',
  ]);
  t.throws(() => judgeClaims([claim({ a: [0.9], b: [0.1, 0.2] })]), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
});

test('an ordering of several arms', (t) => {
  t.is(joinVerdicts(['holds', 'holds']), 'holds');
  t.is(joinVerdicts(['holds', 'cannot tell']), 'cannot tell');
  t.is(joinVerdicts(['equal', 'cannot tell']), 'cannot tell');
  t.is(joinVerdicts(['cannot tell', 'does not hold']), 'does not hold');
  t.is(joinVerdicts(['equal', 'holds']), 'equal');
  t.is(joinVerdicts([]), 'cannot tell');
});
