// ONNX files read back, and run by the operators of read-onnx.ts: the features are those of the engine.
import { readFile } from 'node:fs/promises';
import test from 'ava';
import { ARCHITECTURE_NAMES, ARCHITECTURES } from '#src/config/architectures.js';
import { VideoEncoder } from '#src/embed/video-encoder.js';
import { exportWeights } from '#src/exchange/export-weights.js';
import { encodeOnnx } from '#src/exchange/onnx-model.js';
import { loadEngine } from '#src/native/load.js';
import { scratch, tiny } from '../embed/make-videos.js';
import { counter, distance, formulaWeights, writeFormulaWeights } from './make-weights.js';
import { readOnnx, runOnnx } from './read-onnx.js';

const { file, remove } = scratch();
test.after.always(remove);

const models = [
  ...ARCHITECTURE_NAMES.map((arch) => ({ arch, width: 1 / 32 })),
  { arch: 'c3d', width: 1 / 32, batchNorm: false },
  { arch: 'r3d_10', width: 1 / 32, timeStrides: [2, 1, 1, 2] },
  { arch: 'r2plus1d_18', width: 1 / 32, timeStrides: [1, 2, 1, 1] },
];

for (const [i, model] of models.entries())
  test(`features of ${JSON.stringify(model)}`, async (t) => {
    const path = file(`${i}.safetensors`);
    await writeFormulaWeights(path, model);
    const out = file(`${i}.onnx`);
    await exportWeights({ weights: path, out, card: false });
    const onnx = readOnnx(await readFile(out));
    t.deepEqual([onnx.irVersion, onnx.opset], [8, 17]);
    t.deepEqual(onnx.input, { name: 'clips', type: 1, shape: ['batch', 3, 'frames', 'height', 'width'] });
    const encoder = await loadEngine().createEncoder({ ...model, device: 'cpu' });
    await encoder.loadWeights(formulaWeights(model));
    t.deepEqual(onnx.output, { name: 'features', type: 1, shape: ['batch', encoder.dim] });
    const { frames, size } = ARCHITECTURES[model.arch as keyof typeof ARCHITECTURES].leastClip;
    // odd sides, so that every rounding of a size is met
    const shape = [2, 3, Math.max(frames, 5), Math.max(size, 19), Math.max(size, 22)] as const;
    const clips = Float32Array.from(
      counter(
        shape.reduce((a, b) => a * b),
        1000,
      ),
    );
    const expected = await encoder.forward(clips, shape);
    const features = runOnnx(onnx, { shape, data: Float64Array.from(clips) });
    t.deepEqual(features.shape, [2, encoder.dim]);
    const off = distance(features.data, expected);
    t.true(off < 1e-4, `${off}`);
    encoder.dispose();
  });

const model = { arch: 'r3d_10', width: 1 / 16 };

for (const dtype of ['fp16', 'bf16'] as const)
  test(`${dtype}: half of the bytes, nearly the same features`, async (t) => {
    await writeFormulaWeights(file(`of-${dtype}.safetensors`), model);
    const weights = file(`of-${dtype}.safetensors`);
    const [whole, half] = [file(`whole-${dtype}.onnx`), file(`${dtype}.onnx`)];
    const full = await exportWeights({ weights, out: whole, card: false });
    const result = await exportWeights({ weights, out: half, dtype, card: false });
    t.true(result.bytes < 0.65 * full.bytes);
    const shape = [1, 3, 4, 16, 16];
    const clips = { shape, data: counter(3 * 4 * 16 * 16, 1000) };
    const [a, b] = await Promise.all(
      [whole, half].map(async (path) => runOnnx(readOnnx(await readFile(path)), clips)),
    );
    const off = distance(b!.data, a!.data);
    t.true(off > 0 && off < (dtype === 'fp16' ? 2e-3 : 2e-2), `${off}`);
  });

