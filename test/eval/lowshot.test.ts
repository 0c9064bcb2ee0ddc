import { mkdirSync } from 'node:fs';
import test from 'ava';
import { Rng } from '#src/data/rng.js';
import { evaluate } from '#src/eval/evaluate.js';
import { featureMatrix } from '#src/eval/feature-matrix.js';
import { bothDrawn, drawShots, scoreLowshot } from '#src/eval/lowshot.js';
import { loadEngine } from '#src/native/load.js';
import { scratch, writeTinyWeights } from '../embed/make-videos.js';

const { file, remove } = scratch();
test.after.always(remove);

test('draws: so many of each class, all of a smaller one, those of fewer shots among those of more', (t) => {
  const labels = Array.from({ length: 60 }, (_, i) => (i < 3 ? 2 : i % 2));
  const five = drawShots(labels, 5, new Rng(0, 'low-shot', 'test', 0));
  const of = (places: readonly number[], label: number) => places.filter((place) => labels[place] === label);
  t.deepEqual(
    [0, 1, 2].map((label) => of(five, label).length),
    [5, 5, 3],
  );
  t.is(new Set(five).size, five.length);
  const one = drawShots(labels, 1, new Rng(0, 'low-shot', 'test', 0));
  t.true(one.every((place) => five.includes(place)));
  t.notDeepEqual(drawShots(labels, 5, new Rng(0, 'low-shot', 'test', 1)), five);
});

test('the interval is that of both draws: wider than that of the videos alone', (t) => {
  const rows = 200;
  const steady = Array.from({ length: 10 }, () =>
    Uint8Array.from({ length: rows }, (_, i) => (i % 2 ? 1 : 0)),
  );
  const moody = steady.map((_, draw) => new Uint8Array(rows).fill(draw % 2));
  const groups = Array.from({ length: rows }, () => undefined);
  const [low, high] = bothDrawn(steady, groups);
  const half = 1.96 * Math.sqrt(0.25 / rows);
  t.true(Math.abs((high - low) / 2 - half) < 0.15 * half);
  const [least, most] = bothDrawn(moody, groups);
  const ofDraws = 1.96 * Math.sqrt(0.25 / 10);
  t.true(Math.abs((most - least) / 2 - ofDraws) < 0.2 * ofDraws);
});

test('more labels tell more; scores of every draw, from features that tell the class', async (t) => {
  const classes = 6;
  const dim = 12;
  const rng = new Rng(3, 'blobs');
  const rows = 240;
  const data = Float32Array.from({ length: rows * dim }, (_, i) => {
    const [row, d] = [Math.floor(i / dim), i % dim];
    return (d === row % classes ? 2 : 0) + rng.normal();
  });
  const labelled = {
    classes: Int32Array.from({ length: rows }, (_, row) => row % classes),
    labels: Array.from({ length: classes }, (_, c) => `c${c}`),
    groups: Array.from({ length: rows }, () => undefined),
    splits: [
      {
        name: 'test',
        train: Array.from({ length: 120 }, (_, i) => i),
        test: Array.from({ length: 120 }, (_, i) => 120 + i),
      },
    ],
  };
  const settings = { shots: [1, 5, 10], draws: 8, seed: 0, weightDecay: 0.1 };
  const features = featureMatrix(data, dim);
  const { shots } = await scoreLowshot(loadEngine(), features, labelled, settings);
  t.deepEqual(
    shots.map(({ train }) => train),
    [6, 30, 60],
  );
  const [one, five, ten] = shots.map(({ accuracy }) => accuracy);
  t.true(one! < five! && five! < ten!, `${one} ${five} ${ten}`);
  for (const { draws, accuracy, interval, top5, drawSpread } of shots) {
    t.is(draws.length, 8);
    t.true(Math.abs(draws.reduce((a, b) => a + b, 0) / 8 - accuracy) < 1e-9);
    t.true(interval[0] < accuracy && accuracy < interval[1]);
    t.true(top5!.accuracy >= accuracy);
    t.true(drawSpread > 0);
  }
  t.deepEqual(await scoreLowshot(loadEngine(), features, labelled, settings), { shots });
});

test('low-shot of videos: beside the untrained encoder and the floors, and what few videos mean', async (t) => {
  mkdirSync(file('run'), { recursive: true });
  await writeTinyWeights(file('run/weights.safetensors'));
  const set = (split: string) => `synthetic:motion?split=${split}&count=48&pixels=32&appearances=4`;
  const options = {
    protocol: 'lowshot',
    weights: file('run'),
    train: set('train'),
    test: set('test'),
    windows: 1,
  } as const;
  const result = await evaluate({ ...options, shots: [1, 5], draws: 3, floors: true, baseline: 'random' });
  for (const score of [result.trained, result.random!, ...Object.values(result.floors!)]) {
    t.deepEqual(
      score.shots.map(({ shots, train, count }) => [shots, train, count]),
      [
        [1, 16, 48],
        [5, 48, 48],
      ],
    );
  }
  t.true(result.warnings.some((warning) => /fewer than 5 training videos/.test(warning)));
  t.deepEqual(result.settings.shots, [1, 5]);
  await t.throwsAsync(evaluate({ ...options, shots: [] }), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
  await t.throwsAsync(evaluate({ ...options, shots: [0] }), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
  await t.throwsAsync(evaluate({ ...options, draws: 0 }), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
});
