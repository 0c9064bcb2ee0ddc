// npm run test:onnx: exported weights as others see them, and weights of others. Exports networks of every architecture and asks onnx.checker,
// onnxruntime, PyTorch and torchvision of Python whether they are sound and give the same features; runs the Python of
// docs/python.md; imports what torch.save writes of torchvision's networks. VSSL_PYTHON names the interpreter (default python3). The last line counts.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { log, main, root, ToolError } from './common.mjs';

const python = process.env.VSSL_PYTHON || 'python3';
const from = (name) => import(new URL(`../dist/esm/${name}.js`, import.meta.url).href);

/** Two shapes each: sizes are free. */
const SHAPES = [
  [2, 3, 8, 48, 48],
  [1, 3, 10, 33, 52],
];
const full = ['r3d_18', 'mc3_18', 'r2plus1d_18', 'r3d_50'];
const MODELS = [
  ...full.map((arch) => ({ arch, width: 1 })),
  { arch: 'r3d_10', width: 1 },
  { arch: 'r3d_34', width: 0.25 },
  { arch: 'c3d', width: 0.25 },
  { arch: 'c3d', width: 0.25, batchNorm: false },
];

function requirePython() {
  const done = spawnSync(python, ['-c', 'import numpy, onnx, onnxruntime'], { encoding: 'utf8' });
  if (done.status === 0) return;
  const why = done.error?.message ?? done.stderr.trim().split('\n').at(-1);
  throw new ToolError(
    `'${python}' lacks onnx or onnxruntime (${why}): 'pip install onnx onnxruntime', and name the interpreter with VSSL_PYTHON`,
    3,
  );
}

