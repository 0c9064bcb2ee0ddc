import test from 'ava';
import { planHeldOut } from '#src/predict/held-out.js';

const none = (rows: number) => Array.from({ length: rows }, () => undefined);

test('without groups clips of a class are held out by turns, each once', (t) => {
  const labels = Int32Array.of(0, 0, 0, 1, 1, 1, 1, 2, 2);
  const { folds, byGroup, left } = planHeldOut(labels, none(9));
  t.false(byGroup);
  t.deepEqual(left, []);
  t.deepEqual(
    folds.flatMap(({ test }) => [...test]).sort((a, b) => a - b),
    [0, 1, 2, 3, 4, 5, 6, 7, 8],
  );
  for (const { train, test } of folds) {
    t.is(train.length + test.length, 9);
    const trained = new Set(train.map((row) => labels[row]));
    t.is(trained.size, 3, 'no fold lacks a class');
  }
});

test('groups are held out as a whole', (t) => {
  const labels = Int32Array.of(0, 1, 0, 1, 0, 1);
  const groups = ['a', 'a', 'b', 'b', 'c', 'c'];
  const { folds, byGroup, left } = planHeldOut(labels, groups);
  t.true(byGroup);
  t.deepEqual(left, []);
  for (const { train, test } of folds)
    for (const row of test) t.false(train.some((other) => groups[other] === groups[row]));
});

test('a class in one group cannot be held out; the others are', (t) => {
  const labels = Int32Array.of(0, 1, 0, 1, 2, 2);
  const { folds, byGroup, left } = planHeldOut(labels, ['a', 'a', 'b', 'b', 'c', 'c']);
  t.true(byGroup);
  t.deepEqual(left, [4, 5]);
  t.deepEqual(folds.flatMap(({ test }) => [...test]).sort(), [0, 1, 2, 3]);
});

test('where every class is a group of its own, clips are held out by turns', (t) => {
  const { folds, byGroup, left } = planHeldOut(Int32Array.of(0, 0, 1, 1), ['a', 'a', 'b', 'b']);
  t.false(byGroup);
  t.deepEqual(left, []);
  t.is(folds.length, 4);
});

test('a class of one clip is left; nothing is left of classes that all are', (t) => {
  t.deepEqual(planHeldOut(Int32Array.of(0, 0, 1), none(3)).left, [2]);
  t.deepEqual(planHeldOut(Int32Array.of(0, 1), none(2)).folds, []);
});
