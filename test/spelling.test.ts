import test from 'ava';
import { didYouMean, editDistance, nearestName } from '#src/spelling.js';

test('edit distance with swaps of neighbours', (t) => {
  const cases: readonly [string, string, number][] = [
    ['', '', 0],
    ['', 'abc', 3],
    ['abc', 'abc', 0],
    ['batch', 'bacth', 1],
    ['batch', 'batches', 2],
    ['kitten', 'sitting', 3],
    ['stride', 'strid', 1],
  ];
  for (const [a, b, distance] of cases) {
    t.is(editDistance(a, b), distance);
    t.is(editDistance(b, a), distance);
  }
});

test('the nearest name, or none', (t) => {
  t.is(nearestName('bacth', ['batch', 'epochs']), 'batch');
  t.is(nearestName('weight_decay', ['weightDecay', 'momentum']), 'weightDecay');
  t.is(nearestName('SGD', ['sgd', 'lars']), 'sgd');
  t.is(nearestName('zzz', ['batch', 'epochs']), undefined);
  t.is(nearestName('lr', ['name']), undefined);
  t.is(didYouMean('mocoo', ['cvrl', 'moco']), "; did you mean 'moco'?");
  t.is(didYouMean('zzz', ['cvrl', 'moco']), '');
});
