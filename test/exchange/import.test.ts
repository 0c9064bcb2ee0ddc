// Weights of other libraries: their names, their shapes, and what is said when they do not fit.
import test from 'ava';
import { VideoEncoder } from '#src/embed/video-encoder.js';
import { adoptWeights } from '#src/exchange/adopt.js';
import { importWeights } from '#src/exchange/import-weights.js';
import { type Model, networkOf, tensorsOf } from '#src/exchange/networks.js';
import type { NamedTensor } from '#src/native/bindings.js';
import { readEncoderFile } from '#src/weights/encoder-file.js';
import { writeSafetensors } from '#src/weights/safetensors.js';
import { scratch } from '../embed/make-videos.js';
import { differing, formulaWeights } from './make-weights.js';

const { file, remove } = scratch();
test.after.always(remove);

const width = 1 / 32;
const slow: Model = { arch: 'r3d_50', width };

const rename = (tensors: readonly NamedTensor[], to: (name: string) => string) =>
  tensors.map((tensor) => ({ ...tensor, name: to(tensor.name) }));
const floats = ({ data }: NamedTensor) => new Float32Array(new Uint8Array(data).buffer);
const head = (name: string): NamedTensor => ({ name, dtype: 'F32', shape: [2], data: new Uint8Array(8) });
const byName = (tensors: readonly NamedTensor[]) =>
  Object.fromEntries(tensors.map((tensor) => [tensor.name, tensor]));

/** The engine's names as SlowFast has them: s1 is the stem. */
function asSlowFast(name: string): string {
  const letter = { conv1: 'a', conv2: 'b', conv3: 'c' } as Record<string, string>;
  const [stem, layer] = [/^stem\.(\d)\.(.*)$/.exec(name), /^layer(\d)\.(\d+)\.(\w+)\.(\d)\.(.*)$/.exec(name)];
  if (stem) return `s1.pathway0_stem.${stem[1] === '0' ? 'conv' : 'bn'}.${stem[2]}`;
  const [, l, i, part, kind, rest] = layer!;
  const norm = kind === '1' ? '_bn' : '';
  const branch = part === 'downsample' ? `branch1${norm}` : `branch2.${letter[part!]}${norm}`;
  return `s${Number(l) + 1}.pathway0_res${i}.${branch}.${rest}`;
}

/** As pytorchvideo has them; `pooled`: after the first layer comes a pooling, which counts as a block. */
function asPytorchVideo(name: string, pooled: boolean): string {
  const letter = { conv1: 'a', conv2: 'b', conv3: 'c' } as Record<string, string>;
  const [stem, layer] = [/^stem\.(\d)\.(.*)$/.exec(name), /^layer(\d)\.(\d+)\.(\w+)\.(\d)\.(.*)$/.exec(name)];
  if (stem) return `blocks.0.${stem[1] === '0' ? 'conv' : 'norm'}.${stem[2]}`;
  const [, l, i, part, kind, rest] = layer!;
  const what = kind === '1' ? 'norm' : 'conv';
  const branch = part === 'downsample' ? `branch1_${what}` : `branch2.${what}_${letter[part!]}`;
  return `blocks.${Number(l) + (pooled && l !== '1' ? 1 : 0)}.res_blocks.${i}.${branch}.${rest}`;
}

/** As a network of pictures has them. */
function asPictures(name: string): string {
  return name
    .replace(/^stem\.0/, 'conv1')
    .replace(/^stem\.1/, 'bn1')
    .replace(/\.conv(\d)\.0\./, '.conv$1.')
    .replace(/\.conv(\d)\.1\./, '.bn$1.');
}

/** The middle frame of every kernel. */
function flat(tensors: readonly NamedTensor[]): NamedTensor[] {
  return tensors.map((tensor) => {
    if (tensor.shape.length !== 5) return tensor;
    const [out, channels, time, height, width] = tensor.shape as [number, number, number, number, number];
    const [area, values] = [height * width, floats(tensor)];
    const middle = new Float32Array(out * channels * area);
    for (let k = 0; k < out * channels; k++)
      middle.set(values.subarray((k * time + (time - 1) / 2) * area).subarray(0, area), k * area);
    return { ...tensor, shape: [out, channels, height, width], data: new Uint8Array(middle.buffer) };
  });
}

