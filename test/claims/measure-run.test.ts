import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { measureRun } from '#src/claims/measure-run.js';
import type { Measurement, MeasureRequest } from '#src/eval/measure.js';
import { registerMeasure } from '#src/eval/measures.js';

test('a measure of one’s own is kept beside the run, by its version; what is no number is refused', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vssl-measure-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'weights.safetensors'), 'weights');
  const requests: MeasureRequest[] = [];
  const results: Partial<Measurement>[] = [
    { value: 2, resolution: 0 },
    { value: 3, resolution: 1, warnings: ['so'] },
    { value: Number.NaN, resolution: 1 },
    { value: 1 },
    {},
  ];
  registerMeasure({
    ...{ name: 'counted', title: 'counted', version: 2 },
    run: async (request) => results[requests.push(request) - 1] as Measurement,
  });
  const measuring = {
    packageVersion: '1',
    engine: '1',
    device: 'cpu',
    precision: 'fp32',
    videos: '1',
  } as const;
  const measure = () => measureRun('counted', folder, { data: 'a', folds: 'group' }, measuring, {});
  t.like(await measure(), { value: 2, resolution: 0, warnings: [], failures: [] });
  t.like(requests[0], { run: folder, data: 'a', folds: 'group', precision: 'fp32' });
  t.like(await measure(), { value: 2 });
  t.is(requests.length, 1);
  const file = join(folder, 'measure-counted.json');
  const forget = () =>
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), version: 1 }));
  forget();
  t.like(await measure(), { value: 3, warnings: ['so'] });
  forget();
  for (const message of [/value .*'counted'/, /resolution .*'counted'/, /value .*'counted'/])
    await t.throwsAsync(measure, { code: 'ERR_VSSL_INVALID_ARGUMENT', message });
});
