// A short, always equal part of `npm run test:fuzz`: no bytes in a file make a reader do worse than refuse it.
import test from 'ava';
import { makeRandom, mutate } from './mutate.js';
import { fuzz, TARGETS } from './targets.js';

for (const target of TARGETS)
  test(`${target.name}: whatever the bytes, a sound value or a VsslError`, async (t) => {
    const { runs, finding } = await fuzz(target, 1, (done) => done === 400);
    t.is(finding?.error.stack, undefined, finding?.bytes.toString('latin1').slice(0, 2000));
    t.is(runs, 400);
  });

test('the mutator gives the same files for the same seed', (t) => {
  const make = (seed: number) => mutate(Buffer.from('path\na.mp4\n'), Buffer.from('{}'), makeRandom(seed));
  t.deepEqual(make(5), make(5));
  t.notDeepEqual(make(5), make(6));
});