const cases: Record<string, [model: Model, tensors: readonly NamedTensor[], from: string]> = {
  'torchvision, with a classifier': [
    { arch: 'r3d_18', width },
    [...formulaWeights({ arch: 'r3d_18', width }), head('fc.weight'), head('fc.bias')],
    'torchvision',
  ],
  'torchvision, wrapped and without counters': [
    { arch: 'r2plus1d_18', width },
    rename(
      formulaWeights({ arch: 'r2plus1d_18', width }),
      (name) => `state_dict.module.encoder_q.${name}`,
    ).filter(({ name }) => !name.endsWith('tracked')),
    'torchvision',
  ],
  SlowFast: [
    slow,
    [
      ...rename(formulaWeights(slow), (name) => `model_state.${asSlowFast(name)}`),
      head('model_state.head.projection.weight'),
    ],
    'slowfast',
  ],
  'pytorchvideo, slow': [
    slow,
    rename(formulaWeights(slow), (name) => asPytorchVideo(name, false)),
    'pytorchvideo',
  ],
  'pytorchvideo, with a pooling': [
    slow,
    rename(formulaWeights(slow), (name) => asPytorchVideo(name, true)),
    'pytorchvideo',
  ],
  'a momentum copy beside it': [
    { arch: 'r3d_10', width },
    [
      ...rename(formulaWeights({ arch: 'r3d_10', width }), (name) => `module.encoder_q.${name}`),
      ...rename(formulaWeights({ arch: 'r3d_10', width }), (name) => `module.encoder_k.${name}`).map(
        (tensor) => ({
          ...tensor,
          data: new Uint8Array(tensor.data.length),
        }),
      ),
      head('module.queue'),
    ],
    'torchvision',
  ],
};

for (const [what, [model, tensors, from]] of Object.entries(cases))
  test(`${what}: the same tensors under the names here`, async (t) => {
    const path = file(`${what}.safetensors`);
    const out = file(`${what}-out.safetensors`);
    await writeSafetensors(path, tensors);
    const result = await importWeights({ weights: path, out, arch: model.arch });
    t.like(result, { from, arch: model.arch, width, inflated: 0, warnings: [] });
    t.deepEqual(differing((await readEncoderFile(out)).tensors, formulaWeights(model)), []);
    await using encoder = await VideoEncoder.load(out, { device: 'cpu' });
    t.is(encoder.dim, result.dim);
  });

test('a network of pictures is inflated: shared over the frames, or in the middle of them', async (t) => {
  const model = { arch: 'r3d_18', width };
  const pictures = rename(flat(formulaWeights(model)), asPictures);
  const path = file('pictures.safetensors');
  await writeSafetensors(path, [...pictures, head('fc.weight')]);
  for (const inflate of ['mean', 'centre'] as const) {
    const out = file(`${inflate}.safetensors`);
    const result = await importWeights({ weights: path, out, arch: 'r3d_18', inflate });
    t.deepEqual([result.from, result.inflated, result.leftOut], ['torchvision-2d', 17, ['fc.weight']]);
    t.regex(result.warnings.join(), /17 kernels of ResNets of pictures/);
    const own = byName((await readEncoderFile(out)).tensors);
    const source = byName(pictures);
    const [wide, narrow] = [own['layer2.0.conv1.0.weight']!, source['layer2.0.conv1.weight']!];
    t.deepEqual(wide.shape, [4, 2, 3, 3, 3]);
    const [values, old] = [floats(wide), floats(narrow)];
    for (let k = 0; k < 8; k++)
      for (let time = 0; time < 3; time++)
        for (let i = 0; i < 9; i++) {
          const expected = inflate === 'mean' ? old[k * 9 + i]! / 3 : time === 1 ? old[k * 9 + i]! : 0;
          t.is(values[(k * 3 + time) * 9 + i], Math.fround(expected));
        }
    t.deepEqual(own['layer2.0.downsample.0.weight']!.shape, [4, 2, 1, 1, 1]);
  }
});

test('the architecture is found by the tensors, with its width', async (t) => {
  for (const model of [
    { arch: 'r3d_34', width: 0.125 },
    { arch: 'mc3_18', width: 0.125 },
    { arch: 'r2plus1d_18', width: 0.125 },
    { arch: 'c3d', width: 0.125 },
  ]) {
    const path = file(`find-${model.arch}.safetensors`);
    await writeSafetensors(path, formulaWeights(model));
    const result = await importWeights({ weights: path, out: file('found.safetensors') });
    t.deepEqual([result.arch, result.width, result.inflated], [model.arch, model.width, 0]);
  }
  const path = file('bias.safetensors');
  await writeSafetensors(path, formulaWeights({ arch: 'c3d', width, batchNorm: false }));
  t.is((await importWeights({ weights: path, out: file('found.safetensors') })).arch, 'c3d');
  const { description } = await readEncoderFile(file('found.safetensors'));
  t.is(description.model.batchNorm, false);
});

test('clips and normalisation are those of the library, or what is said', async (t) => {
  const path = file('slow.safetensors');
  await writeSafetensors(path, rename(formulaWeights(slow), asSlowFast));
  const out = file('slow-out.safetensors');
  await importWeights({ weights: path, out });
  const usual = (await readEncoderFile(out)).description;
  t.like(usual, { method: 'slowfast', input: 'rgb', step: 0, shrink: 'auto' });
  t.deepEqual(usual.clip, { frames: 8, stride: 8, size: 224, fps: 30 });
  t.deepEqual(
    [usual.mean, usual.std],
    [
      [0.45, 0.45, 0.45],
      [0.225, 0.225, 0.225],
    ],
  );
  const clip = { frames: 16, fps: null };
  await importWeights({ weights: path, out, clip, mean: [0, 0, 0], std: [1, 1, 2], input: 'difference' });
  const own = (await readEncoderFile(out)).description;
  t.deepEqual(own.clip, { frames: 16, stride: 8, size: 224, fps: null });
  t.deepEqual([own.mean, own.std, own.input], [[0, 0, 0], [1, 1, 2], 'difference']);
});

