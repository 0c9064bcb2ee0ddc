import test from 'ava';
import { limitTurn } from '#src/bench/turn.js';

test('the first measurement of a limit is not counted: threads may still share a core', (t) => {
  let calls = 0;
  const measure = () => {
    const until = performance.now() + 0.2; // so short that other work between two of them changes nothing
    while (performance.now() < until);
    calls += 1;
    return calls === 1 ? 100 : 1;
  };
  t.is(limitTurn(measure), 1);
  t.true(calls > 2, 'one measurement is shorter than a turn');
  calls = 0;
  t.is(
    limitTurn(() => (calls++ === 0 ? 100 : measureLong())),
    2,
  );
  t.is(calls, 2, 'a long one is taken once more');
});

function measureLong(): number {
  const until = performance.now() + 60; // more than a turn
  while (performance.now() < until);
  return 2;
}
