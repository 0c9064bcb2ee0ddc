import { writeFileSync } from 'node:fs';
import test from 'ava';
import type { VideoRow } from '#src/data/rows.js';
import { loadEvaluationData } from '#src/eval/evaluation-data.js';
import { probeFactor, readFactors } from '#src/eval/factors.js';
import type { FeatureMatrix } from '#src/eval/feature-matrix.js';
import { gramMatrix, predictRidge, solveInPlace } from '#src/eval/kernel-ridge.js';
import { scoreMerged } from '#src/eval/protocols.js';
import { scratch } from '../embed/make-videos.js';

const { file, remove } = scratch();
test.after.always(remove);

/** A generator good enough for features; the same on every machine. */
function noise(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

const row = (label: string, extra: Record<string, unknown>): VideoRow => ({
  id: label,
  path: label,
  label,
  group: undefined,
  start: undefined,
  end: undefined,
  extra,
  source: { kind: 'file', path: label },
});

const matrix = (rows: readonly (readonly number[])[]): FeatureMatrix => ({
  data: Float32Array.from(rows.flat()),
  rows: rows.length,
  dim: rows[0]!.length,
});

test('solveInPlace and predictRidge agree with the formula written out', (t) => {
  // (X'X/n + penalty)^-1 X'y/n for one feature, by hand
  const x = [1, -1, 2, -2];
  const y = [2, -1, 5, -2];
  const features = matrix(x.map((v) => [v]));
  const [sxx, sxy] = [10, 2 + 1 + 10 + 4];
  const penalty = 0.5;
  const w = sxy / (sxx + 4 * penalty);
  const out = predictRidge(gramMatrix(features), 4, Float64Array.from(y), 1, [0, 1, 2, 3], [0, 3], penalty);
  t.true(Math.abs(out[0]! - (1 + w)) < 1e-12);
  t.true(Math.abs(out[1]! - (1 - 2 * w)) < 1e-12);
  const b = Float64Array.of(1, 2);
  solveInPlace(Float64Array.of(4, 2, 2, 3), 2, b, 1);
  t.true(Math.abs(b[0]! + 1 / 8) < 1e-12 && Math.abs(b[1]! - 3 / 4) < 1e-12);
});

test('factors that the features hold are found, those that they lack are at chance', async (t) => {
  const next = noise(7);
  const rows: VideoRow[] = [];
  const features: number[][] = [];
  for (let i = 0; i < 400; i++) {
    const [speed, size, shape, hidden] = [next(), next(), i % 4, Math.floor(2 * next() + 2)];
    rows.push(
      row(shape < 2 ? 'a' : 'b', {
        merged: 'x',
        speed,
        size: i % 8 === 0 ? undefined : size,
        shape: `s${shape}`,
        hidden: `h${hidden}`,
        color: `${speed} ${size}`,
      }),
    );
    features.push([
      speed + 0.3 * size,
      size - 0.5 * speed,
      shape === 0 ? 1 : 0,
      shape === 1 ? 1 : 0,
      shape === 2 ? 1 : 0,
      ...Array.from({ length: 12 }, next),
    ]);
  }
  const { factors, warnings } = readFactors(rows);
  t.deepEqual(
    factors.map(({ name, kind, size }) => [name, kind, size]),
    [
      ['label', 'category', 2],
      ['speed', 'number', 1],
      ['size', 'number', 1],
      ['shape', 'category', 4],
      ['hidden', 'category', 4],
      ['color', 'number', 2],
    ],
  );
  t.deepEqual(warnings, []);
  t.is(factors[2]!.rows.length, 350);
  const scores = new Map<string, number>();
  for (const factor of factors) {
    const { value, interval } = await probeFactor(matrix(features), factor);
    t.true(interval[0] <= value && value <= interval[1], factor.name);
    scores.set(factor.name, value);
  }
  for (const name of ['speed', 'size', 'color']) t.true(scores.get(name)! > 0.98, name);
  for (const name of ['label', 'shape']) t.is(scores.get(name), 1, name);
  const hidden = factors[4]!;
  t.true(Math.abs(scores.get('hidden')! - hidden.chance) < 0.1, String(scores.get('hidden')));
  const blind = matrix(features.map((f) => f.slice(5)));
  t.true(Math.abs((await probeFactor(blind, factors[1]!)).value) < 0.1, 'R^2 of what is not there');
  t.true(Math.abs((await probeFactor(blind, factors[0]!)).value - 0.5) < 0.1);
});

test('columns are named, and what cannot be probed is told', (t) => {
  const rows = Array.from({ length: 20 }, (_, i) => row(i % 2 ? 'a' : 'b', { note: `only ${i}`, same: 5 }));
  const { factors, warnings } = readFactors(rows);
  t.deepEqual(
    factors.map(({ name }) => name),
    ['label'],
  );
  t.is(warnings.length, 2);
  t.regex(warnings[0]!, /'note'/);
  t.is(readFactors(rows, ['label']).warnings.length, 0);
  t.throws(() => readFactors(rows, ['notes']), { code: 'ERR_VSSL_USAGE', message: /label, note, same/ });
});

test('merged classes: the same predictions, confusions inside a merged class forgiven', (t) => {
  // right, left, up
  const score = scoreMerged([0, 0, 1, 1, 2, 2], [0, 1, 0, 2, 2, 0], ['h', 'h', 'up']);
  t.is(score.classes, 2);
  t.is(score.correct, 4);
  t.true(Math.abs(score.accuracy - 4 / 6) < 1e-12);
  t.true(Math.abs(score.chance - (4 * (2 / 3) + 2 * (1 / 3)) / 6) < 1e-12);
});

test('the column merged belongs to the label', async (t) => {
  const csv = (...lines: string[]) => {
    writeFileSync(file('m.csv'), ['path,label,group,merged', ...lines].join('\n'));
    return loadEvaluationData({ data: file('m.csv'), folds: 'group' });
  };
  const data = await csv('a.mp4,left,1,side', 'b.mp4,right,2,side', 'c.mp4,up,1,');
  t.deepEqual(data.labels, ['left', 'right', 'up']);
  t.deepEqual(data.merged, ['side', 'side', 'up']);
  await t.throwsAsync(csv('a.mp4,left,1,side', 'b.mp4,left,2,other'), {
    code: 'ERR_VSSL_DATA',
    message: /'side'.*'left'.*'other'/,
  });
});