test('foreign names and shapes: what is missing, what is nearest, what to do', async (t) => {
  const model = { arch: 'r3d_10', width };
  const tensors = formulaWeights(model);
  const refuse = (change: readonly NamedTensor[], message: RegExp, of: Model = model) =>
    t.throws(() => adoptWeights('w.pth', change, of), { code: 'ERR_VSSL_WEIGHTS', message });
  const misspelt = rename(tensors, (name) => name.replace('layer3.0.conv1.0', 'layer3.0.konv1.0'));
  refuse(
    misspelt,
    /w\.pth, read as torchvision's .* does not fit r3d_10 .*nothing for the tensor 'layer3\.0\.conv1\.0\.weight'; did you mean 'layer3\.0\.konv1\.0\.weight'/,
  );
  refuse(
    [...tensors, { ...tensors[0]!, name: 'layer4.0.conv3.1.bias' }],
    /no place for its tensor 'layer4\.0\.conv3\.1\.bias'; did you mean 'layer4\.0\.conv[12]\.1\.bias'/,
  );
  const stem = byName(tensors)['stem.0.weight']!;
  const others = tensors.filter((tensor) => tensor !== stem);
  const shaped = (shape: number[]) => {
    const data = new Uint8Array(4 * shape.reduce((a, b) => a * b));
    return [...others, { ...stem, shape, data }];
  };
  refuse(
    shaped([2, 3, 7, 7, 7]),
    /expected F32 \[2, 3, 3, 7, 7\] for 'stem\.0\.weight', but its tensor 'stem\.0\.weight' is F32 \[2, 3, 7, 7, 7\]/,
  );
  refuse(shaped([2, 1, 3, 7, 7]), /is F32 \[2, 1, 3, 7, 7\]/);
  refuse(shaped([2, 3, 2, 7, 7]), /is F32 \[2, 3, 2, 7, 7\]/);
  refuse([], /nothing for the tensor/);
  refuse(tensors, /nothing for the tensor/, { arch: 'r3d_18', width });
  refuse(tensors, /expected F32 \[4, /, { arch: 'r3d_10', width: 2 * width });
  const whole = tensors.map((tensor) => (tensor === stem ? { ...tensor, dtype: 'I32' as const } : tensor));
  refuse(whole, /is I32/);

  const path = file('foreign.safetensors');
  const out = file('never.safetensors');
  await writeSafetensors(path, rename(flat(formulaWeights({ arch: 'r3d_18', width })), asPictures));
  await t.throwsAsync(importWeights({ weights: path, out }), {
    code: 'ERR_VSSL_WEIGHTS',
    message: /fits r3d_18 and mc3_18, inflated: say which/,
  });
  await writeSafetensors(path, [head('a.b'), head('c')]);
  await t.throwsAsync(importWeights({ weights: path, out }), {
    code: 'ERR_VSSL_WEIGHTS',
    message: /nothing for/,
  });
  await t.throwsAsync(importWeights({ weights: path, out, arch: 'r3d18' }), {
    code: 'ERR_VSSL_WEIGHTS',
    message: /did you mean 'r3d_18'/,
  });
});

test('wrong options are refused before any work', async (t) => {
  const refused = (options: object, code: string, message: RegExp) =>
    t.throwsAsync(importWeights({ weights: 'a', out: file('b.safetensors'), ...options } as never), {
      code,
      message,
    });
  await refused({ out: file('b.pth') }, 'ERR_VSSL_USAGE', /\.safetensors/);
  await refused({ inflate: 'max' }, 'ERR_VSSL_INVALID_ARGUMENT', /'mean' or 'centre'/);
  await refused({ mean: [1, 2] }, 'ERR_VSSL_INVALID_ARGUMENT', /three numbers/);
  await refused({ std: [1, 0, 1] }, 'ERR_VSSL_INVALID_ARGUMENT', /above 0/);
  await refused({ clip: { frames: 0 } }, 'ERR_VSSL_INVALID_ARGUMENT', /clip\.frames/);
  await refused({ weights: file('absent.pth') }, 'ERR_VSSL_FILE', /no such file/);
  const own = file('own.safetensors');
  await writeSafetensors(own, [], { format: 'vssl-encoder', format_version: '1' });
  await refused({ weights: own }, 'ERR_VSSL_USAGE', /already: give it to --weights or --init/);
});

test('tensors of a network are named once', (t) => {
  t.is(new Set(tensorsOf(networkOf(slow)).keys()).size, tensorsOf(networkOf(slow)).size);
});
