import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFile,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { TrainConfig } from '#src/methods/config.js';
import type { TrainEvent } from '#src/train/events.js';
import { parseEvents } from '#src/train/tensorboard.js';
import { type TrainOptions, train } from '#src/train/train.js';
import { listCheckpoints } from '#src/weights/checkpoint.js';
import { readEncoderFile } from '#src/weights/encoder-file.js';
import { readSafetensors, writeSafetensors } from '#src/weights/safetensors.js';
import { makeTinyVideos, readLines, tinyConfig } from '../helpers/tiny-run.js';

const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
const videos = await makeTinyVideos(9);
const newOut = async () => join(await mkdtemp(join(tmpdir(), 'vssl-train-')), 'run');

async function run(out: string, config: TrainConfig = tinyConfig(), options: TrainOptions = {}) {
  const events: TrainEvent[] = [];
  const going = train(config, { out, data: videos.folder, ...options });
  for await (const event of going) events.push(event);
  const result = await going.result;
  const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
  return { result, events, warnings };
}

const weightsOf = (out: string) => readFile(join(out, 'weights.safetensors'));
const stepsOf = async (out: string) => (await readLines(join(out, 'metrics.jsonl'))).map(({ step }) => step);

let whole: Promise<Awaited<ReturnType<typeof run>> & { out: string }> | undefined;
/** A whole run, which several tests look at. */
function wholeRun() {
  whole ??= newOut().then(async (out) => ({ out, ...(await run(out)) }));
  return whole;
}

test.serial('a run leaves everything that its folder should hold', async (t) => {
  const { out, result, events } = await wholeRun();
  t.like(result, { out, step: 8, stepsDone: 8, totalSteps: 8, finished: true });
  t.true(
    Number.isFinite(result.loss) && result.clipsPerSecond > 0 && result.dataWait >= 0 && result.dataWait <= 1,
  );
  t.is(events.at(-1)!.type, 'end');

  const names = await readdir(out);
  for (const name of [
    'config.json',
    'metrics.jsonl',
    'plans.jsonl',
    'quarantine.jsonl',
    'weights.safetensors',
  ])
    t.true(names.includes(name), name);
  t.false(names.includes('lock'));
  t.false(names.some((name) => name.endsWith('.tmp')));

  const config = JSON.parse(await readFile(join(out, 'config.json'), 'utf8'));
  t.like(config, {
    method: 'cvrl',
    train: { batch: 4, accumulate: 1 },
    run: { totalSteps: 8, threads: 2, workers: 3 },
  });
  for (const key of ['versions', 'hardware', 'gitHash']) t.true(key in config.run, key);
  const { description, tensors } = await readEncoderFile(join(out, 'weights.safetensors'));
  t.like(description, { method: 'cvrl', input: 'rgb', step: 8, shrink: 'auto' });
  t.like(description.model, { arch: 'r3d_10', width: 0.125 });
  t.deepEqual({ ...description.clip }, { frames: 4, stride: 2, size: 32, fps: null });
  t.true(tensors.length > 10);
});

test.serial(
  'metrics, plans and TensorBoard have each step, and checkpoints stand where they should',
  async (t) => {
    const { out } = await wholeRun();
    const metrics = await readLines(join(out, 'metrics.jsonl'));
    t.deepEqual(
      metrics.map(({ step }) => step),
      [1, 2, 3, 4, 5, 6, 7, 8],
    );
    const numbers = 'step epoch loss lr clipsPerSecond dataSeconds stepSeconds rssBytes deviceBytes'.split(
      ' ',
    );
    for (const line of metrics) for (const key of numbers) t.is(typeof line[key], 'number', key);
    t.is(metrics[0]!.lr, 0);
    const plans = await readLines(join(out, 'plans.jsonl'));
    t.deepEqual(
      plans.map(({ step, version }) => [step, version]),
      metrics.map(({ step }) => [step, 2]),
    );

    const tensorboard = (await readdir(out)).filter((name) => name.startsWith('events.out.tfevents.'));
    t.is(tensorboard.length, 1);
    t.deepEqual(
      [...parseEvents(await readFile(join(out, tensorboard[0]!)))].map(({ step }) => step),
      [0, 1, 2, 3, 4, 5, 6, 7, 8],
    );
    t.deepEqual(
      (await listCheckpoints(join(out, 'checkpoints'))).map(({ step }) => step),
      [3, 6, 8],
    );
  },
);

