/** Numbers that would freeze or kill: each is answered at once, by a coded error that names it or by a result. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { runClaims } from '#src/claims/run-claims.js';
import { loadManifest } from '#src/data/manifest.js';
import { Rng } from '#src/data/rng.js';
import { makeClock } from '#src/data/samplers/clock.js';
import { drawStartsWithin } from '#src/data/samplers/starts.js';
import { embedToFile } from '#src/embed/embed-to-file.js';
import { VideoEncoder } from '#src/embed/video-encoder.js';
import { readFacts } from '#src/embed/video-facts.js';
import { VsslError } from '#src/errors.js';
import { evaluate } from '#src/eval/evaluate.js';
import { resolveConfig, type TrainConfig } from '#src/methods/config.js';
import { loadEngine } from '#src/native/load.js';
import { checkVideos } from '#src/prepare/check-videos.js';
import { prepare } from '#src/prepare/prepare.js';
import { writeSyntheticVideos } from '#src/prepare/write-synthetic.js';
import { encodePng } from '../helpers/png.js';
import { scratch, squareFrames, tiny, writeSquareVideo, writeTinyWeights } from './make-videos.js';

const { file, remove } = scratch();
test.after.always(remove);

const VAST = 1e9;
/** Processor seconds and bytes that an answer may take. */
const SECONDS = 2;
const BYTES = 300 * 2 ** 20;
const INVALID = 'ERR_VSSL_INVALID_ARGUMENT';
const small = { arch: 'r3d_10', width: 0.125, clip: tiny } as const;
const frames = squareFrames(6, 24, 32, (t) => [t, t]);
const shape = [6, 24, 32, 3] as const;

test.before(async () => {
  await writeTinyWeights(file('weights.safetensors'));
  await writeSquareVideo(file('video.avi'), (t) => [t, t]);
  mkdirSync(file('pictures'));
  for (let i = 0; i < 6; i++)
    writeFileSync(
      file(`pictures/${i}.png`),
      encodePng(16, 16, () => [40 * i, 0, 0, 255]),
    );
});

/** Runs `work` and gives its error, or its result, within the bounds. */
async function answer(t: ExecutionContext, name: string, work: () => unknown): Promise<unknown> {
  const before = process.memoryUsage().rss;
  const began = process.cpuUsage();
  let outcome: unknown;
  try {
    outcome = await work();
  } catch (error) {
    outcome = error;
  }
  const { user, system } = process.cpuUsage(began);
  t.true((user + system) / 1e6 < SECONDS, `${name} takes ${(user + system) / 1e6} s`);
  const grown = process.memoryUsage().rss - before;
  t.true(grown < BYTES, `${name} takes ${grown / 2 ** 20} MB`);
  return outcome;
}

type Case = readonly [name: string, work: () => unknown, code: VsslError['code'], says: RegExp];

async function refuses(t: ExecutionContext, cases: readonly Case[]) {
  for (const [name, work, code, says] of cases) {
    const error = await answer(t, name, work);
    if (!(error instanceof VsslError)) {
      t.fail(`${name}: no coded error but ${String(error)}`);
      continue;
    }
    t.is(error.code, code, `${name}: ${error.message}`);
    t.regex(error.message, says, name);
  }
}

test.serial('VideoEncoder', async (t) => {
  const clip = (more: object) => () => VideoEncoder.create({ ...small, clip: { ...tiny, ...more } });
  await using encoder = await VideoEncoder.create(small);
  const embed = (options: object, more: object = {}) => {
    return () => encoder.embed({ frames, shape, fps: 25, ...more } as never, options);
  };
  await refuses(t, [
    ['clips', embed({ clips: VAST }), INVALID, /from 1 to 100000 for clips/],
    ['clips of a file', () => encoder.embed(file('video.avi'), { clips: VAST }), INVALID, /clips/],
    ['clips without end', embed({ clips: Number.POSITIVE_INFINITY }), INVALID, /clips/],
    ['crops', embed({ crops: VAST }), INVALID, /crops/],
    ['fps', embed({}, { fps: 1e-9 }), INVALID, /from 0.000001 to 1000 for video.fps/],
    ['fps', embed({}, { fps: VAST }), INVALID, /video.fps/],
    ['shape', embed({}, { shape: [1, VAST, VAST, 3] }), INVALID, /video.shape/],
    ['shape', embed({}, { shape: [VAST, 24, 32, 3] }), INVALID, /video.frames/],
    ['clip.frames', clip({ frames: VAST }), INVALID, /from 1 to 4096 for clip.frames/],
    ['clip.size', clip({ size: VAST }), INVALID, /from 8 to 8192 for clip.size/],
    ['clip.stride', clip({ stride: 1e15 }), INVALID, /clip.stride/],
    ['clip.fps', clip({ fps: 1e-9 }), INVALID, /clip.fps/],
    ['a clip of 3 TB', clip({ frames: 4096, size: 8192 }), INVALID, /memory here .* for clip/],
    [
      'threads',
      () => VideoEncoder.create({ ...small, threads: VAST }),
      INVALID,
      /from 1 to 1024 for threads/,
    ],
    ['seed', () => VideoEncoder.create({ ...small, seed: 1e300 }), INVALID, /seed/],
  ]);
});

