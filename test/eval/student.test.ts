import test from 'ava';
import { studentPoint, studentTail } from '#src/eval/student.js';

const near = (a: number, b: number, by = 1e-10) => Math.abs(a - b) <= by * Math.max(1, Math.abs(b));

test('one and two degrees of freedom have closed forms', (t) => {
  for (const x of [0, 0.1, 1, 2.5, 12.7062, 300]) {
    t.true(near(studentTail(x, 1), 0.5 - Math.atan(x) / Math.PI, 1e-12), `1: ${x}`);
    t.true(near(studentTail(x, 2), 0.5 - x / (2 * Math.sqrt(2 + x * x)), 1e-12), `2: ${x}`);
    t.true(near(studentTail(-x, 2), 0.5 + x / (2 * Math.sqrt(2 + x * x)), 1e-12), `2: ${-x}`);
  }
});

// P(T > t) by adding up the density, with nothing but exp and log: ln Gamma by its product formula's sum.
function addedUp(t: number, v: number): number {
  const steps = 200_000;
  const area = (from: number, to: number) => {
    let sum = 0;
    for (let i = 0; i < steps; i++) {
      const x = from + ((i + 0.5) * (to - from)) / steps;
      sum += (1 + (x * x) / v) ** (-(v + 1) / 2);
    }
    return (sum * (to - from)) / steps;
  };
  const whole = 2 * area(0, 400);
  return 0.5 - area(0, t) / whole;
}

test('tails agree with the density added up, for degrees that are not whole too', (t) => {
  for (const [x, v] of [
    [0.5, 7],
    [2, 7.5],
    [3.2, 22.4],
    [1.1, 98],
  ] as const)
    t.true(near(studentTail(x, v), addedUp(x, v), 1e-6), `${x}, ${v}: ${studentTail(x, v)} ${addedUp(x, v)}`);
});

test('the points of a 95 % interval are those of tables', (t) => {
  for (const [v, point] of [
    [1, 12.7062],
    [2, 4.3027],
    [5, 2.5706],
    [30, 2.0423],
    [100, 1.984],
    [1e6, 1.96],
  ] as const)
    t.true(Math.abs(studentPoint(v) - point) < 6e-5, `${v}: ${studentPoint(v)}`);
  t.true(studentPoint(7) > studentPoint(7.5) && studentPoint(7.5) > studentPoint(8));
  t.throws(() => studentTail(1, 0), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
});
