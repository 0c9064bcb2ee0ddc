import test from 'ava';
import { ntXent, ntXentAsync } from '#src/kernels/index.js';

function values(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898) * 3);
}

test('gives what the synchronous call gives', async (t) => {
  const x = values(200 * 48);
  t.deepEqual(await ntXentAsync(x, { rows: 200, dim: 48 }), ntXent(x, { rows: 200, dim: 48 }));
  t.deepEqual(
    await ntXentAsync(x, { rows: 200, dim: 48, gradient: false }),
    ntXent(x, { rows: 200, dim: 48, gradient: false }),
  );
});

test('leaves the event loop free', async (t) => {
  const rows = 4096;
  const x = values(rows * 128);
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await ntXentAsync(x, { rows, dim: 128, threads: 1 });
  clearInterval(timer);
  t.true(turns >= 1, 'one that blocks is done before the first turn');
});

test('many at once, and embeddings changed after the call, do not disturb each other', async (t) => {
  const x = values(128 * 32);
  const expected = ntXent(x, { rows: 128, dim: 32 });
  const calls = Array.from({ length: 16 }, () => {
    const own = x.slice();
    const call = ntXentAsync(own, { rows: 128, dim: 32, threads: 2 });
    own.fill(Number.NaN);
    return call;
  });
  for (const result of await Promise.all(calls)) t.deepEqual(result, expected);
});

test('arrays transferred away while it runs do no harm', async (t) => {
  const x = values(512 * 64);
  const gradient = new Float32Array(x.length);
  const call = ntXentAsync(x, { rows: 512, dim: 64, gradient });
  structuredClone(gradient.buffer, { transfer: [gradient.buffer] });
  structuredClone(x.buffer, { transfer: [x.buffer as ArrayBuffer] });
  await t.throwsAsync(call, { code: 'ERR_VSSL_INVALID_ARGUMENT', message: /gradient/ });
});

test('an error has the stack of the caller', async (t) => {
  async function theCaller() {
    const gradient = new Float32Array(512 * 64);
    const call = ntXentAsync(values(512 * 64), { rows: 512, dim: 64, gradient });
    structuredClone(gradient.buffer, { transfer: [gradient.buffer] });
    await call;
  }
  const error = await t.throwsAsync(theCaller());
  t.regex(error?.stack ?? '', /theCaller/);
});
