import test from 'ava';
import { ClipLedger } from '#src/data/clip-ledger.js';
import { Rng } from '#src/data/rng.js';

test('a row leaves at its third failed clip, if its failures outnumber its successes', (t) => {
  const ledger = new ClipLedger(4);
  const leaves = (failed: number[], loaded: number[]) => {
    ledger.add({ failed, loaded });
    return ledger.leaving();
  };
  t.deepEqual(leaves([3, 1], []), []);
  t.deepEqual(leaves([3, 1], [1, 1, 0]), []);
  t.deepEqual(leaves([3], []), [3]);
  t.deepEqual(leaves([1], [1]), [3], 'as many good ones as bad ones');
  t.deepEqual(leaves([1], []), [1, 3]);
  t.deepEqual([ledger.failed(1), ledger.loaded(1), ledger.failures], [4, 3, 7]);
});

test('the order of batches does not matter, and counts come back from their JSON', (t) => {
  const rng = new Rng(1);
  const batches = Array.from({ length: 200 }, () => ({
    failed: Array.from({ length: rng.int(3) }, () => rng.int(1000)),
    loaded: Array.from({ length: 8 }, () => rng.int(1000)),
  }));
  const whole = new ClipLedger(1000);
  for (const batch of batches) whole.add(batch);
  const half = new ClipLedger(1000);
  for (const batch of batches.slice(0, 77).reverse()) half.add(batch);
  const rest = new ClipLedger(1000, JSON.parse(JSON.stringify(half.encode())));
  for (const batch of batches.slice(77)) rest.add(batch);
  t.deepEqual(rest.encode(), whole.encode());
  t.deepEqual(rest.leaving(), whole.leaving());
});

test('the counts of a million videos are small in a checkpoint', (t) => {
  const ledger = new ClipLedger(1_000_000);
  const rng = new Rng(2);
  for (let epoch = 0; epoch < 3; epoch++)
    ledger.add({ failed: [epoch], loaded: Array.from({ length: 900_000 }, () => rng.int(1_000_000)) });
  t.true(JSON.stringify(ledger.encode()).length < 800_000);
});

test('counts of another number of videos are refused', (t) => {
  t.throws(() => new ClipLedger(5, new ClipLedger(4).encode()), {
    code: 'ERR_VSSL_CHECKPOINT',
    message: /4 videos, but there are 5/,
  });
});