test.serial('what is odd and harmless gives vectors', async (t) => {
  for (const clip of [tiny, { ...tiny, fps: 100 }, { ...tiny, stride: 1e9 }, { ...tiny, fps: 1e-6 }]) {
    await using encoder = await VideoEncoder.create({ ...small, clip });
    for (const fps of [1e-6, 1000]) {
      const work = () => encoder.embed({ frames, shape, fps }, { clips: 5 });
      const vector = (await answer(t, `${fps} pictures a second`, work)) as Float32Array;
      t.is(vector.length, encoder.dim, String(vector));
      t.true(vector.every(Number.isFinite));
    }
  }
});

test.serial('calls about data', async (t) => {
  const data = file('video.avi');
  const weights = file('weights.safetensors');
  const out = file('out.jsonl');
  const synthetic = (query: string) => () => loadManifest(`synthetic:motion?${query}`);
  const copy = (options: object) => () => prepare({ data, out: file('copy'), ...options });
  const line = (text: string) => {
    writeFileSync(file('list.csv'), text);
    return () => loadManifest(file('list.csv'));
  };
  await refuses(t, [
    ['clips', () => embedToFile({ weights, data, out, clips: VAST }), INVALID, /clips/],
    ['threads', () => embedToFile({ weights, data, out, threads: VAST }), INVALID, /threads/],
    ['threads', () => checkVideos({ data, threads: VAST }), INVALID, /from 1 to 1024 for threads/],
    ['fps', () => checkVideos({ data: `${file('pictures')}?fps=1e-9` }), INVALID, /for fps/],
    ['fps', line('path,fps\npictures,1e-9\n'), 'ERR_VSSL_DATA', /fps '1e-9'/],
    ['shortSide', copy({ shortSide: VAST }), INVALID, /from 16 to 8192 for shortSide/],
    ['threads', copy({ threads: VAST }), INVALID, /threads/],
    ['fps', copy({ fps: 1e-9 }), INVALID, /fps/],
    ['fps', copy({ fps: VAST }), INVALID, /fps/],
    [
      'a copy larger than any disk',
      copy({ data: `${file('pictures')}?fps=1e-6`, fps: 300 }),
      'ERR_VSSL_WRITE',
      /needs .* GB .* lower --fps/,
    ],
    ['count', synthetic('count=1000000000'), INVALID, /from 1 to 1000000 for count/],
    ['seconds', synthetic('seconds=1e12'), INVALID, /for seconds/],
    ['seconds x fps', synthetic('seconds=3600&fps=1000'), INVALID, /2097152 pictures .* for seconds/],
    ['fps', synthetic('fps=1e12'), INVALID, /for fps/],
    ['pixels', synthetic('pixels=1e12'), INVALID, /for pixels/],
    ['appearances', synthetic('appearances=1e300'), INVALID, /for appearances/],
    [
      'clips that are written as a whole',
      () =>
        writeSyntheticVideos({
          data: 'synthetic:motion?count=1&pixels=4096&seconds=80000',
          out: file('written'),
        }),
      INVALID,
      /memory here .* for data/,
    ],
    [
      'windows',
      () => evaluate({ protocol: 'knn', weights, data, windows: VAST } as never),
      INVALID,
      /from 1 to 100000 for windows/,
    ],
    [
      'seeds',
      () => runClaims({ method: 'cvrl', data, budget: 1, seeds: VAST, out: file('claims') }),
      INVALID,
      /from 1 to 10000 for seeds/,
    ],
  ]);
});