test.serial('what was wrong with the videos is told once a file and once a clip', async (t) => {
  const { out, result, events } = await wholeRun();
  const quarantine = await readLines(join(out, 'quarantine.jsonl'));
  const files = quarantine.filter(({ what }) => what === 'file');
  const clips = quarantine.filter(({ what }) => what === 'clip');
  t.is(files[0]!.path, videos.garbage);
  t.true(clips.length > 0);
  t.like(result, { quarantined: files.length, failedClips: clips.length });
  t.is(events.filter(({ type }) => type === 'quarantine').length, files.length);
  t.is(events.filter(({ type }) => type === 'failed-clip').length, clips.length);
  // a clip says where it cannot be decoded, and the file behind it stays until there are three of them
  clips.forEach(({ path, code, failed }, i) => {
    t.deepEqual([path, code, failed], [videos.undecodable, 'ERR_VSSL_VIDEO_DECODE', i + 1]);
  });
  t.true(clips.every(({ where }) => (where as number) >= 0));
  for (const { reason, code, where } of quarantine) {
    t.true(typeof reason === 'string' && reason.length > 0 && typeof where === 'number');
    t.regex(String(code), /^ERR_VSSL_/);
  }
});

test.serial(
  'the same run twice gives the same bytes, whatever the decoder threads and the cache',
  async (t) => {
    const [a, b] = [await newOut(), await newOut()];
    await run(a);
    await run(b, tinyConfig({ data: { workers: 1, cacheMB: 0 } }));
    t.true((await weightsOf(a)).equals(await weightsOf(b)));
    const c = await newOut();
    await run(c, tinyConfig({ train: { seed: 4 } }));
    t.false((await weightsOf(a)).equals(await weightsOf(c)));
  },
);

test.serial('maxSteps stops early, keeps the schedule, and a larger one goes on', async (t) => {
  const [whole, parts] = [await newOut(), await newOut()];
  await run(whole);
  const first = await run(parts, tinyConfig(), { maxSteps: 2 });
  t.like(first.result, { step: 2, totalSteps: 8, finished: false });
  const again = await run(parts, tinyConfig(), { maxSteps: 2 });
  t.like(again.result, { step: 2, stepsDone: 0 });
  t.like((await run(parts, tinyConfig(), { maxSteps: 5 })).result, { step: 5, stepsDone: 3 });
  t.like((await run(parts)).result, { step: 8, stepsDone: 3, finished: true });
  t.true((await weightsOf(whole)).equals(await weightsOf(parts)));
  const rows = async (out: string) =>
    (await readLines(join(out, 'metrics.jsonl'))).map(({ step, lr, loss }) => [step, lr, loss]);
  t.deepEqual(await rows(parts), await rows(whole));
});

test.serial('a finished run is left as it is, its data gone or not', async (t) => {
  const out = await newOut();
  const data = await mkdtemp(join(tmpdir(), 'vssl-gone-'));
  for (const name of (await readdir(videos.folder)).slice(0, 7))
    await copyFile(join(videos.folder, name), join(data, name));
  await run(out, tinyConfig({ train: { steps: 2 } }), { data });
  await rm(data, { recursive: true });
  const before = await stat(join(out, 'weights.safetensors'));
  const { result } = await run(out, tinyConfig({ train: { steps: 2 } }), { data });
  t.like(result, { stepsDone: 0, step: 2, finished: true });
  t.is((await stat(join(out, 'weights.safetensors'))).mtimeMs, before.mtimeMs);
  await run(out, tinyConfig({ train: { steps: 2 } }), { data, maxSteps: 1 });
  t.is((await stat(join(out, 'weights.safetensors'))).mtimeMs, before.mtimeMs);
});

test.serial('weights that are missing beside a finished checkpoint are written again', async (t) => {
  const out = await newOut();
  await run(out, tinyConfig({ train: { steps: 2 } }));
  const before = await weightsOf(out);
  await rm(join(out, 'weights.safetensors'));
  await run(out, tinyConfig({ train: { steps: 2 } }));
  t.true(before.equals(await weightsOf(out)));
});

test.serial('another configuration in the same folder names the keys that differ', async (t) => {
  const out = await newOut();
  await run(out, tinyConfig(), { maxSteps: 1 });
  const error = await t.throwsAsync(
    run(out, tinyConfig({ train: { seed: 9, batch: 3 }, log: { every: 2 } })),
    {
      code: 'ERR_VSSL_RESUME_MISMATCH',
    },
  );
  for (const key of ['train.seed (3 there, 9 now)', 'train.batch', 'log.every'])
    t.true(error!.message.includes(key), key);
  t.false(error!.message.includes('model'));
  t.deepEqual(await stepsOf(out), [1]);
  // a new run is asked for
  const { result } = await run(out, tinyConfig({ train: { seed: 9 } }), { resume: 'never', maxSteps: 2 });
  t.like(result, { step: 2, stepsDone: 2 });
  t.deepEqual(await stepsOf(out), [1, 2]);
});

