import test from 'ava';
import { featureMatrix } from '#src/eval/feature-matrix.js';
import { retrieveByLabel, retrieveInstance } from '#src/eval/retrieval.js';

const angles = (...degrees: number[]) =>
  featureMatrix(
    Float32Array.from(degrees.flatMap((d) => [Math.cos((d * Math.PI) / 180), Math.sin((d * Math.PI) / 180)])),
    2,
  );

test('label retrieval counts a query once any of its k nearest has its label', async (t) => {
  const gallery = angles(0, 10, 20, 30, 40, 50);
  const galleryLabels = Int32Array.of(0, 1, 1, 2, 2, 0);
  // query at 1 degree: order of the gallery is its own order
  const query = angles(1, 1, 1, 1);
  const labels = Int32Array.of(0, 1, 2, 3);
  const result = await retrieveByLabel(query, labels, gallery, galleryLabels, { ranks: [1, 2, 4, 6, 7] });
  t.deepEqual([...result.ranks], [1, 2, 4, 0]);
  t.deepEqual(result.recall, { 1: 0.25, 2: 0.5, 4: 0.75, 6: 0.75 }, 'no k above the gallery');
  t.is(result.unmatched, 1);
  t.is(result.medianRank, 2);
  // each label has 2 of 6: chance at 1 is 1/3 for three queries and 0 for the one without a match
  t.true(Math.abs(result.chance[1]! - 0.25) < 1e-12);
  // at 2: 1 - (4/6)(3/5) = 0.6
  t.true(Math.abs(result.chance[2]! - 0.45) < 1e-12);
  t.true(Math.abs(result.chance[6]! - 0.75) < 1e-12);
});

test('instance retrieval asks for the one row of the same number', async (t) => {
  const gallery = angles(0, 30, 60, 90);
  const result = await retrieveInstance(angles(1, 29, 40, 1), gallery, { ranks: [1, 2, 4] });
  t.deepEqual([...result.ranks], [1, 1, 2, 4]);
  t.deepEqual(result.recall, { 1: 0.5, 2: 0.75, 4: 1 });
  t.deepEqual(result.chance, { 1: 0.25, 2: 0.5, 4: 1 });
  t.is(result.medianRank, 1.5);
});

test('an encoder that gives every video one vector, or NaN, gets chance at best', async (t) => {
  const same = angles(5, 5, 5, 5);
  const collapsed = await retrieveInstance(same, same, { ranks: [1, 2] });
  t.deepEqual(collapsed.recall, { 1: 0.25, 2: 0.5 });
  const broken = featureMatrix(new Float32Array(8).fill(Number.NaN), 2);
  t.deepEqual((await retrieveInstance(broken, broken, { ranks: [1, 2] })).recall, { 1: 0, 2: 0 });
});

test('wrong arguments are refused', async (t) => {
  const invalid = { code: 'ERR_VSSL_INVALID_ARGUMENT' };
  await t.throwsAsync(retrieveInstance(angles(0), angles(0, 1)), invalid);
  await t.throwsAsync(retrieveByLabel(angles(0), Int32Array.of(0, 1), angles(0), Int32Array.of(0)), invalid);
  await t.throwsAsync(retrieveByLabel(angles(0), Int32Array.of(0), angles(0), Int32Array.of()), invalid);
  await t.throwsAsync(retrieveByLabel(angles(0), Int32Array.of(0), angles(), Int32Array.of()), invalid);
});
