import test from 'ava';
import type { ClipFormat } from '#src/data/clip-plan.js';
import type { VideoFacts } from '#src/data/plan.js';
import { Rng } from '#src/data/rng.js';
import type { VideoRow } from '#src/data/rows.js';
import type { ClipEmbedder } from '#src/embed/features.js';
import { featureMatrix } from '#src/eval/feature-matrix.js';
import {
  fitShiftProbe,
  measureShiftProbe,
  planShiftWindows,
  shiftPenalties,
  type WindowFeatures,
} from '#src/eval/shift-probe.js';
import type { NativeLoader } from '#src/native/bindings.js';

/** `videos` videos of 4 windows at drawn times; `make` gives the features of a window that begins at `start`. */
function windows(
  videos: number,
  first: number,
  make: (start: number, rng: Rng, video: Rng) => number[],
): WindowFeatures {
  const starts: number[] = [];
  const rows: number[][] = [];
  const of: number[] = [];
  for (let v = 0; v < videos; v++)
    for (let w = 0; w < 4; w++) {
      const rng = new Rng(first + v, 'window', w);
      const start = rng.uniform(0, 5);
      starts.push(start);
      rows.push(make(start, rng, new Rng(first + v, 'video')));
      of.push(first + v);
    }
  return { features: featureMatrix(Float32Array.from(rows.flat()), rows[0]!.length), starts, videos: of };
}

const noise = (rng: Rng, count: number) => Array.from({ length: count }, () => rng.normal());

test('a feature that holds the time is read exactly, whatever else varies from video to video', (t) => {
  const make = (start: number, rng: Rng, video: Rng) => {
    const [a, b] = [video.normal(), video.normal()];
    return [3 * a, start + 2 * a, b - 0.5 * start, ...noise(rng, 5)];
  };
  const result = fitShiftProbe(windows(60, 0, make), windows(20, 1000, make));
  t.true(result.r2 > 0.999, String(result.r2));
  t.true(result.rmse < 0.05);
  t.is(result.penalty, shiftPenalties.at(-1)!);
  t.is(result.pairs, 20 * 12);
});

test('features without the time give nothing, and the penalty keeps them from giving less', (t) => {
  const make = (_: number, rng: Rng, video: Rng) => [...noise(video, 10), ...noise(rng, 10)];
  const result = fitShiftProbe(windows(40, 0, make), windows(40, 1000, make));
  t.true(Math.abs(result.r2) < 0.05, String(result.r2));
  t.is(result.penalty, shiftPenalties[0]!);
});

test('what cannot be told from the magnitude of a difference is not: the shift has a sign', (t) => {
  const make = (start: number, rng: Rng, video: Rng) => [
    (video.bool(0.5) ? 1 : -1) * start,
    ...noise(rng, 3),
  ];
  const result = fitShiftProbe(windows(80, 0, make), windows(40, 1000, make));
  t.true(result.r2 < 0.1, String(result.r2));
});

/** The regression on [f_i, f_j, f_j - f_i] over both orders as it is defined, by gradient descent on its normal equations. */
function fitDirectly(train: WindowFeatures, test: WindowFeatures, penalty: number): number {
  const rowsOf = ({ features: { data, dim, rows }, starts, videos }: WindowFeatures) => {
    const x: number[][] = [];
    const y: number[] = [];
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < rows; j++) {
        if (i === j || videos[i] !== videos[j]) continue;
        const [f, g] = [i, j].map((row) => [...data.subarray(row * dim, (row + 1) * dim)]) as [
          number[],
          number[],
        ];
        x.push([...f, ...g, ...g.map((value, c) => value - f[c]!)]);
        y.push(starts[j]! - starts[i]!);
      }
    return { x, y };
  };
  const known = rowsOf(train);
  const n = known.x.length;
  const columns = known.x[0]!.length;
  const mean = Array.from({ length: columns }, (_, c) => known.x.reduce((sum, row) => sum + row[c]! / n, 0));
  const deviation = mean.map((m, c) =>
    Math.sqrt(known.x.reduce((sum, row) => sum + (row[c]! - m) ** 2 / n, 0)),
  );
  const scaled = (rows: number[][]) =>
    rows.map((row) => row.map((value, c) => (value - mean[c]!) / deviation[c]!));
  const x = scaled(known.x);
  let w = new Array<number>(columns).fill(0);
  for (let step = 0; step < 4000; step++) {
    const slope = w.map((weight) => penalty * weight);
    for (let i = 0; i < n; i++) {
      const residual = x[i]!.reduce((sum, value, c) => sum + value * w[c]!, 0) - known.y[i]!;
      for (let c = 0; c < columns; c++) slope[c]! += (residual * x[i]![c]!) / n;
    }
    w = w.map((weight, c) => weight - 0.1 * slope[c]!);
  }
  const unseen = rowsOf(test);
  const z = scaled(unseen.x);
  let error = 0;
  let total = 0;
  unseen.y.forEach((y, i) => {
    error += (y - z[i]!.reduce((sum, value, c) => sum + value * w[c]!, 0)) ** 2;
    total += y ** 2;
  });
  return 1 - error / total;
}

