import test from 'ava';
import { featureMatrix } from '#src/eval/feature-matrix.js';
import { placeSideBySide } from '#src/eval/side-by-side.js';

test('features of two encoders: each of mean 0 and deviation 1 over the known rows, and of equal weight', (t) => {
  // known rows 0 and 2; the second column of the first never varies there
  const a = featureMatrix(Float32Array.of(1, 5, 9, 9, 3, 5), 2);
  const b = featureMatrix(Float32Array.of(-100, 0, 300), 1);
  const { data, rows, dim } = placeSideBySide(a, b, [0, 2]);
  t.deepEqual([rows, dim], [3, 3]);
  // of a: mean 2, deviation 1, over the root of 2; of b: mean 100, deviation 200
  const expected = [-1 / Math.SQRT2, 0, -1, 7 / Math.SQRT2, 0, -0.5, 1 / Math.SQRT2, 0, 1];
  expected.forEach((value, i) => {
    t.true(Math.abs(data[i]! - value) < 1e-6, `${i}: ${data[i]} ${value}`);
  });
  // the size of one encoder's numbers decides nothing
  const large = featureMatrix(
    Float32Array.from(a.data, (value) => 1000 * value),
    2,
  );
  placeSideBySide(large, b, [0, 2]).data.forEach((value, i) => {
    t.true(Math.abs(value - data[i]!) < 1e-5);
  });
});
