import test from 'ava';
import {
  drawSyntheticSource,
  FLIPPED_MOTION,
  planSyntheticSet,
  SYNTHETIC_MOTIONS,
  SYNTHETIC_PAIRS,
} from '#src/data/synthetic.js';

test('a clip depends on seed, index and split alone', (t) => {
  t.deepEqual(drawSyntheticSource(3, 17), drawSyntheticSource(3, 17));
  t.notDeepEqual(drawSyntheticSource(3, 17).source, drawSyntheticSource(4, 17).source);
  t.notDeepEqual(drawSyntheticSource(3, 17).source, drawSyntheticSource(3, 33).source);
  t.notDeepEqual(drawSyntheticSource(3, 17).source, drawSyntheticSource(3, 17, { split: 'test' }).source);
});

test('motions come in turn, and pairs and flips cover them', (t) => {
  const rows = planSyntheticSet({ seed: 1, count: 32 });
  t.deepEqual(
    rows.map((row) => row.label),
    [...SYNTHETIC_MOTIONS, ...SYNTHETIC_MOTIONS],
  );
  t.true(rows.every((row) => row.source.motion === SYNTHETIC_MOTIONS.indexOf(row.label)));
  t.deepEqual(SYNTHETIC_PAIRS.flat(), [...SYNTHETIC_MOTIONS]);
  for (const motion of SYNTHETIC_MOTIONS) t.is(FLIPPED_MOTION[FLIPPED_MOTION[motion]], motion);
});

test('every class has the same distribution of what a single frame shows', (t) => {
  const count = 16 * 400;
  const sums = new Map<string, number[]>();
  for (let i = 0; i < count; i++) {
    const { source, label } = drawSyntheticSource(5, i);
    const values = [source.x, source.y, source.angle, source.size, source.speed] as number[];
    const sum = sums.get(label) ?? values.map(() => 0);
    values.forEach((v, k) => {
      sum[k] = (sum[k] as number) + v / 400;
    });
    sums.set(label, sum);
  }
  const means = [...sums.values()];
  const spreads = [0.289, 0.289, 0.289, 0.038, 0.087];
  for (const [k, spread] of spreads.entries()) {
    const column = means.map((m) => m[k] as number);
    // Sixteen means of 400 draws each: six standard errors apart happens to one set in thousands.
    t.true(Math.max(...column) - Math.min(...column) < (6 * spread) / 20, `parameter ${k}`);
  }
});

test('a sprite appears with many motions', (t) => {
  const motions = new Map<string, Set<string>>();
  for (const row of planSyntheticSet({ seed: 2, count: 512, appearances: 8 })) {
    const seen = motions.get(row.factors.sprite) ?? new Set<string>();
    motions.set(row.factors.sprite, seen.add(row.label));
  }
  t.is(motions.size, 8);
  for (const seen of motions.values()) t.true(seen.size >= 14);
});

test('scenes: backgrounds that tell the motion, or the same ones that do not', (t) => {
  const set = (scenes: 'own' | 'class' | 'shuffled', split: string) =>
    planSyntheticSet({ seed: 2, count: 320, scenes, split });
  const looks = (rows: ReturnType<typeof set>) => {
    const all = new Map<string, Set<string>>();
    for (const { factors, label } of rows)
      all.set(factors.background, (all.get(factors.background) ?? new Set()).add(label));
    return all;
  };
  const told = looks(set('class', 'train'));
  t.is(told.size, 16);
  for (const labels of told.values()) t.is(labels.size, 1);
  const shuffled = looks(set('shuffled', 'test'));
  t.deepEqual([...shuffled.keys()].sort(), [...told.keys()].sort());
  for (const labels of shuffled.values()) t.true(labels.size > 8);
  const [own, scene] = [set('own', 'train'), set('class', 'train')];
  own.forEach(({ source }, i) => {
    t.deepEqual({ ...source, background: null }, { ...scene[i]!.source, background: null });
  });
  t.throws(() => drawSyntheticSource(1, 0, { scenes: 'other' as 'own' }), {
    code: 'ERR_VSSL_INVALID_ARGUMENT',
    message: /scenes/,
  });
});

test('rows have class folders, times at the frame rate, and checked options', (t) => {
  const [row] = planSyntheticSet({
    seed: 1,
    count: 1,
    classes: ['zoom-in'],
    split: 'test',
    fps: 10,
    seconds: 1,
  });
  t.is(row?.name, 'zoom-in/test_00000');
  t.is(row?.times.length, 10);
  t.is(row?.times[3], 0.3);
  const code = 'ERR_VSSL_INVALID_ARGUMENT';
  t.throws(() => planSyntheticSet({ seed: 1, count: 0 }), { code });
  t.throws(() => drawSyntheticSource(1, -1), { code });
  t.throws(() => drawSyntheticSource(1, 0, { classes: [] }), { code });
  t.throws(() => drawSyntheticSource(1, 0, { classes: ['wobble' as 'up'] }), { code, message: /wobble/ });
  t.throws(() => drawSyntheticSource(1, 0, { pixels: 4 }), { code });
  t.throws(() => drawSyntheticSource(1, 0, { fps: 0 }), { code });
  t.throws(() => drawSyntheticSource(1, 0, { seconds: Number.NaN }), { code });
});