test.serial('a packed file has as many pictures as it is large', async (t) => {
  writeFileSync(file('clip.rgb8'), new Uint8Array(3 * 16 * 16 * 7));
  writeFileSync(
    file('packed.csv'),
    `path,frames,height,width,fps\n${['clip.rgb8,2000000000,16,16,25', 'clip.rgb8,1,8192,8192,25'].join('\n')}\n`,
  );
  const manifest = await loadManifest(file('packed.csv'));
  t.is(manifest.rows.length, 1, 'the second row names the same file');
  const facts = await readFacts(loadEngine(), manifest.rows[0]!);
  t.is(facts.times.length, 7);
  t.regex(facts.warnings[0]!, /2000000000 pictures, the file has 7/);
});

test.serial('configurations', (t) => {
  const keys: readonly (readonly [string, object])[] = [
    ['data.clip.frames', { data: { clip: { frames: VAST } } }],
    ['data.clip.size', { data: { clip: { size: VAST } } }],
    ['data.clip.stride', { data: { clip: { stride: 1e15 } } }],
    ['data.clip.fps', { data: { clip: { fps: 1e-9 } } }],
    ['data.workers', { data: { workers: VAST } }],
    ['data.cacheMB', { data: { cacheMB: 1e300 } }],
    ['data.augment.crop.attempts', { data: { augment: { crop: { attempts: VAST } } } }],
    ['train.threads', { train: { threads: VAST } }],
    ['train.steps', { train: { steps: 1e300 } }],
    ['train.epochs', { train: { epochs: 1e300 } }],
    ['train.batch', { train: { batch: 1e300 } }],
    ['eval.windows', { eval: { windows: VAST } }],
    ['moco.queue', { method: 'moco', moco: { queue: VAST } }],
    ['modist.motion.stride', { method: 'modist', modist: { motion: { stride: 1e15 } } }],
    ['modist.motion.frames', { method: 'modist', modist: { motion: { frames: VAST } } }],
  ];
  for (const [key, more] of keys) {
    const error = t.throws(() => resolveConfig({ method: 'cvrl', ...more } as TrainConfig), {
      code: 'ERR_VSSL_CONFIG',
    });
    t.regex(error!.message, new RegExp(key.replaceAll('.', '\\.')), key);
  }
});

test.serial('clocks and draws cost nothing, however long a video says it is', async (t) => {
  const facts = { path: 'long.mkv', codec: 'h264', width: 32, height: 32, warnings: [] };
  const long = { ...facts, times: Float64Array.of(0, 1e6, 1e6 + 1), end: 2e6 };
  const work = () => {
    const { frames } = makeClock(long, { fps: 1000 });
    return [frames, ...drawStartsWithin([frames, frames - 7], frames, new Rng(1))];
  };
  const [length, a, b] = (await answer(t, 'two billion frames', work)) as number[];
  t.is(length, 2e9);
  t.true(a! >= 0 && a! < 2e9 && b! >= 0 && b! < 2e9);
  t.throws(() => makeClock({ ...long, end: 1e9 }, { fps: 1000 }), {
    code: 'ERR_VSSL_VIDEO_WINDOW',
    message: /1000000000000 frames; at most 4294967296/,
  });
});

test.serial('the command line', (t) => {
  const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
  const weights = ['--weights', file('weights.safetensors')];
  const data = ['--data', file('video.avi')];
  const vast = '1000000000';
  const cases: readonly (readonly [string[], RegExp])[] = [
    [['embed', ...weights, ...data, '--out', file('a.jsonl'), '--clips', vast], /clips/],
    [['check', ...data, '--threads', vast], /threads/],
    [['prepare', ...data, '--out', file('b'), '--short-side', vast], /shortSide/],
    [['synthesize', '--data', `synthetic:motion?count=${vast}`, '--out', file('c')], /count/],
    [['bench', 'kernels', '--pairs', `${vast}0000`], /pairs/],
    [['train', '--preset', 'cvrl-tiny', ...data, '--out', file('d'), '--threads', vast], /train\.threads/],
  ];
  for (const [args, says] of cases) {
    const { status, stderr } = spawnSync(process.execPath, [main, ...args], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    t.is(status, 2, `${args.join(' ')}: ${stderr}`);
    t.regex(stderr, says);
  }
});
