import test from 'ava';
import { Rng } from '#src/data/rng.js';
import { whiten } from '#src/search/whiten.js';

const DIM = 12;

/** Vectors that have much in common, and differ a lot along the first number and hardly along the last. */
function likeEncoders(count: number, seed: number): Float32Array {
  const rng = new Rng('whiten', seed);
  return Float32Array.from({ length: count * DIM }, (_, at) => {
    const d = at % DIM;
    return 3 + d + rng.normal() * 2 ** (1 - d / 2);
  });
}

const row = (rows: Float32Array, i: number) => rows.subarray(i * DIM, (i + 1) * DIM);
const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, value, d) => sum + value * b[d]!, 0);

/** x with A x = b by elimination, for a symmetric positive A. */
function solved(matrix: readonly (readonly number[])[], b: readonly number[]): number[] {
  const rows = matrix.map((line, i) => [...line, b[i]!]);
  for (const [i, line] of rows.entries())
    for (const [j, other] of rows.entries()) {
      if (i === j) continue;
      const factor = other[i]! / line[i]!;
      for (const [k, value] of line.entries()) other[k]! -= factor * value;
    }
  return rows.map((line, i) => line.at(-1)! / line[i]!);
}

test('cosines of whitened vectors are those of x (C + 0.3 mean variance)^-1 y', async (t) => {
  const count = 300;
  const given = likeEncoders(count, 1);
  const means = Array.from({ length: DIM }, (_, d) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += given[i * DIM + d]!;
    return sum / count;
  });
  const centred = Array.from({ length: count }, (_, i) => means.map((mean, d) => given[i * DIM + d]! - mean));
  const spread = means.map((_, a) =>
    means.map((__, b) => centred.reduce((sum, x) => sum + x[a]! * x[b]!, 0) / count),
  );
  const trace = spread.reduce((sum, line, i) => sum + line[i]!, 0);
  const shrunk = spread.map((line, i) => line.map((value, j) => value + (i === j ? (0.3 * trace) / DIM : 0)));
  const product = (i: number, j: number) => dot(solved(shrunk, centred[i]!), centred[j]!);
  const rows = Float32Array.from(given);
  await whiten(rows, DIM);
  for (let i = 0; i < 20; i++) {
    const expected = product(i, i + 1) / Math.sqrt(product(i, i) * product(i + 1, i + 1));
    t.true(Math.abs(dot(row(rows, i), row(rows, i + 1)) - expected) < 1e-5);
    t.true(Math.abs(dot(row(rows, i), row(rows, i)) - 1) < 1e-5);
  }
});

test('vectors that all point the same way are told apart, and copies stay alike', async (t) => {
  const rows = likeEncoders(200, 2);
  const rng = new Rng('copies');
  for (let i = 100; i < 200; i++)
    for (let d = 0; d < DIM; d++)
      rows[i * DIM + d] = rows[(i - 100) * DIM + d]! + 0.2 * rng.normal() * 2 ** (1 - d / 2);
  const cosine = (a: Float32Array, b: Float32Array) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  t.true(cosine(row(rows, 0), row(rows, 1)) > 0.95);
  await whiten(rows, DIM);
  let [others, copies] = [0, 0];
  for (let i = 0; i < 99; i++) {
    others += dot(row(rows, i), row(rows, i + 1)) / 99;
    copies += dot(row(rows, i), row(rows, i + 100)) / 99;
  }
  t.true(Math.abs(others) < 0.1 && copies > 0.9, `${others}, ${copies}`);
});

test('fewer vectors than numbers, equal ones, one that is the mean, an aborted signal', async (t) => {
  const few = likeEncoders(4, 3);
  await whiten(few, DIM);
  t.true(few.every(Number.isFinite));
  const equal = new Float32Array(5 * DIM).fill(0.5);
  await whiten(equal, DIM);
  t.true(equal.every((value) => value === 0));
  await whiten(new Float32Array(0), DIM);
  const stopped = await whiten(likeEncoders(2000, 4), DIM, AbortSignal.abort()).catch(({ name }) => name);
  t.is(stopped, 'AbortError');
});
