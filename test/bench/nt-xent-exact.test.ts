import test from 'ava';
import { exactNtXent, exactNtXentOfCopies } from '#src/bench/cases/nt-xent-exact.js';
import { uniformFloats, uniformIntegers } from '#src/bench/random.js';
import { relativeDistance } from '#src/bench/vectors.js';

const [rows, dim, kinds, temperature] = [48, 5, 7, 0.2];
const vectors = Float64Array.from(uniformFloats(kinds * dim, 3));
const kindOf = uniformIntegers(rows, kinds, 4);
const x = Float64Array.from({ length: rows * dim }, (_, i) => {
  const row = Math.floor(i / dim);
  return vectors[kindOf[row]! * dim + (i % dim)]!;
});

for (const rounded of [false, true])
  test(`sums over kinds are the sums over rows${rounded ? ', of rounded operands' : ''}`, (t) => {
    const whole = exactNtXent(x, rows, dim, temperature, rounded);
    const copies = exactNtXentOfCopies({ vectors, kindOf }, dim, temperature, rounded);
    t.true(Math.abs(copies.loss - whole.loss) < 1e-12);
    t.true(relativeDistance(copies.gradient, whole.gradient) < 1e-12);
    t.true(Math.abs(copies.gradTemperature - whole.gradTemperature) < 1e-11);
  });

test('rounding the operands changes the result a little', (t) => {
  const exact = exactNtXent(x, rows, dim, temperature);
  const rounded = exactNtXent(x, rows, dim, temperature, true);
  const off = relativeDistance(rounded.gradient, exact.gradient);
  t.true(off > 1e-4 && off < 2e-2, String(off));
});
