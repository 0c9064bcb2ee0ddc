// Every case of the registry in its small size: the double-precision twin, and finite differences.
import test from 'ava';
import { type BenchCase, passed } from '#src/bench/case.js';
import { benchCases } from '#src/bench/cases/index.js';
import { checkCase } from '#src/bench/run-bench.js';
import { loadKernels } from '#src/native/load.js';

const failures = async (one: BenchCase, threads: number) =>
  (await checkCase(one, threads)).filter((check) => !passed(check));

for (const one of benchCases)
  test(`${one.name}: small size`, async (t) => {
    t.true((await checkCase(one, 2)).length >= 2);
    t.deepEqual(await failures(one, 1), []);
    t.deepEqual(await failures(one, 2), []);
  });

test('names are unique, and every case says what it is held against', (t) => {
  t.is(new Set(benchCases.map(({ name }) => name)).size, benchCases.length);
  for (const one of benchCases) {
    t.true(one.bytes > 0 && one.verified !== '', one.name);
    t.is(one.limit.endsWith('multiply-adds'), one.flops > 0, one.name);
  }
});

test('the limit of every case is a time', (t) => {
  const { limits } = loadKernels();
  for (const one of benchCases) {
    const seconds = one.prepare(one.small).limitSeconds(limits, 1);
    t.true(seconds > 0 && seconds < 1, `${one.name}: ${seconds}`);
  }
});

test('inputs are the same every time', (t) => {
  for (const { name, prepare, small } of benchCases) {
    const [one, other] = [prepare(small), prepare(small)];
    t.deepEqual(one.inputs, other.inputs, name);
  }
});
