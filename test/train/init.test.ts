import { access, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { TrainConfig } from '#src/methods/config.js';
import type { NamedTensor } from '#src/native/bindings.js';
import { type TrainOptions, train } from '#src/train/train.js';
import { latestCheckpoint } from '#src/weights/checkpoint.js';
import { readEncoderFile } from '#src/weights/encoder-file.js';
import { readSafetensors, writeSafetensors } from '#src/weights/safetensors.js';
import { tinyConfig } from '../helpers/tiny-run.js';

const data = 'synthetic:motion?count=8&pixels=32&seconds=1';
const root = await mkdtemp(join(tmpdir(), 'vssl-init-'));
let runs = 0;
const newOut = () => join(root, `run${runs++}`);

/** A run of MoCo; the rate of its first step is 0, so that what it begins with is what it ends with. */
async function run(options: TrainOptions, seed = 1): Promise<string> {
  const { cvrl: _, ...rest } = tinyConfig({ train: { seed, steps: 4, checkpointEvery: 1 } });
  const config: TrainConfig = { ...rest, method: 'moco', moco: { queue: 16, head: { dim: 8 } } };
  const { out } = await train(config, { out: newOut(), data, maxSteps: 1, ...options });
  return out;
}

const weightsOf = (out: string) => join(out, 'weights.safetensors');
/** Those that the optimiser moves, by name; BatchNorm's statistics follow the clips. */
const parametersOf = (tensors: readonly NamedTensor[]) =>
  new Map(tensors.flatMap(({ name, data }) => (/running|num_batches/.test(name) ? [] : [[name, data]])));

const first = await run({}, 1);

test('a new run begins with the weights of a file, and so does the momentum copy', async (t) => {
  const given = parametersOf((await readEncoderFile(weightsOf(first))).tensors);
  const other = await run({}, 2);
  t.notDeepEqual(parametersOf((await readEncoderFile(weightsOf(other))).tensors), given);
  const out = await run({ init: weightsOf(first) }, 2);
  t.deepEqual(parametersOf((await readEncoderFile(weightsOf(out))).tensors), given);
  const checkpoint = await latestCheckpoint<{ init?: string }>(join(out, 'checkpoints'));
  t.is(checkpoint?.state.init, weightsOf(first));
  // momentum 0.999 of two that are alike rounds in the last bit
  const state = new Map(checkpoint?.tensors.map((tensor) => [tensor.name, tensor]));
  const floats = (bytes: Uint8Array) => new Float32Array(Uint8Array.from(bytes).buffer);
  let copies = 0;
  for (const [name, bytes] of given) {
    const key = [...state.values()].find((tensor) => /key/.test(tensor.name) && tensor.name.endsWith(name));
    if (!key) continue;
    copies += 1;
    const [a, b] = [floats(key.data), floats(bytes)];
    t.true(
      a.every((value, i) => Math.abs(value - b[i]!) <= 1e-6 * (1 + Math.abs(value))),
      name,
    );
  }
  t.is(copies, given.size);
  t.is(JSON.parse(await readFile(join(out, 'config.json'), 'utf8')).run.init, weightsOf(first));
});

test('a run that goes on has its beginning behind it; another one is refused', async (t) => {
  const init = weightsOf(first);
  const whole = await run({ init, maxSteps: 3 });
  const out = await run({ init });
  await run({ out, init, maxSteps: 2 });
  await run({ out, maxSteps: 3 });
  t.deepEqual(await readFile(weightsOf(out)), await readFile(weightsOf(whole)));
  await t.throwsAsync(run({ out, init: weightsOf(out), maxSteps: 4 }), {
    code: 'ERR_VSSL_RESUME_MISMATCH',
    message: /init \(".*" there, ".*" now\)/,
  });
  await t.throwsAsync(run({ out: await run({}), init, maxSteps: 2 }), {
    code: 'ERR_VSSL_RESUME_MISMATCH',
    message: /init \(absent there/,
  });
});

test('a file that does not fit is refused by name, with what was expected and what is nearest', async (t) => {
  const { tensors, metadata } = await readSafetensors(weightsOf(first));
  const [one, ...rest] = tensors as [NamedTensor, ...NamedTensor[]];
  const refused = async (change: readonly NamedTensor[], meta: object, message: RegExp) => {
    const path = join(root, `changed${runs++}.safetensors`);
    await writeSafetensors(path, change, { ...metadata, ...meta });
    const error = await t.throwsAsync(run({ init: path }), { code: 'ERR_VSSL_WEIGHTS', message });
    t.true(error!.message.includes(path));
  };
  const model = JSON.stringify({ ...JSON.parse(metadata.model!), width: 0.25 });
  await refused(tensors, { model }, /expected r3d_10 of width 0\.125, but it is r3d_10 of width 0\.25/);
  const renamed = { ...one, name: `${one.name}s` };
  await refused([renamed, ...rest], {}, new RegExp(`no tensor '${one.name}'; did you mean '${one.name}s'`));
  await refused(rest, {}, new RegExp(`no tensor '${one.name}'`));
  await refused(
    [...tensors, renamed],
    {},
    new RegExp(`no tensor '${one.name}s'; did you mean '${one.name}'`),
  );
  const shape = [...one.shape, 1];
  await refused(
    [{ ...one, shape }, ...rest],
    {},
    /expected F32 \[.*\] for its tensor .*, but it is F32 \[.*, 1\]/,
  );

  const out = newOut();
  const init = join(root, 'absent.safetensors');
  await t.throwsAsync(run({ out, init }), { code: 'ERR_VSSL_FILE', message: /absent\.safetensors/ });
  const { path } = (await latestCheckpoint(join(first, 'checkpoints')))!;
  await t.throwsAsync(run({ out, init: path }), { code: 'ERR_VSSL_WEIGHTS' });
  await t.throwsAsync(run({ out, init: '' }), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
  await t.throwsAsync(access(out), undefined, 'wrong files leave no folder behind');
});

test('weights of other libraries are fitted to the run; what they are usually given is told', async (t) => {
  const { tensors } = await readEncoderFile(weightsOf(first));
  const given = parametersOf(tensors);
  const wrapped = tensors.map((tensor) => ({ ...tensor, name: `module.encoder_q.${tensor.name}` }));
  const init = join(root, 'foreign.safetensors');
  const odd = {
    name: 'module.encoder_q.fc.weight',
    dtype: 'F32',
    shape: [1],
    data: new Uint8Array(4),
  } as const;
  await writeSafetensors(init, [...wrapped, odd]);
  const { cvrl: _, ...rest } = tinyConfig({ train: { seed: 2, steps: 4, checkpointEvery: 1 } });
  const config: TrainConfig = { ...rest, method: 'moco', moco: { queue: 16, head: { dim: 8 } } };
  const warnings: string[] = [];
  const out = newOut();
  for await (const event of train(config, { out, data, maxSteps: 1, init }))
    if (event.type === 'warning') warnings.push(event.message);
  t.deepEqual(parametersOf((await readEncoderFile(weightsOf(out))).tensors), given);
  t.regex(
    warnings.join('\n'),
    /foreign\.safetensors: .* usually given .*mean \[0\.43216,.* this run has \[0,0,0\]/,
  );

  const pictures = wrapped.slice(1);
  await writeSafetensors(init, pictures);
  const missing = wrapped[0]!.name.replace('module.encoder_q.', '');
  await t.throwsAsync(run({ init }, 2), {
    code: 'ERR_VSSL_WEIGHTS',
    message: new RegExp(
      `foreign\\.safetensors, read as .* does not fit r3d_10 of width 0\\.125.*'${missing}'`,
    ),
  });
});