/** Numbers from -1 to 1, the same every time. */
function noise(count, seed) {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Weights as training leaves them: BatchNorm's numbers are not those that it begins with. */
function trained(tensors) {
  return tensors.map((tensor, i) => {
    if (tensor.dtype !== 'F32' || tensor.shape.length !== 1) return tensor;
    const [centre, size] = /running_var|weight$/.test(tensor.name) ? [1, 0.3] : [0, 0.3];
    const values = noise(tensor.shape[0], i + 1).map((value) => centre + size * value);
    return { ...tensor, data: new Uint8Array(values.buffer) };
  });
}

class Exporter {
  constructor(folder, { exportWeights, writeEncoderFile, loadEngine, VideoEncoder }) {
    Object.assign(this, { folder, exportWeights, writeEncoderFile, loadEngine, VideoEncoder });
    this.jobs = [];
    this.count = 0;
  }

  save(values, shape) {
    const file = join(this.folder, `array${this.count++}`);
    writeFileSync(file, values);
    return { file, shape, dtype: values instanceof Uint8Array ? 'uint8' : 'float32' };
  }

  /** An encoder file of a model, and what it gives for clips. */
  async make(model, name, changes = {}) {
    const native = await this.loadEngine().createEncoder({ ...model, seed: 1, device: 'cpu' });
    const file = join(this.folder, `${name}.vssl.safetensors`);
    const clip = { frames: 8, stride: 1, size: 48, fps: null };
    const description = {
      ...{ method: 'cvrl', encoder: 'encoder', model, clip, input: 'rgb', shrink: 'auto', step: 1 },
      ...{ mean: [0.4, 0.5, 0.6], std: [0.2, 0.3, 0.4] },
      ...changes,
    };
    const tensors = trained(await native.weights());
    await this.writeEncoderFile(file, description, tensors);
    await native.loadWeights(tensors);
    const cases = [];
    for (const shape of SHAPES) {
      const clips = noise(
        shape.reduce((a, b) => a * b),
        7,
      );
      const features = await native.forward(clips, shape);
      const out = this.save(features, [shape[0], native.dim]);
      cases.push({ given: this.save(clips, shape), features: out });
    }
    native.dispose();
    return { file, cases };
  }

  async onnx(arch, { file, cases }, name, options = {}, most = 1e-4, input = 'clips') {
    const out = join(this.folder, `${name}.onnx`);
    await this.exportWeights({ weights: file, out, card: false, ...options });
    this.jobs.push({ kind: 'onnx', name, file: out, arch, input, cases, most });
  }

  async torch(arch, { file, cases }, name, options = {}, most = 1e-4) {
    const out = join(this.folder, `${name}.safetensors`);
    await this.exportWeights({ weights: file, out, layout: 'torchvision', card: false, ...options });
    this.jobs.push({ kind: 'torch', name, file: out, arch, cases, most });
  }

  /** A file that takes bytes, beside what embed makes of them. */
  async frames(input, name) {
    const model = { arch: 'r3d_10', width: 0.25 };
    const { file } = await this.make(model, name, { input });
    const shape = [8, 48, 48, 3];
    const pixels = Uint8Array.from(
      noise(
        shape.reduce((a, b) => a * b),
        9,
      ),
      (u) => 127.5 + 127 * u,
    );
    const encoder = await this.VideoEncoder.load(file, { precision: 'fp32', device: 'cpu' });
    const features = this.save(await encoder.embed({ frames: pixels, shape }, { clips: 1 }), [
      1,
      encoder.dim,
    ]);
    await encoder.dispose();
    const cases = [{ given: this.save(pixels, [1, ...shape]), features }];
    await this.onnx(model.arch, { file, cases }, name, { input: 'frames' }, 1e-4, 'frames');
    return cases[0];
  }
}

async function exportAll(exporter) {
  const made = new Map();
  for (const model of MODELS) {
    const name = `${model.arch}${model.width === 1 ? '' : `-w${model.width}`}${model.batchNorm === false ? '-bias' : ''}`;
    log(`exporting ${name}`);
    const one = await exporter.make(model, name);
    made.set(name, one);
    await exporter.onnx(model.arch, one, name);
    if (full.includes(model.arch) && model.arch !== 'r3d_50') await exporter.torch(model.arch, one, name);
  }
  const r3d = made.get('r3d_18');
  await exporter.onnx('r3d_18', r3d, 'r3d_18-fp16', { dtype: 'fp16' }, 5e-3);
  await exporter.onnx('r3d_18', r3d, 'r3d_18-bf16', { dtype: 'bf16' }, 5e-2);
  await exporter.torch('r3d_18', r3d, 'r3d_18-half', { dtype: 'fp16' }, 5e-3);
  for (const input of ['temporal-mean-removed', 'difference'])
    await exporter.frames(input, `frames-${input}`);
  await exportPage(exporter, made);
}

/** The files that docs/python.md names. */
async function exportPage(exporter, made) {
  const { folder } = exporter;
  const narrow = await exporter.make({ arch: 'r3d_10', width: 0.25 }, 'narrow');
  const written = { card: false, out: join(folder, 'narrow.safetensors') };
  await exporter.exportWeights({ weights: narrow.file, ...written });
  const torch = { layout: 'torchvision', card: false };
  await exporter.exportWeights({
    weights: made.get('r3d_10').file,
    ...torch,
    out: join(folder, 'r3d_10.safetensors'),
  });
  await exporter.exportWeights({
    weights: made.get('r3d_18').file,
    card: false,
    out: join(folder, 'encoder.onnx'),
  });
  const frames = await exporter.frames('rgb', 'encoder-frames');
  const files = {
    r3d_18: made.get('r3d_18').cases[0],
    r3d_10: made.get('r3d_10').cases[0],
    narrow: narrow.cases[0],
    encoder: made.get('r3d_18').cases[0],
    'encoder-frames': frames,
    'r3d_18 pixels': await pixels(exporter),
  };
  const page = join(root, 'docs/python.md');
  exporter.jobs.push({ kind: 'page', name: 'docs/python.md', file: page, folder, files });
}

/** Frames of bytes, and the clips that the page's lines must make of them. */
async function pixels(exporter) {
  const [frames, side] = [3, 4];
  const bytes = Uint8Array.from(noise(frames * side * side * 3, 5), (u) => 127.5 + 127 * u);
  const [mean, std] = [
    [0.4, 0.5, 0.6],
    [0.2, 0.3, 0.4],
  ];
  const area = frames * side * side;
  const clips = Float32Array.from({ length: 3 * area }, (_, i) => {
    const channel = Math.floor(i / area);
    return (bytes[(i % area) * 3 + channel] / 255 - mean[channel]) / std[channel];
  });
  return {
    given: exporter.save(bytes, [1, frames, side, side, 3]),
    clips: exporter.save(clips, [1, 3, frames, side, side]),
  };
}

const floats = (file) => new Float32Array(new Uint8Array(readFileSync(file)).buffer);

/** torchvision's own files: the features are theirs, and networks of pictures become networks of clips. */
async function importAll(folder, { importWeights, VideoEncoder }) {
  const script = join(root, 'test/exchange/make_imports.py');
  const done = spawnSync(python, [script, folder], { encoding: 'utf8' });
  if (done.status === 77) return [{ name: 'imports', skipped: done.stderr.trim() }];
  if (done.status !== 0) return [{ name: 'imports', ok: false, detail: done.stderr }];
  const told = [];
  const out = join(folder, 'imported.safetensors');
  for (const arch of ['r3d_18', 'r2plus1d_18', 'mc3_18']) {
    const found = await importWeights({ weights: join(folder, `${arch}.pth`), out });
    const encoder = await VideoEncoder.load(out, { device: 'cpu' });
    const expected = floats(join(folder, `${arch}.f32`));
    const got = await encoder.forward(floats(join(folder, 'clips.f32')), [2, 3, 8, 32, 32]);
    await encoder.dispose();
    const off = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - got[i])), 0);
    const ok = found.arch === arch && off < 1e-4;
    told.push({ name: `import ${arch}.pth`, ok, detail: `${found.arch}, off by ${off.toExponential(1)}` });
  }
  for (const [from, arch, kernels] of [
    ['resnet18', 'r3d_18', 17],
    ['resnet50', 'r3d_50', 10],
  ]) {
    const { inflated } = await importWeights({ weights: join(folder, `${from}.pth`), out, arch });
    told.push({
      name: `import ${from}.pth`,
      ok: inflated === kernels,
      detail: `${inflated} kernels inflated`,
    });
  }
  return told;
}

