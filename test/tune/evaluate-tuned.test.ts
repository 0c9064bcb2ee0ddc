// eval finetune and eval attentive from beginning to end, on clips that are made as they are read.
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { evaluateTuned, type TunedEvaluationOptions } from '#src/index.js';
import { softmaxRows } from '#src/tune/test-classifier.js';
import { readEncoderFile } from '#src/weights/encoder-file.js';
import { scratch, writeTinyWeights } from '../embed/make-videos.js';
import { readLines } from '../helpers/tiny-run.js';

const { file, remove } = scratch();
test.after.always(remove);
test.before(async () => {
  mkdirSync(file('run'), { recursive: true });
  await writeTinyWeights(file('run/weights.safetensors'));
});

const set = (split: string, more = '') =>
  `synthetic:motion?split=${split}&count=48&pixels=32&appearances=4${more}`;
const short = ['train.steps=4', 'train.batch=12', 'train.schedule.warmupSteps=1', 'train.checkpointEvery=2'];
const heads = ['attentive.heads=2'];
const options = (more: Partial<TunedEvaluationOptions>): TunedEvaluationOptions => ({
  protocol: 'finetune',
  run: file('run'),
  train: set('train'),
  test: set('test'),
  set: short,
  windows: 2,
  device: 'cpu',
  ...more,
});

test.serial(
  'fine-tuning: trained and from scratch, floors beside, the runs kept and found again',
  async (t) => {
    const folders: string[] = [];
    const onEvent: TunedEvaluationOptions['onEvent'] = (event) => {
      if (event.type === 'run') folders.push(event.folder);
    };
    const result = await evaluateTuned(options({ baseline: 'random', floors: true, onEvent }));
    const { trained, random, floors } = result;
    for (const score of [trained, random!, floors!.appearance]) {
      t.is(score.count, 48);
      t.truthy(score.top5);
      t.true(score.interval[0] <= score.accuracy && score.accuracy <= score.interval[1]);
    }
    t.is(result.file, file(`run/eval-finetune-${result.key}.json`));
    const { file: _, ...rest } = result;
    t.deepEqual(JSON.parse(readFileSync(result.file!, 'utf8')), JSON.parse(JSON.stringify(rest)));
    t.is(folders.length, 2);
    const lines = await readLines(`${folders[0]}/metrics.jsonl`);
    t.true(lines.some(({ accuracy }) => typeof accuracy === 'number'));
    const { description } = await readEncoderFile(`${folders[0]}/weights.safetensors`);
    t.is(description.method, 'finetune');
    const before = readFileSync(`${folders[0]}/weights.safetensors`);
    const again = await evaluateTuned(options({ baseline: 'random', floors: true }));
    t.deepEqual(again.trained, trained);
    t.deepEqual(readFileSync(`${folders[0]}/weights.safetensors`), before, 'nothing was trained anew');
  },
);

test.serial(
  'the attentive probe leaves the encoder as it is; the untrained one has statistics of clips',
  async (t) => {
    const runs = file('attentive');
    const result = await evaluateTuned(
      options({ protocol: 'attentive', set: [...short, ...heads], baseline: 'random', runs, crops: 1 }),
    );
    t.is(result.trained.count, 48);
    t.is(result.random!.count, 48);
    const tensors = async (path: string) =>
      (await readEncoderFile(path)).tensors.map(({ name, data }) => [
        name,
        Buffer.from(data).toString('base64'),
      ]);
    t.deepEqual(
      await tensors(`${runs}/trained/weights.safetensors`),
      await tensors(file('run/weights.safetensors')),
    );
    t.deepEqual(
      await tensors(`${runs}/random/weights.safetensors`),
      await tensors(`${runs}/untrained.safetensors`),
    );
  },
);

test.serial(
  'folds: a run for each, every video tested once; labels that a fold lacks come last',
  async (t) => {
    const runs = file('folds');
    const both = { train: undefined, test: undefined, data: set('train'), folds: 'group:2' };
    const result = await evaluateTuned(options({ ...both, runs, crops: 1, windows: 1 }));
    t.is(result.trained.count, 48);
    t.is(result.trained.folds.length, 2);
    t.deepEqual(readdirSync(runs).sort(), ['trained-0', 'trained-1']);
    const config = JSON.parse(await readFile(`${runs}/trained-0/config.json`, 'utf8'));
    t.regex(config.data.path, /group=/);
  },
);

test('what cannot be asked', async (t) => {
  const usage = { code: 'ERR_VSSL_USAGE' };
  const weights = file('run/weights.safetensors');
  await t.throwsAsync(evaluateTuned(options({ run: undefined, weights })), { ...usage, message: /--runs/ });
  await t.throwsAsync(evaluateTuned(options({ weights })), usage);
  await t.throwsAsync(evaluateTuned(options({ train: undefined })), usage);
  await t.throwsAsync(evaluateTuned(options({ preset: 'cvrl-tiny' })), {
    code: 'ERR_VSSL_CONFIG',
    message: /preset of 'finetune'/,
  });
  await t.throwsAsync(evaluateTuned(options({ set: ['finetune.dropuot=1'] })), { code: 'ERR_VSSL_CONFIG' });
  await t.throwsAsync(evaluateTuned(options({ crops: 2 as never })), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
  await t.throwsAsync(evaluateTuned(options({ windws: 2 } as never)), {
    code: 'ERR_VSSL_INVALID_ARGUMENT',
    message: /did you mean 'windows'/,
  });
});

test.serial('the command line', async (t) => {
  const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
  const flags = short.flatMap((each) => ['--set', each]);
  const { stdout } = await promisify(execFile)(process.execPath, [
    main,
    ...['eval', 'finetune', '--run', file('run'), '--train', set('train'), '--test', set('test')],
    ...['--windows', '1', '--crops', '1', '--device', 'cpu', '--runs', file('cli'), '--json', ...flags],
  ]);
  const result = JSON.parse(stdout.trim().split('\n').at(-1)!);
  t.is(result.protocol, 'finetune');
  t.is(result.trained.count, 48);
});

test('logits as probabilities', (t) => {
  const rows = softmaxRows(Float32Array.of(0, Math.log(3), 1000, 1000), 2);
  t.true(Math.abs(rows[0]! - 0.25) < 1e-6 && Math.abs(rows[1]! - 0.75) < 1e-6);
  t.deepEqual([...rows.subarray(2)], [0.5, 0.5]);
});
