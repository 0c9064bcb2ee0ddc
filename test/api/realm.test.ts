// What was made in another realm (a vm context, a test runner's sandbox) is as good as this one's.
import { createRequire } from 'node:module';
import { createContext, runInContext } from 'node:vm';
import test from 'ava';
import * as vssl from '#src/index.js';
import * as kernels from '#src/kernels/index.js';
import { scratch, squareFrames, tiny } from '../embed/make-videos.js';

const { file, remove } = scratch();
test.after.always(remove);

const realm = createContext({});
const elsewhere = <T>(expression: string) => runInContext(`(${expression})`, realm) as T;
const there = {
  floats: (values: ArrayLike<number>) =>
    elsewhere<(v: ArrayLike<number>) => Float32Array>('(v) => Float32Array.from(v)')(values),
  bytes: (values: ArrayLike<number>) =>
    elsewhere<(v: ArrayLike<number>) => Uint8Array>('(v) => Uint8Array.from(v)')(values),
  object: <T extends object>(from: T) =>
    elsewhere<(text: string) => T>('(text) => JSON.parse(text)')(JSON.stringify(from)),
};
const values = Float32Array.from({ length: 16 }, (_, i) => Math.sin(i));

test('the arrays here are of another realm', (t) => {
  t.false(there.floats(values) instanceof Float32Array);
  t.false(there.bytes([1]) instanceof Uint8Array);
  t.not(Object.getPrototypeOf(there.object([1])), Array.prototype);
});

test('kernels take them and give the same', async (t) => {
  const o = { rows: 4, dim: 4 };
  t.deepEqual(kernels.ntXent(there.floats(values), there.object(o)), kernels.ntXent(values, o));
  t.deepEqual(await kernels.ntXentAsync(there.floats(values), o), kernels.ntXent(values, o));
  const gradient = there.floats(new Float32Array(16));
  kernels.ntXent(values, { ...o, gradient });
  t.deepEqual([...gradient], [...kernels.ntXent(values, o).gradient!]);
  const clip = { frames: 4 };
  const { dct, dctMotion, frameDifference, dctAsync, dctMotionAsync, frameDifferenceAsync } = kernels;
  for (const [kernel, kernelAsync] of [
    [dct, dctAsync],
    [dctMotion, dctMotionAsync],
    [frameDifference, frameDifferenceAsync],
  ] as const) {
    t.deepEqual(kernel(there.floats(values), clip), kernel(values, clip));
    const [bytes, same] = [there.bytes([1, 2, 3, 9]), Uint8Array.of(1, 2, 3, 9)];
    t.deepEqual(kernel(bytes, clip), kernel(same, clip));
    t.deepEqual(await kernelAsync(bytes, clip), kernel(same, clip));
    const into = there.floats(new Float32Array(kernel(values, clip).length));
    kernel(values, { ...clip, out: into });
    t.deepEqual([...into], [...kernel(values, clip)]);
  }
  const [target, same] = [there.floats(values), values.slice()];
  kernels.emaUpdate(target, there.floats(values.map((v) => 2 * v)), 0.5);
  kernels.emaUpdate(
    same,
    values.map((v) => 2 * v),
    0.5,
  );
  t.deepEqual([...target], [...same]);
  const queue = new kernels.MomentumQueue(there.object({ capacity: 4, dim: 4, init: 'empty' } as const));
  queue.enqueue(there.floats(values), 4);
  await queue.enqueueAsync(there.floats(values), 4);
  const state = queue.state();
  const again = kernels.MomentumQueue.restore({
    ...state,
    keys: there.floats(state.keys),
    ages: there.floats(state.ages),
  });
  t.deepEqual(again.keys(), queue.keys());
  t.true(again.infoNce(there.floats(values), there.floats(values), { rows: 4 }).loss > 0);
  queue.dispose();
  again.dispose();
  const near = { dim: 4, k: 2 };
  const found = kernels.topkDot(values, values, near);
  t.deepEqual(kernels.topkDot(there.floats(values), there.floats(values), there.object(near)), found);
  const scales = there.floats([1, 1, 1, 1]);
  t.deepEqual(await kernels.topkDotAsync(there.floats(values), values, { ...near, scales }), found);
  for (const type of ['Uint16Array', 'Int8Array'] as const) {
    const rows = elsewhere<Int8Array>(`new ${type}([1, 2, 3, 4, 5, 6, 7, 8])`);
    const typed = { ...near, ...(type === 'Uint16Array' && { type: 'bf16' as const }) };
    const own = new { Uint16Array, Int8Array }[type](rows);
    t.deepEqual(kernels.topkDot(values, rows, typed), kernels.topkDot(values, own, typed));
  }
});

