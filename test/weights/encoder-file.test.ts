import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import {
  describeEncoder,
  type EncoderDescription,
  readEncoderDescription,
  readEncoderFile,
  writeEncoderFile,
} from '#src/weights/encoder-file.js';
import { writeSafetensors } from '#src/weights/safetensors.js';

const description: EncoderDescription = {
  method: 'cvrl',
  encoder: 'encoder',
  model: { arch: 'r3d_18', width: 0.25 },
  clip: { frames: 8, stride: 2, size: 64, fps: null },
  input: 'temporal-mean-removed',
  mean: [0.1, 0.2, 0.3],
  std: [1, 0.5, 0.25],
  shrink: 'auto',
  step: 500,
};
const tensors = [{ name: 'w', dtype: 'F32', shape: [1], data: new Uint8Array(4) } as const];

test('an encoder file says everything about itself', async (t) => {
  const path = join(await mkdtemp(join(tmpdir(), 'vssl-encoder-')), 'weights.safetensors');
  await writeEncoderFile(path, description, tensors, { package_version: '1.2.3' });
  const file = await readEncoderFile(path);
  t.deepEqual(file.description, description);
  t.deepEqual(file.tensors, tensors);
  t.is(file.metadata.package_version, '1.2.3');
  t.is(file.metadata.arch, 'r3d_18');
  t.deepEqual(await readEncoderDescription(path), description);
  await writeEncoderFile(path, { ...description, shrink: 3, input: 'difference' }, tensors);
  t.is((await readEncoderDescription(path)).shrink, 3);
  await writeEncoderFile(path, { ...description, modality: 'flow' }, tensors);
  t.is((await readEncoderDescription(path)).modality, 'flow');
  await writeEncoderFile(path, { ...description, clip: { ...description.clip, fps: 12.5 } }, tensors);
  t.is((await readEncoderDescription(path)).clip.fps, 12.5);
});

const good = describeEncoder(description);
const wrong: Record<string, [key: string, value: string | undefined, message: RegExp]> = {
  'another format': ['format', 'tf', /format 'tf'.*vssl-native import/],
  'no format': ['format', undefined, /format 'none'/],
  'a newer version': ['format_version', '3', /upgrade/],
  'a version that is no number': ['format_version', 'x', /version/],
  'a model that is no JSON': ['model', 'r3d', /JSON/],
  'a model without arch': ['model', '{"width":1}', /arch/],
  'clips of no frames': ['clip_frames', '0', /clip_frames/],
  'no stride': ['clip_stride', undefined, /clip_stride/],
  'a rate of 0': ['clip_fps', '0', /clip_fps/],
  'an unknown input': ['input', 'flow', /flow/],
  'a mean of two': ['mean', '[0,1]', /three numbers/],
  'a deviation of 0': ['std', '[1,1,0]', /std/],
  'a shrink of 0': ['shrink', '0', /shrink/],
  'motion of an unknown kind': ['modality', 'rgbflow', /modality.*difference, flow, flow-edges/],
};
for (const [what, [key, value, message]] of Object.entries(wrong))
  test(`refuses ${what}`, async (t) => {
    const path = join(await mkdtemp(join(tmpdir(), 'vssl-encoder-')), 'a.safetensors');
    const { [key]: _, ...rest } = good;
    await writeSafetensors(path, tensors, value === undefined ? rest : { ...rest, [key]: value });
    await t.throwsAsync(readEncoderFile(path), { code: 'ERR_VSSL_WEIGHTS', message });
  });
