// How a video is looked at in an evaluation: ten windows by three crops, more frames than in training, pooled maps.
import { mkdirSync } from 'node:fs';
import test from 'ava';
import { embedForEvaluation } from '#src/eval/embed-for-evaluation.js';
import { evaluate } from '#src/eval/evaluate.js';
import { readSafetensors } from '#src/weights/safetensors.js';
import { scratch, writeTinyWeights } from '../embed/make-videos.js';

const { file, remove } = scratch();
test.after.always(remove);
test.before(async () => {
  mkdirSync(file('run'), { recursive: true });
  await writeTinyWeights(file('run/weights.safetensors'));
});

const set = (split: string) => `synthetic:motion?split=${split}&count=32&pixels=40&appearances=4`;
const options = () =>
  ({ protocol: 'knn', weights: file('run'), train: set('train'), test: set('test'), floors: true }) as const;

const featuresOf = async (name: string, more: object) => {
  const out = file(`${name}.safetensors`);
  await embedForEvaluation({ ...options(), ...more, out });
  const { tensors } = await readSafetensors(out);
  return Object.fromEntries(tensors.map(({ name, shape }) => [name, shape]));
};

test('pooled maps have a number for each channel and cell', async (t) => {
  const plain = await featuresOf('plain', {});
  const [rows, dim] = plain['features/trained']!;
  t.is(rows, 64);
  const cells = await featuresOf('cells', { pool: [1, 2, 2] });
  t.deepEqual(cells['features/trained'], [rows!, 4 * dim!]);
  t.deepEqual(cells['features/pixels'], plain['features/pixels'], 'floors are what they were');
  const own = { ...options(), pool: [1, 2, 2] as const };
  const pooled = await evaluate({ ...own, features: file('cells.safetensors') });
  t.deepEqual((await evaluate(own)).trained, pooled.trained);
  t.deepEqual(pooled.settings.pool, [1, 2, 2]);
  await t.throwsAsync(evaluate({ ...options(), features: file('cells.safetensors') }), {
    code: 'ERR_VSSL_USAGE',
    message: /pool is 1 x 2 x 2 there and 1 x 1 x 1 here/,
  });
  await t.throwsAsync(evaluate({ ...options(), pool: [1, 64, 64] }), {
    code: 'ERR_VSSL_INVALID_ARGUMENT',
    message: /feature map/,
  });
  await t.throwsAsync(evaluate({ ...options(), pool: [1, 2] as never }), {
    code: 'ERR_VSSL_INVALID_ARGUMENT',
  });
  await t.throwsAsync(evaluate({ ...options(), pool: [0, 1, 1] }), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
});

test('more frames than in training: other clips, of the same encoder and of the floors', async (t) => {
  const plain = await featuresOf('of training', {});
  const more = await featuresOf('more frames', { frames: 12 });
  t.deepEqual(more['features/trained'], plain['features/trained']);
  const perFrame = 16 * 16;
  const [, dim] = plain['features/pixels']!;
  const frames = (dim! - 4 * perFrame) / perFrame;
  t.is(more['features/pixels']![1], 4 * perFrame + 12 * perFrame);
  t.true(frames < 12);
  const result = await evaluate({ ...options(), frames: 12, features: file('more frames.safetensors') });
  t.is(result.settings.frames, 12);
  t.is(result.encoder.clip.frames, frames);
  await t.throwsAsync(evaluate({ ...options(), features: file('more frames.safetensors') }), {
    code: 'ERR_VSSL_USAGE',
    message: /frames is 12 there/,
  });
  await t.throwsAsync(evaluate({ ...options(), frames: 0 }), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
});

test('ten windows by three crops', async (t) => {
  const views = { windows: 10, crops: 3 } as const;
  const many = await evaluate({ ...options(), ...views });
  t.like(many.settings, views);
  const one = await evaluate({ ...options(), windows: 1 });
  t.not(many.key, one.key);
});