test('what they do not hold is refused as ever', (t) => {
  const shared = elsewhere<Float32Array>('new Float32Array(new SharedArrayBuffer(64))');
  t.throws(() => kernels.ntXent(shared, { rows: 4, dim: 4 }), { message: /SharedArrayBuffer/ });
  const named = elsewhere<Float32Array>('new (class Mine extends Float64Array {})(16)');
  t.throws(() => kernels.ntXent(named, { rows: 4, dim: 4 }), { message: /Float64Array/ });
});

test('an encoder takes frames, clips, shapes and signals from there', async (t) => {
  const encoder = await vssl.VideoEncoder.create(there.object({ arch: 'r3d_10', width: 0.125, clip: tiny }));
  t.teardown(() => encoder.dispose());
  const frames = squareFrames(12, 32, 32, (at) => [at, at]);
  const shape = [12, 32, 32, 3] as const;
  const here = await encoder.embed({ frames, shape });
  t.deepEqual(await encoder.embed({ frames: there.bytes(frames), shape: there.object(shape) }), here);
  const clip = new Float32Array(3 * 4 * 32 * 32).map((_, i) => Math.sin(i));
  const size = [1, 3, 4, 32, 32] as const;
  t.deepEqual(
    await encoder.forward(there.floats(clip), there.object(size)),
    await encoder.forward(clip, size),
  );
  // as jsdom's, whose class is not Node's
  const reason = { why: 'enough' };
  const signal = elsewhere<(reason: unknown) => AbortSignal>(
    '(reason) => ({ aborted: true, reason, addEventListener() {}, removeEventListener() {} })',
  )(reason);
  await t.throwsAsync(
    encoder.embed({ frames, shape }, { signal }).catch((error) => {
      t.is(error, reason);
      throw new Error('thrown');
    }),
    { message: 'thrown' },
  );
});

test('tensors and configurations may come from there', async (t) => {
  const tensor = { name: 'a', dtype: 'U8', shape: [3] } as const;
  await vssl.writeSafetensors(
    file('a.safetensors'),
    there.object([]).concat([{ ...tensor, data: there.bytes([1, 2, 3]) }] as never),
    there.object({ note: 'x' }),
  );
  const { tensors } = await vssl.readSafetensors(file('a.safetensors'));
  t.deepEqual([...tensors[0]!.data], [1, 2, 3]);
  const config: vssl.TrainConfig = { extends: 'cvrl-tiny', data: { normalize: { mean: [0.1, 0.2, 0.3] } } };
  t.deepEqual(vssl.resolveConfig(there.object(config)), vssl.resolveConfig(config));
});

test('an error of the other build of the package, or of another realm, is a VsslError', (t) => {
  const other = createRequire(import.meta.url)('../../../dist/cjs/index.js') as typeof vssl;
  t.not(other.VsslError, vssl.VsslError);
  const error = t.throws(() => other.getPreset('nope'), { instanceOf: vssl.VsslError });
  t.is(error!.constructor, other.VsslError);
  class Mine extends vssl.VsslError {}
  t.true(new Mine('ERR_VSSL_USAGE', 'x') instanceof vssl.VsslError);
  t.false(error instanceof Mine);
  for (const value of [null, undefined, 'x', {}, new Error('x'), elsewhere('new Error("x")')])
    t.false(value instanceof vssl.VsslError);
});

test('nothing in src goes by instanceof but for classes of its own', async (t) => {
  const { readdirSync, readFileSync } = await import('node:fs');
  const { dirname, join } = await import('node:path');
  const { fileURLToPath } = await import('node:url');
  const src = join(dirname(fileURLToPath(import.meta.url)), '../../../src');
  const found = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) =>
      [...readFileSync(join(src, name), 'utf8').matchAll(/instanceof (\w+)/g)].map((match) => match[1]!),
    );
  const own = [
    'VsslError',
    'VideoEncoder',
    'CommanderError',
    'Absence',
    'Markup',
    'PickleName',
    'PickleCall',
  ];
  t.deepEqual(
    found.filter((name) => !own.includes(name)),
    [],
  );
});