test('the difference alone gives what the regression on all three parts gives', (t) => {
  const make = (start: number, rng: Rng, video: Rng) => [
    start + 3 * rng.normal(),
    video.normal() + 0.5 * rng.normal(),
    2 * rng.normal(),
  ];
  const [train, unseen] = [windows(15, 0, make), windows(10, 1000, make)];
  const { r2, penalty } = fitShiftProbe(train, unseen);
  t.true(Math.abs(r2 - fitDirectly(train, unseen, penalty)) < 1e-5, `${r2}`);
});

const FORMAT: ClipFormat = {
  clip: { frames: 4, stride: 2, size: 16, fps: null },
  input: 'rgb',
  shrink: 'auto',
  mean: [0, 0, 0],
  std: [1, 1, 1],
};
const rowOf = (id: string): VideoRow => ({
  id,
  path: id,
  label: undefined,
  group: undefined,
  start: undefined,
  end: undefined,
  extra: {},
  source: { kind: 'file', path: id },
});
const factsOf = (frames: number): VideoFacts => ({
  path: 'a',
  codec: 'x',
  width: 32,
  height: 24,
  times: Float64Array.from({ length: frames }, (_, i) => i / 10),
  end: frames / 10,
  warnings: [],
});

test('windows are centre squares at times that hang on the seed and the row alone', (t) => {
  const plan = (id: string, seed: number) =>
    planShiftWindows({ row: rowOf(id), facts: factsOf(100), format: FORMAT, windows: 4, seed });
  t.deepEqual(plan('a', 0), plan('a', 0));
  t.notDeepEqual(plan('a', 0), plan('a', 1));
  t.notDeepEqual(
    plan('a', 0).map(({ times }) => times),
    plan('b', 0).map(({ times }) => times),
  );
  for (const { times, augment } of plan('a', 0)) {
    t.is(times.length, 4);
    t.deepEqual(augment[0]!.crop, [0.125, 0, 0.875, 1]);
    t.false(augment[0]!.flip);
  }
});

test('an encoder is measured over its videos; those that cannot be used are left out', async (t) => {
  const rows = Array.from({ length: 12 }, (_, i) => rowOf(`v${i}`));
  const loader = {
    load: async (plan: { views: { clips: { times: number[] }[] }[] }) => ({
      batch: { starts: plan.views[0]!.clips!.map(({ times }) => times[0]!), dispose: () => {} },
      failures: [],
    }),
  } as unknown as NativeLoader;
  const embedder = {
    embed: async (batch: unknown) =>
      Float32Array.from((batch as { starts: number[] }).starts.flatMap((start) => [1, start])),
  } as ClipEmbedder;
  const getFacts = async (row: VideoRow) => {
    if (row.id === 'v3') throw new Error('broken');
    return factsOf(80);
  };
  const numbers = rows.map((_, i) => i);
  const options = { loader, embedder, format: FORMAT, rows, getFacts };
  const result = await measureShiftProbe({ ...options, train: numbers.slice(0, 8), test: numbers.slice(8) });
  t.true(result.r2 > 0.999, String(result.r2));
  t.is(result.pairs, 4 * 12);
  const short = { ...options, getFacts: async () => factsOf(3), train: [0], test: [1] };
  const still = { ...short, embedder: { embed: async () => new Float32Array(8) } };
  await t.throwsAsync(measureShiftProbe({ ...still, getFacts: async () => factsOf(1) }), {
    code: 'ERR_VSSL_DATA',
  });
  await t.throwsAsync(measureShiftProbe({ ...options, windows: 1, train: [0], test: [1] }), {
    code: 'ERR_VSSL_INVALID_ARGUMENT',
  });
});