/** Prints what failed, and the count. */
function report(told) {
  const skipped = told.filter((one) => one.skipped);
  const failed = told.filter((one) => one.ok === false);
  for (const { name, detail, skipped: why, ok } of told)
    console.log(`${why ? 'skipped' : ok ? 'ok' : 'FAILED'} ${name}: ${why ?? detail}`);
  if (failed.length > 0 || told.length === 0) process.exitCode = 1;
  const passed = told.length - failed.length - skipped.length;
  console.log(
    `${passed} passed, ${failed.length} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`,
  );
}

await main(async () => {
  if (!existsSync(join(root, 'dist/esm')))
    throw new ToolError("dist/ is not there: 'npm run build' makes it");
  requirePython();
  const rooms = ['exchange/export-weights', 'exchange/import-weights', 'weights/encoder-file', 'native/load'];
  const [{ exportWeights }, { importWeights }, { writeEncoderFile }, { loadEngine }, { VideoEncoder }] =
    await Promise.all([...rooms, 'embed/video-encoder'].map(from));
  const folder = mkdtempSync(join(tmpdir(), 'vssl-onnx-'));
  try {
    const exporter = new Exporter(folder, { exportWeights, writeEncoderFile, loadEngine, VideoEncoder });
    await exportAll(exporter);
    const jobs = join(folder, 'jobs.json');
    writeFileSync(jobs, JSON.stringify(exporter.jobs));
    log('asking onnx, onnxruntime, torch and torchvision');
    const script = join(root, 'test/exchange/check_exports.py');
    const done = spawnSync(python, [script, jobs], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const told = done.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    report([...told, ...(await importAll(folder, { importWeights, VideoEncoder }))]);
    if (done.status !== 0) throw new ToolError(`${script} ended with ${done.signal ?? done.status}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
