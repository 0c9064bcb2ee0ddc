import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import test from 'ava';
import { VideoEncoder } from '#src/embed/video-encoder.js';
import { exportWeights } from '#src/exchange/export-weights.js';
import { loadEngine } from '#src/native/load.js';
import { readEncoderFile } from '#src/weights/encoder-file.js';
import { readSafetensors } from '#src/weights/safetensors.js';
import { scratch, tiny, writeTinyWeights } from '../embed/make-videos.js';
import {
  counter,
  differing,
  distance,
  fixture,
  formulaWeights,
  writeFormulaWeights,
} from './make-weights.js';

const { file, remove } = scratch();
test.after.always(remove);

const { clips: shape, features } = JSON.parse(fixture('features.json').toString()) as {
  clips: [number, 3, number, number, number];
  features: Record<string, number[]>;
};

for (const [arch, expected] of Object.entries(features))
  test(`${arch} in torchvision's layout: its tensors, and its features of the same weights`, async (t) => {
    const model = { arch, width: 1 };
    await writeFormulaWeights(file(`${arch}.safetensors`), model);
    const out = file(`${arch}-out.safetensors`);
    await exportWeights({ weights: file(`${arch}.safetensors`), out, layout: 'torchvision', card: false });
    const { tensors, metadata } = await readSafetensors(out);
    t.is(metadata.format, 'pt');
    t.deepEqual(differing(tensors, formulaWeights(model)), []);
    const encoder = await loadEngine().createEncoder({ ...model, device: 'cpu' });
    await encoder.loadWeights(tensors);
    const clips = Float32Array.from(
      counter(
        shape.reduce((a, b) => a * b),
        1000,
      ),
    );
    const off = distance(await encoder.forward(clips, shape), expected);
    t.true(off < 1e-4, `${off}`);
    encoder.dispose();
  });

test('a run in a folder: names that say what and end in the hash, one card for all of an encoder', async (t) => {
  const run = file('run');
  await mkdir(join(run, 'encoders'), { recursive: true });
  await writeTinyWeights(join(run, 'weights.safetensors'), { method: 'modist', encoder: 'visual' });
  await writeTinyWeights(join(run, 'encoders/motion.safetensors'), {
    method: 'modist',
    encoder: 'motion',
    step: 8,
  });
  await writeFile(
    join(run, 'config.json'),
    JSON.stringify({ method: 'modist', data: { path: '/home/me/videos?a=b' } }),
  );
  await writeFile(
    join(run, 'eval-knn-1.json'),
    JSON.stringify({
      protocol: 'knn',
      encoder: { step: 7 },
      data: { train: '/x/a.csv', test: '/x/b.csv' },
      trained: { accuracy: 0.75 },
      random: { accuracy: 0.25 },
    }),
  );
  const out = file('zoo/deep');
  const exported = (encoder?: string) => exportWeights({ weights: run, out, license: 'cc-by-4.0', encoder });
  const files = [await exported(), await exported('motion')];
  t.deepEqual(
    files.map(({ encoder }) => encoder),
    ['visual', 'motion'],
  );
  for (const { file: path, sha256, bytes, arch, dim } of files) {
    const content = await readFile(path);
    t.is(createHash('sha256').update(content).digest('hex'), sha256);
    t.is(content.byteLength, bytes);
    t.regex(
      basename(path),
      new RegExp(`^r3d_10-w0\\.125-modist-(visual|motion)-${sha256.slice(0, 8)}\\.safetensors$`),
    );
    t.deepEqual([arch, dim], ['r3d_10', 64]);
    t.is((await readSafetensors(path)).metadata.license, 'cc-by-4.0');
  }
  await exportWeights({ weights: run, out, encoder: 'visual', layout: 'onnx' });
  const card = await readFile(join(out, 'README.md'), 'utf8');
  // the encoder of another name has other metadata, and the same weights
  t.true(card.startsWith('---\nlicense: cc-by-4.0\n'));
  for (const part of [
    '`data.path` | videos?a=b |',
    '| knn | train: a.csv, test: b.csv | accuracy | 75.0 | 25.0 |  |',
    'onnxruntime',
  ])
    t.true(card.includes(part), `${part} in ${card}`);
  t.false(card.includes('/home/me'));
  t.is(card.match(/^\| `.*` \| (vssl|onnx) \|/gm)?.length, 3);
  t.is((await readdir(out)).length, 4);
  await writeFile(join(out, 'README.md'), `${card}\nOf my own cats.\n`);
  await exportWeights({ weights: join(run, 'weights.safetensors'), out, layout: 'onnx', input: 'frames' });
  const again = await readFile(join(out, 'README.md'), 'utf8');
  t.regex(again, /kept by the next export\. -->\n\nOf my own cats\.\n$/);
  t.regex(again, /\| onnx, takes frames \| fp32 \|/);
  t.true(again.includes('| knn |'));
});

test('cards of others are left as they are', async (t) => {
  const out = file('shared');
  await mkdir(out);
  await writeFile(join(out, 'README.md'), '# My project\n');
  const weights = file('a.safetensors');
  await writeTinyWeights(weights);
  const { file: written, card } = await exportWeights({ weights, out });
  t.is(card, written.replace(/safetensors$/, 'md'));
  t.is(await readFile(join(out, 'README.md'), 'utf8'), '# My project\n');
  await writeFile(join(out, 'b.md'), 'mine');
  await t.throwsAsync(exportWeights({ weights, out: join(out, 'b.safetensors') }), {
    code: 'ERR_VSSL_USAGE',
    message: /b\.safetensors is written, but its model card is not/,
  });
  t.is(await readFile(join(out, 'b.md'), 'utf8'), 'mine');
  t.is((await exportWeights({ weights, out: join(out, 'b.safetensors'), card: false })).card, undefined);
});

