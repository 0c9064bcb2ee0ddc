import test from 'ava';
import { exactNtXent } from '#src/bench/cases/nt-xent-exact.js';
import { drawHalfRows, exactNtXentOfPairs, pairRows } from '#src/bench/cases/nt-xent-pairs.js';
import { dot, relativeDistance } from '#src/bench/vectors.js';

const temperature = 0.2;
const left = drawHalfRows(8, 3, 1);
const right = drawHalfRows(5, 4, 10);
const [rows, dim] = [40, 7];
const x = new Float64Array(pairRows(left, right));

test('half rows differ and are equally long', (t) => {
  const { values, count, dim: width } = drawHalfRows(50, 16, 3);
  const squares = Array.from({ length: count }, (_, row) => dot(values, values, row * width, width));
  for (const square of squares) t.true(Math.abs(square - squares[0]!) < 1e-14 * square);
  const texts = Array.from({ length: count }, (_, row) =>
    values.subarray(row * width, (row + 1) * width).join(),
  );
  t.is(new Set(texts).size, count);
});

for (const rounded of [false, true])
  test(`products of half sums are the sums over rows${rounded ? ', of rounded operands' : ''}`, (t) => {
    const whole = exactNtXent(x, rows, dim, temperature, rounded);
    const pairs = exactNtXentOfPairs(left, right, temperature, rounded);
    t.true(Math.abs(pairs.loss - whole.loss) < 1e-12);
    t.true(relativeDistance(pairs.gradient, whole.gradient) < 1e-12);
    t.true(Math.abs(pairs.gradTemperature - whole.gradTemperature) < 1e-11);
  });

test('rounding the operands changes the result a little', (t) => {
  const exact = exactNtXent(x, rows, dim, temperature);
  const rounded = exactNtXent(x, rows, dim, temperature, true);
  const off = relativeDistance(rounded.gradient, exact.gradient);
  t.true(off > 1e-4 && off < 2e-2, String(off));
});