test.serial('an unfinished run of another checkpoint version is refused, by both versions', async (t) => {
  const out = await newOut();
  await run(out, tinyConfig(), { maxSteps: 1 });
  const { path } = (await listCheckpoints(join(out, 'checkpoints')))[0]!;
  const { tensors, metadata } = await readSafetensors(path);
  await writeSafetensors(path, tensors, { ...metadata, format_version: '2' });
  const before = await weightsOf(out);
  await t.throwsAsync(run(out), {
    code: 'ERR_VSSL_CHECKPOINT',
    message: /format version is 2, this package reads 1; go on with the version of the package that wrote it/,
  });
  t.true(before.equals(await weightsOf(out)));
  t.deepEqual(await stepsOf(out), [1]);
});

test.serial('other videos in the data folder are noticed', async (t) => {
  const out = await newOut();
  const data = await mkdtemp(join(tmpdir(), 'vssl-changed-'));
  for (const name of (await readdir(videos.folder)).slice(0, 6))
    await copyFile(join(videos.folder, name), join(data, name));
  await run(out, tinyConfig(), { data, maxSteps: 1 });
  await copyFile(join(videos.folder, 'v08.mp4'), join(data, 'new.mp4'));
  await t.throwsAsync(run(out, tinyConfig(), { data }), {
    code: 'ERR_VSSL_RESUME_MISMATCH',
    message: /data\.path/,
  });
});

test.serial('a run goes on from a named checkpoint, in a folder of its own', async (t) => {
  const [whole, other] = [await newOut(), await newOut()];
  await run(whole);
  const [first] = await listCheckpoints(join(whole, 'checkpoints'));
  const { result } = await run(other, tinyConfig(), { resume: first!.path });
  t.like(result, { step: 8, stepsDone: 5 });
  t.true((await weightsOf(whole)).equals(await weightsOf(other)));
});

test.serial('a damaged last checkpoint is told, and the run goes on from the one before', async (t) => {
  const [whole, out] = [await newOut(), await newOut()];
  await run(whole);
  await run(out, tinyConfig(), { maxSteps: 7 });
  const last = (await listCheckpoints(join(out, 'checkpoints'))).at(-1)!;
  t.is(last.step, 7);
  await writeFile(last.path, (await readFile(last.path)).subarray(0, 1000));
  const { warnings, result } = await run(out);
  t.true(warnings.some((warning) => warning.includes(last.path)));
  t.is(result.stepsDone, 2);
  t.true((await weightsOf(whole)).equals(await weightsOf(out)));
});

test.serial('an AbortSignal stops it with a checkpoint, and it can go on', async (t) => {
  const [whole, out] = [await newOut(), await newOut()];
  await run(whole);
  const stop = new AbortController();
  const going = train(tinyConfig(), { out, data: videos.folder, signal: stop.signal });
  const reason = new Error('enough');
  const thrown = await t.throwsAsync(async () => {
    for await (const event of going) if (event.type === 'step' && event.step === 4) stop.abort(reason);
  });
  t.is(thrown, reason);
  t.true((await listCheckpoints(join(out, 'checkpoints'))).at(-1)!.step >= 4);
  await run(out);
  t.true((await weightsOf(whole)).equals(await weightsOf(out)));
});

test.serial('two runs cannot share a folder', async (t) => {
  const out = await newOut();
  const first = train(tinyConfig(), { out, data: videos.folder });
  for await (const event of first) if (event.type === 'step') break;
  await t.throwsAsync(run(out), { code: 'ERR_VSSL_LOCKED' });
  await first.result;
});

test.serial('fewer videos than the batch: the batch is smaller, with a warning', async (t) => {
  const out = await newOut();
  const { result, warnings, events } = await run(
    out,
    tinyConfig({ train: { batch: 64, steps: null, epochs: 2 } }),
    { indexFirst: true },
  );
  t.true(
    warnings.some((warning) => /10 usable videos.*64/.test(warning)),
    warnings.join('\n'),
  );
  t.like(
    events.find(({ type }) => type === 'start'),
    { batch: 10, stepsPerEpoch: 1, totalSteps: 2 },
  );
  t.is(result.step, 2);
  const samples = (await readLines(join(out, 'plans.jsonl'))).map((plan) =>
    (plan.samples as { id: string }[]).map(({ id }) => id),
  );
  for (const ids of samples) t.deepEqual([...ids].sort(), [...new Set(ids)].sort());
  // the damaged file counts until a clip of it hits the damage
  t.true(samples.every(({ length }) => length === 9 || length === 10));
});