test('half precision is read wherever weights are, and gives nearly the same vectors', async (t) => {
  const weights = file('whole.safetensors');
  await writeTinyWeights(weights);
  const frames = Uint8Array.from(counter(7 * 32 * 32 * 3, 3), (u) => 127.5 + 127 * u);
  const vectorOf = async (path: string) => {
    await using encoder = await VideoEncoder.load(path, { precision: 'fp32', device: 'cpu' });
    return await encoder.embed({ frames, shape: [7, tiny.size, tiny.size, 3] });
  };
  const expected = await vectorOf(weights);
  for (const [dtype, layout, most] of [
    ['fp16', 'vssl', 1e-3],
    ['bf16', 'torchvision', 1e-2],
  ] as const) {
    const out = file(`${dtype}.safetensors`);
    const narrow = layout === 'torchvision';
    // torchvision has no network of this width
    const kind = narrow ? 'vssl' : layout;
    await exportWeights({ weights, out, dtype, layout: kind, card: false });
    const stored = await readSafetensors(out);
    const types = new Set(stored.tensors.map((tensor) => `${tensor.shape.length}${tensor.dtype}`));
    t.deepEqual([...types].sort(), ['0I64', '1F32', dtype === 'fp16' ? '5F16' : '5BF16']);
    t.deepEqual(
      (await readEncoderFile(out)).tensors
        .map(({ dtype: own }) => own === 'F32' || own === 'I64')
        .includes(false),
      false,
    );
    const off = distance(await vectorOf(out), expected);
    t.true(off > 0 && off < most, `${off}`);
  }
});

test('weights beyond half precision are not cut off in silence', async (t) => {
  const model = { arch: 'r3d_10', width: 1 / 64 };
  const tensors = formulaWeights(model);
  const large = tensors.findIndex(({ name }) => name === 'stem.0.weight');
  new Float32Array(tensors[large]!.data.buffer as ArrayBuffer)[0] = 70_000;
  const { writeEncoderFile } = await import('#src/weights/encoder-file.js');
  const { tinyDescription } = await import('../embed/make-videos.js');
  const weights = file('large.safetensors');
  await writeEncoderFile(weights, { ...tinyDescription, model }, tensors);
  await t.throwsAsync(exportWeights({ weights, out: file('l.onnx'), dtype: 'fp16' }), {
    code: 'ERR_VSSL_WEIGHTS',
    message: /'stem\.0\.weight' holds 70000, beyond the 65504 of fp16; take bf16/,
  });
  await exportWeights({ weights, out: file('l.onnx'), dtype: 'bf16', card: false });
  t.pass();
});

test('what cannot be exported is refused with the way out, and nothing is written', async (t) => {
  const weights = file('narrow.safetensors');
  await writeTinyWeights(weights);
  const refused = async (options: object, code: string, message: RegExp) => {
    const error = await t.throwsAsync(
      exportWeights({ weights, out: file('no.safetensors'), ...options } as never),
      { code },
    );
    t.regex(error!.message, message);
  };
  await refused(
    { layout: 'torchvision' },
    'ERR_VSSL_WEIGHTS',
    /r3d_10 of width 0\.125.*r3d_18, .*layout onnx has every/,
  );
  await refused({ layout: 'onnx' }, 'ERR_VSSL_USAGE', /ends in \.onnx for the layout onnx/);
  await refused(
    { out: file('no.onnx'), layout: 'vssl' },
    'ERR_VSSL_USAGE',
    /\.safetensors for the layout vssl/,
  );
  await refused({ layout: 'coreml' }, 'ERR_VSSL_INVALID_ARGUMENT', /'vssl', 'torchvision' or 'onnx'/);
  await refused({ dtype: 'int8' }, 'ERR_VSSL_INVALID_ARGUMENT', /'fp32', 'fp16' or 'bf16'/);
  await refused({ input: 'frames' }, 'ERR_VSSL_USAGE', /layout onnx/);
  await refused({ license: 'a\nb: c' }, 'ERR_VSSL_INVALID_ARGUMENT', /license/);
  await refused(
    { encoder: 'encodr' },
    'ERR_VSSL_USAGE',
    /has no encoder 'encodr', only encoder; did you mean 'encoder'/,
  );
  await refused({ out: weights }, 'ERR_VSSL_USAGE', /would be overwritten/);
  await refused({ weights: file('absent') }, 'ERR_VSSL_FILE', /absent/);
  t.false((await readdir(file('.'))).some((name) => name.startsWith('no.')));
  const { description, tensors } = await readEncoderFile(weights);
  const { writeEncoderFile } = await import('#src/weights/encoder-file.js');
  const odd = file('odd.safetensors');
  await writeEncoderFile(odd, { ...description, model: { arch: 'r3d_10', width: 0.25 } }, tensors);
  await refused(
    { weights: odd },
    'ERR_VSSL_WEIGHTS',
    /says that it is r3d_10 of width 0\.25, but expected F32 \[16, 3, 3, 7, 7\]/,
  );
  await cp(weights, file('copy.safetensors'));
});
