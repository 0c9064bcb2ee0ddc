import test from 'ava';
import { VsslError } from '#src/errors.js';
import type { Measure } from '#src/eval/measure.js';
import { getMeasure, registerMeasure } from '#src/eval/measures.js';

const run = async () => ({ value: 0.5, resolution: 0.01 });

test('a measure is found by its name once it is registered; a misspelt one names the nearest', (t) => {
  t.is(getMeasure('knn').scale, 100);
  const own: Measure = { name: 'own-linear', title: 'own', run };
  t.throws(() => getMeasure('own-linear'), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
  registerMeasure(own);
  t.deepEqual(getMeasure('own-linear'), own);
  t.throws(() => getMeasure('own-liner'), { message: /knn, .*own-linear.*did you mean 'own-linear'\?/ });
});

test('what is no measure, or has a name that there is, is refused with its key', (t) => {
  const wrong: [object, string][] = [
    [{ name: 'linear' }, 'measure.name'],
    [{ name: '../x' }, 'measure.name'],
    [{ name: undefined }, 'measure.name'],
    [{ title: '' }, 'measure.title'],
    [{ scale: Number.NaN }, 'measure.scale'],
    [{ labels: 'yes' }, 'measure.labels'],
    [{ version: 'b' }, 'measure.version'],
    [{ run: undefined }, 'measure.run'],
    [{ lables: true }, 'measure'],
  ];
  for (const [change, key] of wrong) {
    const measure = { name: 'another', title: 'another', run, ...change } as Measure;
    const error = t.throws<VsslError>(() => registerMeasure(measure), { instanceOf: VsslError });
    t.is(error?.code, 'ERR_VSSL_INVALID_ARGUMENT');
    t.is(error?.details.name, key, error?.message);
  }
  t.throws(() => getMeasure('another'));
});