for (const input of ['rgb', 'temporal-mean-removed', 'difference'] as const)
  test(`frames of bytes, ${input}: the graph does what embed does to pixels`, async (t) => {
    const weights = file(`${input}.safetensors`);
    await writeFormulaWeights(weights, model, { input, mean: [0.4, 0.5, 0.3], std: [0.2, 0.25, 0.3] });
    const out = file(`${input}.onnx`);
    await exportWeights({ weights, out, input: 'frames', card: false });
    const onnx = readOnnx(await readFile(out));
    t.deepEqual(onnx.input, { name: 'frames', type: 2, shape: ['batch', 'frames', 'height', 'width', 3] });
    t.is(onnx.properties.input, input);
    // as many frames as a clip of stride 2 spans; the clip has every second one
    const { frames: count, size, stride } = tiny;
    const video = [(count - 1) * stride + 1, size, size, 3] as const;
    const area = size * size * 3;
    const pixels = Uint8Array.from(counter(video[0] * area, 7), (u) => 127.5 + 127 * u);
    await using encoder = await VideoEncoder.load(weights, { precision: 'fp32', device: 'cpu' });
    const expected = await encoder.embed({ frames: pixels, shape: [...video] }, { clips: 1 });
    const clip = Float64Array.from(
      { length: count * area },
      (_, i) => pixels[Math.floor(i / area) * stride * area + (i % area)]!,
    );
    const features = runOnnx(onnx, { shape: [1, count, size, size, 3], data: clip });
    const off = distance(features.data, expected);
    t.true(off < 1e-4, `${off}`);
  });

test('byte for byte: a graph of one node', (t) => {
  const scale = { name: 's', dtype: 'F32', shape: [1], data: Uint8Array.of(0, 0, 128, 63) } as const;
  const graph = {
    name: 'g',
    nodes: [
      { type: 'Mul', inputs: ['x', 's'], output: 'y', attributes: { a: [1, 300], b: 2, c: { float: 1 } } },
    ],
    tensors: [scale],
    input: { name: 'x', type: 'F32', shape: ['n', 3] },
    output: { name: 'y', type: 'F32', shape: ['n', 3] },
  } as const;
  const bytes = Buffer.concat(encodeOnnx(graph, { name: 'p', version: '1' }, { k: 'v' }));
  const value = (name: string) => `0a01${name}120f0a0d080112090a0312016e0a020803`;
  const node =
    ['0a0178', '0a0173', '120179', '1a0179', '22034d756c'].join('') +
    // ints [1, 300], int 2, float 1
    ['2a0b', '0a0161', '420301ac02', 'a00107'].join('') +
    ['2a08', '0a0162', '1802', 'a00102'].join('') +
    ['2a0b', '0a0163', '150000803f', 'a00101'].join('');
  const tensor = ['0a0101', '1001', '420173', '4a040000803f'].join('');
  const part = (key: string, hex: string) => key + (hex.length / 2).toString(16).padStart(2, '0') + hex;
  const body = `${part('0a', node)}120167${part('2a', tensor)}${part('5a', value('78'))}${part('62', value('79'))}`;
  t.is(
    bytes.toString('hex'),
    `08081201701a0131${part('3a', body)}42021011${part('72', '0a016b' + '120176')}`,
  );
});

test('what does not fit into a file of protobuf is refused before it is made', (t) => {
  const data = { byteLength: 2 ** 31 } as Uint8Array;
  const graph = {
    name: 'g',
    nodes: [],
    tensors: [{ name: 'w', dtype: 'F32', shape: [2 ** 29], data }],
    input: { name: 'x', type: 'F32', shape: [] },
    output: { name: 'y', type: 'F32', shape: [] },
  } as const;
  t.throws(() => encodeOnnx(graph, { name: 'p', version: '1' }, {}), {
    code: 'ERR_VSSL_WEIGHTS',
    message: /less than 2 GB.*fp16/,
  });
});