test.serial('a file is looked at when it is drawn; what was known before changes nothing', async (t) => {
  const config = tinyConfig({ train: { batch: 2, steps: 12 } });
  const [bare, known, one] = [await newOut(), await newOut(), await newOut()];
  const { events } = await run(bare, config);
  t.false(events.some(({ type }) => type === 'index'));
  // of all files, those that are never drawn among them
  await run(known, config, { maxSteps: 1, indexFirst: true });
  const index = await readFile(join(known, 'video-index.jsonl'));
  await rm(known, { recursive: true });
  await mkdir(known);
  await writeFile(join(known, 'video-index.jsonl'), index);
  await run(known, config, { resume: 'never' });
  for (const name of ['weights.safetensors', 'plans.jsonl', 'quarantine.jsonl'])
    t.true((await readFile(join(bare, name))).equals(await readFile(join(known, name))), name);

  await run(one, config, { maxSteps: 1 });
  const looked = await readLines(join(one, 'video-index.jsonl'));
  t.true(looked.length <= 4, 'those of two batches');
  t.is((await readLines(join(known, 'video-index.jsonl'))).length, 10, 'all that open');
});

test.serial('a batch that shrinks because files turn out bad is told', async (t) => {
  const { warnings } = await run(await newOut(), tinyConfig({ train: { batch: 11, steps: 2 } }));
  const told = warnings.filter((warning) => warning.startsWith('the batch of step'));
  t.regex(told[0]!, /^the batch of step 1 has (9|10) videos instead of 11: /);
});

test.serial('no usable video at all', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'vssl-bad-'));
  await writeFile(join(data, 'a.mp4'), 'nothing');
  await writeFile(join(data, 'b.mp4'), '');
  const error = await t.throwsAsync(run(await newOut(), tinyConfig(), { data }), {
    code: 'ERR_VSSL_NO_USABLE_VIDEO',
  });
  t.true(error!.message.includes(data));
  const empty = await mkdtemp(join(tmpdir(), 'vssl-empty-'));
  const out = await newOut();
  await t.throwsAsync(run(out, tinyConfig(), { data: empty }), { code: 'ERR_VSSL_DATA' });
  await t.throwsAsync(stat(out), { code: 'ENOENT' });
});

test.serial('onError fail: the first bad file ends it', async (t) => {
  const config = tinyConfig({ data: { onError: 'fail' } });
  const drawn = await t.throwsAsync(run(await newOut(), config), { code: 'ERR_VSSL_DATA' });
  t.true([videos.garbage, videos.undecodable].some((path) => drawn!.message.includes(path)));
  const looked = await t.throwsAsync(run(await newOut(), config, { indexFirst: true }), {
    code: 'ERR_VSSL_DATA',
  });
  t.true(looked!.message.includes(videos.garbage));
});

test.serial('onError substitute: a bad file is told once, its clips each time', async (t) => {
  const out = await newOut();
  const { result } = await run(out, tinyConfig({ data: { onError: 'substitute' }, train: { steps: 20 } }));
  const told = await readLines(join(out, 'quarantine.jsonl'));
  t.deepEqual(
    told.filter(({ what }) => what === 'file').map(({ path }) => path),
    [videos.garbage, videos.undecodable],
  );
  const clips = told.filter(({ what }) => what === 'clip');
  t.true(clips.length > 3);
  t.is(result.failedClips, clips.length);
});

test.serial('a loss that is not finite stops the run with the state before it', async (t) => {
  const out = await newOut();
  const config = tinyConfig({ train: { optimizer: { lr: 1e30 }, schedule: { warmupSteps: 0 } } });
  const error = await t.throwsAsync(run(out, config), { code: 'ERR_VSSL_NON_FINITE' });
  const report = JSON.parse(await readFile(join(out, 'nonfinite.json'), 'utf8'));
  t.true(error!.message.includes('nonfinite.json'));
  t.is(report.files.length, 4);
  t.is(report.plan.views.length, 2);
  const last = (await listCheckpoints(join(out, 'checkpoints'))).at(-1);
  t.is(last?.step ?? 0, report.step - 1);
  for (const { data, dtype } of (await readEncoderFile(join(out, 'weights.safetensors'))).tensors)
    if (dtype === 'F32')
      t.true(new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4).every(Number.isFinite));
});

