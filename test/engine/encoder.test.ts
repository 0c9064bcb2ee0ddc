import test from 'ava';
import { drawClips } from '#src/bench/engine/memory-clips.js';
import { loadEngine } from '#src/native/load.js';

const engine = loadEngine();
const tiny = { arch: 'r3d_10', width: 0.125, seed: 4 };
const shape = [2, 3, 8, 32, 32] as const;
const clips = Float32Array.from({ length: 2 * 3 * 8 * 32 * 32 }, (_, i) => Math.sin(i * 0.01));

test('the self test finds nothing wrong', async (t) => {
  t.is(await engine.selfTest(), '');
});

test('weights are a function of the seed and travel between encoders', async (t) => {
  const [first, second, third] = await Promise.all([
    engine.createEncoder(tiny),
    engine.createEncoder(tiny),
    engine.createEncoder({ ...tiny, seed: 5 }),
  ]);
  t.is(first.dim, 64);
  const features = await first.forward(clips, shape);
  t.is(features.length, 2 * 64);
  t.true(features.every(Number.isFinite));
  t.deepEqual(await second.forward(clips, shape), features);
  t.notDeepEqual(await third.forward(clips, shape), features);
  await third.loadWeights(await first.weights());
  t.deepEqual(await third.forward(clips, shape), features);
  for (const encoder of [first, second, third]) encoder.dispose();
});

test('names and shapes are those of torchvision', async (t) => {
  const encoder = await engine.createEncoder({ arch: 'r2plus1d_18' });
  const shapes = new Map((await encoder.weights()).map((w) => [w.name, w.shape]));
  t.deepEqual(shapes.get('stem.0.weight'), [45, 3, 1, 7, 7]);
  t.deepEqual(shapes.get('layer2.0.conv1.0.3.weight'), [128, 230, 3, 1, 1]);
  t.deepEqual(shapes.get('layer4.0.downsample.1.running_var'), [512]);
  t.deepEqual(shapes.get('layer1.1.conv2.1.num_batches_tracked'), []);
  encoder.dispose();
});

test('wrong specs and weights are refused with a code', async (t) => {
  const code = async (work: () => Promise<unknown>) =>
    ((await t.throwsAsync(work)) as (Error & { code?: string }) | undefined)?.code;
  t.is(await code(() => engine.createEncoder({ arch: 'r3d_19' })), 'ERR_VSSL_INVALID_ARGUMENT');
  t.is(await code(() => engine.createEncoder({ ...tiny, depth: 3 })), 'ERR_VSSL_INVALID_ARGUMENT');
  const encoder = await engine.createEncoder(tiny);
  const weights = await encoder.weights();
  t.is(await code(() => encoder.loadWeights(weights.slice(1))), 'ERR_VSSL_WEIGHTS');
  t.is(await code(() => encoder.loadWeights([...weights, weights[0]!])), 'ERR_VSSL_WEIGHTS');
  encoder.dispose();
});

test('the memory counters follow the encoder', async (t) => {
  const encoder = await engine.createEncoder(tiny);
  const { liveTensors, hostBytes, deviceBytes } = encoder.stats();
  t.is(liveTensors, (await encoder.weights()).length);
  t.true(hostBytes > 500_000 && hostBytes < 5_000_000);
  t.is(deviceBytes, 0);
  encoder.dispose();
});

test('a linear fit separates what can be separated, and gives the same bits again', async (t) => {
  const rows = 90;
  const x = new Float32Array(rows * 3).map(
    (_, i) => (i % 3 === Math.floor(i / 3) % 3 ? 1 : 0.2) + 0.1 * Math.sin(i),
  );
  const y = Int32Array.from({ length: rows }, (_, i) => i % 3);
  const fitOnce = () => engine.fitLinear(x, y, x, 3, 3, { weightDecay: 1e-4 });
  const result = await fitOnce();
  t.is(result.trainAccuracy, 1);
  t.is(result.scores.length, rows * 3);
  t.deepEqual(await fitOnce(), result);
});

test('the bare convolutions are those of the network, each on an input of its size', async (t) => {
  const encoder = await engine.createEncoder({ ...tiny, precision: 'bf16' });
  const batch = await drawClips(engine, { clips: 2, frames: 8, size: 32 });
  const kernels = (await encoder.weights()).filter((w) => w.shape.length === 5).map((w) => w.shape);
  const before = await encoder.embed(batch, 'clip');
  const times = await encoder.timeConvolutions(batch, 'clip');
  const sorted = (shapes: (readonly number[])[]) => shapes.map((shape) => shape.join()).sort();
  t.deepEqual(
    sorted(times.map(({ input, output, kernel }) => [output[1]!, input[1]!, ...kernel])),
    sorted(kernels),
  );
  t.deepEqual(times[0]!.input, [2, 3, 8, 32, 32]);
  t.deepEqual(times[0]!.output, [2, 8, 8, 16, 16]);
  t.is(times[0]!.flops, 2 * (2 * 8 * 8 * 16 * 16) * (3 * 3 * 7 * 7));
  for (const { seconds } of times) t.true(seconds > 0 && seconds < 10);
  t.deepEqual(await encoder.embed(batch, 'clip'), before);
  batch.dispose();
  encoder.dispose();
});
