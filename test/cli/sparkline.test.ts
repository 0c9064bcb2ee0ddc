import test from 'ava';
import { sparkline } from '#src/cli/sparkline.js';

test('a character a value, on the scale that is given; a space where there is none', (t) => {
  t.is(sparkline([0, 1, 2, 3, 4, 5, 6, 7], [0, 7]), '▁▂▃▄▅▆▇█');
  t.is(sparkline([0, null, 7], [0, 7]), '▁ █');
  t.is(sparkline([0, 7], [0, 70]), '▁▁');
  t.is(sparkline([3, 3], [3, 3]), '▅▅', 'a curve that does not move');
  t.is(sparkline([Number.NaN, 1], [0, 1]), ' █');
  t.is(sparkline([], [0, 1]), '');
});