test.serial('hooks evaluate during training and change nothing', async (t) => {
  const [plain, hooked] = [await newOut(), await newOut()];
  await run(plain);
  const seen: number[] = [];
  await run(hooked, tinyConfig(), {
    hooks: [
      {
        name: 'size',
        everySteps: 3,
        run: async ({ step, session, loader }) => {
          const plan = (await readLines(join(hooked, 'plans.jsonl'))).at(-1)!;
          const { batch } = await loader.load({ version: plan.version as number, views: plan.views });
          const [name] = session.encoderNames();
          const vectors = await session.embed(batch, batch.views()[0]!.name, name!);
          batch.dispose();
          seen.push(step);
          return { values: vectors.length };
        },
      },
    ],
  });
  t.deepEqual(seen, [3, 6]);
  const lines = (await readLines(join(hooked, 'metrics.jsonl'))).filter(
    ({ evaluation }) => evaluation === 'size',
  );
  t.deepEqual(
    lines.map(({ step }) => step),
    [3, 6],
  );
  t.true((lines[0]!.values as number) > 0);
  t.true((await weightsOf(plain)).equals(await weightsOf(hooked)));
});

test.serial('a run folder that cannot be made, or is a file', async (t) => {
  const file = join(await mkdtemp(join(tmpdir(), 'vssl-file-')), 'a');
  await writeFile(file, '');
  for (const out of [file, join(file, 'run'), '/proc/vssl-run']) {
    const error = await t.throwsAsync(run(out), { code: 'ERR_VSSL_RUN_WRITE' });
    t.true(error!.message.includes(out));
  }
});

test.serial('a disk that fills up: a clear error, exit 1, and the last checkpoint whole', async (t) => {
  const [whole, out] = [await newOut(), await newOut()];
  const config = join(await mkdtemp(join(tmpdir(), 'vssl-full-')), 'config.json');
  await writeFile(config, JSON.stringify(tinyConfig()));
  await run(whole);
  await run(out, tinyConfig(), { maxSteps: 3 });
  const kilobytes = Math.floor(
    (await stat((await listCheckpoints(join(out, 'checkpoints')))[0]!.path)).size / 1024,
  );
  const args = [main, 'train', '--config', config, '--data', videos.folder, '--out', out];
  const limited = spawnSync(
    'sh',
    ['-c', `ulimit -f ${Math.floor(kilobytes / 2)}; exec "$@"`, 'sh', process.execPath, ...args],
    {
      encoding: 'utf8',
    },
  );
  t.is(limited.status, 1, limited.stderr);
  t.regex(limited.stderr, /checkpoint of step 6 could not be written.*that of step 3/);
  t.deepEqual(await readdir(join(out, 'checkpoints')), ['step-000000003.safetensors']);
  await run(out);
  t.true((await weightsOf(whole)).equals(await weightsOf(out)));
});

test.serial(
  'Ctrl-C on the command line, or a terminal that hangs up: exit 130 after a checkpoint',
  async (t) => {
    const out = await newOut();
    const config = join(await mkdtemp(join(tmpdir(), 'vssl-stop-')), 'config.json');
    await writeFile(config, JSON.stringify(tinyConfig({ train: { steps: 100_000, checkpointEvery: null } })));
    for (const [signal, leaves] of [
      ['SIGINT', false],
      ['SIGTERM', false],
      ['SIGHUP', true],
    ] as const) {
      const child = spawn(
        process.execPath,
        [main, 'train', '--config', config, '--data', videos.folder, '--out', out],
        {
          stdio: ['ignore', 'pipe', 'pipe'],
          env: { ...process.env, CI: '1' },
        },
      );
      let stderr = '';
      let asked = false;
      child.stderr.on('data', (text: string) => {
        stderr += text;
        if (!/step \d+\/100000/.test(stderr) || asked) return;
        asked = true;
        // who hangs up reads no more, and that may be noticed before the signal
        if (leaves) for (const stream of [child.stdout, child.stderr]) stream.destroy();
        setTimeout(() => child.kill(signal), leaves ? 100 : 0);
      });
      const [code] = await once(child, 'close');
      t.is(code, 130, stderr);
      if (!leaves) t.regex(stderr, /stopped after step \d+/);
    }
    t.is((await listCheckpoints(join(out, 'checkpoints'))).length, 3);
  },
);

test.serial('a metrics line cut off by a kill does not stay', async (t) => {
  const out = await newOut();
  await run(out, tinyConfig(), { maxSteps: 3 });
  await appendFile(join(out, 'metrics.jsonl'), '{"step":4,"epo');
  await run(out);
  t.deepEqual(await stepsOf(out), [1, 2, 3, 4, 5, 6, 7, 8]);
});
