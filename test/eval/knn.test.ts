import test from 'ava';
import { featureMatrix } from '#src/eval/feature-matrix.js';
import { classifyKnn } from '#src/eval/knn.js';

const matrix = (rows: number[][]) => featureMatrix(Float32Array.from(rows.flat()), rows[0]!.length);
/** Unit vectors at these angles in degrees: the angle between two is their distance. */
const angles = (...degrees: number[]) =>
  matrix(degrees.map((d) => [Math.cos((d * Math.PI) / 180), Math.sin((d * Math.PI) / 180)]));

test('the majority of the k nearest decides', async (t) => {
  const train = angles(1, 10, 12, 14, 90);
  const labels = Int32Array.of(0, 1, 1, 1, 2);
  const ask = async (k: number) => (await classifyKnn(train, labels, angles(0), { k })).predictions[0];
  t.is(await ask(1), 0);
  t.is(await ask(3), 1);
  t.is(await ask(5), 1);
  t.is(await ask(50), 1, 'k above the training set takes all of it');
});

test('ties go to the larger sum of similarities, then to the nearer, then to the lower class', async (t) => {
  const query = angles(0);
  // two votes each: class 1 at 2 and 3 degrees, class 0 at 1 and 40
  const bySum = await classifyKnn(angles(1, 40, 2, 3), Int32Array.of(0, 0, 1, 1), query, { k: 4 });
  t.is(bySum.predictions[0], 1);
  // one vote each: the nearer has the larger sum as well
  const byNearest = await classifyKnn(angles(5, 2), Int32Array.of(0, 1), query, { k: 2 });
  t.is(byNearest.predictions[0], 1);
  // all alike: the lower class, whatever the order of the rows
  t.is((await classifyKnn(angles(7, 7), Int32Array.of(1, 0), query, { k: 2 })).predictions[0], 0);
  t.is((await classifyKnn(angles(7, 7), Int32Array.of(0, 1), query, { k: 2 })).predictions[0], 0);
});

test('softmax votes weigh near neighbours more', async (t) => {
  const train = angles(1, 60, 61);
  const labels = Int32Array.of(0, 1, 1);
  t.is((await classifyKnn(train, labels, angles(0), { k: 3 })).predictions[0], 1);
  t.is((await classifyKnn(train, labels, angles(0), { k: 3, weighting: 'softmax' })).predictions[0], 0);
  t.is(
    (await classifyKnn(train, labels, angles(0), { k: 3, weighting: 'softmax', temperature: 100 }))
      .predictions[0],
    1,
  );
});

test('wrong arguments are refused before any work', async (t) => {
  const invalid = { code: 'ERR_VSSL_INVALID_ARGUMENT' };
  const train = angles(0, 1);
  const ask = (labels: number[], options: object) =>
    classifyKnn(train, Int32Array.from(labels), angles(0), options);
  await t.throwsAsync(ask([0], {}), invalid);
  await t.throwsAsync(ask([0, 1], { k: 0 }), invalid);
  await t.throwsAsync(ask([0, 1], { k: 1.5 }), invalid);
  await t.throwsAsync(ask([0, 1], { weighting: 'best' }), invalid);
  await t.throwsAsync(ask([0, 1], { temperature: 0 }), invalid);
  await t.throwsAsync(ask([0, 1], { temperature: Number.NaN }), invalid);
});
