// The motion network of MoDist: trained beside the visual one, written beside it, and used on clips of motion.
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { VideoEncoder } from '#src/embed/video-encoder.js';
import { exportWeights } from '#src/exchange/export-weights.js';
import { train } from '#src/train/train.js';
import { readEncoderFile } from '#src/weights/encoder-file.js';
import { readSafetensorsMetadata } from '#src/weights/safetensors.js';
import { scratch, writeSquareVideo } from '../embed/make-videos.js';
import { tinyConfig } from '../helpers/tiny-run.js';
import { readOnnx } from './read-onnx.js';

const { file, remove } = scratch();
test.after.always(remove);

const data = 'synthetic:motion?count=8&pixels=32&seconds=1';

async function run(out: string, modist: object): Promise<string> {
  const { cvrl: _, ...rest } = tinyConfig({ train: { steps: 2 } });
  const motion = { input: 'difference', frames: 6, stride: 1 } as const;
  const own = { queue: 16, head: { dim: 8 }, minShift: 0.1, motion, ...modist };
  await train({ ...rest, method: 'modist', modist: own }, { out, data });
  return out;
}

test('its file says what it takes; embed, and export, take it from there', async (t) => {
  const out = await run(file('run'), {});
  const path = join(out, 'encoders/motion.safetensors');
  const { description, tensors } = await readEncoderFile(path);
  t.like(description, { method: 'modist', encoder: 'motion', modality: 'difference', input: 'rgb', step: 2 });
  t.deepEqual(description.model, { arch: 'r3d_10', width: 0.0625 });
  t.deepEqual([description.clip.frames, description.clip.stride], [6, 1]);
  t.is((await readSafetensorsMetadata(path)).format_version, '2');
  t.is((await readSafetensorsMetadata(join(out, 'weights.safetensors'))).format_version, '1');
  t.true(tensors.some(({ name }) => name === 'stem.0.weight'));

  const [moving, still] = [file('moving.mp4'), file('still.mp4')];
  await writeSquareVideo(moving, (time) => [8, 2 * time]);
  await writeSquareVideo(still, () => [8, 20]);
  await using encoder = await VideoEncoder.load(path, { precision: 'fp32', device: 'cpu' });
  t.is(encoder.dim, 32);
  // without motion its clips are zeros, whatever the picture shows
  const nothing = await encoder.forward(new Float32Array(3 * 6 * 32 * 32), [1, 3, 6, 32, 32]);
  const largest = (a: Float32Array, b: Float32Array) =>
    a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
  t.true(largest(await encoder.embed(still), nothing) < 0.01);
  t.true(largest(await encoder.embed(moving), nothing) > 0.02);

  const { dim, card } = await exportWeights({ weights: out, encoder: 'motion', out: file('motion.onnx') });
  t.is(dim, 32);
  const onnx = readOnnx(await readFile(file('motion.onnx')));
  t.is(onnx.properties.modality, 'difference');
  t.regex(await readFile(card!, 'utf8'), /motion between neighbouring pictures: `difference`/);
  await t.throwsAsync(exportWeights({ weights: path, input: 'frames', out: file('no.onnx') }), {
    code: 'ERR_VSSL_USAGE',
    message: /clips of motion \(difference\)/,
  });
});

test('a run without motion has none', async (t) => {
  const out = await run(file('pictures'), { lambda: 0 });
  await t.throwsAsync(access(join(out, 'encoders/motion.safetensors')));
  await t.throwsAsync(exportWeights({ weights: out, encoder: 'motion', out: file('no.onnx') }), {
    code: 'ERR_VSSL_USAGE',
    message: /has no encoder 'motion', only visual/,
  });
});
