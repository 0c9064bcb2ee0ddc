// Shows that a change left training as it was. A few steps of every method, in every precision, with and without chunks,
// are trained by a built package, on videos of which two are bad; `--compare` tells what two packages did otherwise.
//
//   node tools/same-runs.mjs --package DIR --out FILE.json [--data DIR] [--only TEXT]
//   node tools/same-runs.mjs --compare BEFORE.json AFTER.json [--only TEXT]
//
// DIR holds dist and build/Release. The videos are made in --data when it is not there: give both packages the same. TEXT:
// part of the names of the runs to be made or compared.
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { log, main, ToolError } from './common.mjs';

const STEPS = 12;
const SAMPLE = 'of-2-seconds/right/s20_00000.mp4';
/** Whatever else they are, times and memory are not the same twice. */
const MEASURED = [
  'clipsPerSecond',
  'dataSeconds',
  'stepSeconds',
  'exchangeSeconds',
  'othersShare',
  'rssBytes',
  'deviceBytes',
];

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

const CONSTANT = { name: 'constant', warmupSteps: 0 };
const CHUNKED = { precision: 'fp32', accumulate: 3 };
const WHOLE = { precision: 'fp32' };
const BF16 = { precision: 'bf16' };
const NORM_HEAD = { head: { norm: true, hiddenLayers: 1, hiddenDim: 24 } };

/** Beside each method as it is: a method, a name, its options; `train`, CHUNKED where nothing stands; other keys. */
const VARIANTS = [
  ['simclr', 'same window, plain head', { sameWindow: true, head: { hiddenLayers: 1, norm: false } }],
  ['cvrl', 'increasing', { sampling: 'increasing', samplingPower: 2, lossScale: 1 }],
  ['cvrl', 'augmented per frame', {}, BF16, { data: { augment: { perFrame: true, solarize: { p: 0.5 } } } }],
  ['moco', 'groups of norm 1', { normGroups: 1, ...NORM_HEAD }, WHOLE],
  ['moco', 'groups of norm 8', { normGroups: 8 }, BF16],
  ['moco', 'symmetric', { symmetric: true }],
  ['moco', 'symmetric bf16', { symmetric: true, normGroups: 2, ...NORM_HEAD }, BF16],
  ['moco', 'decay of weights by key', { decay: 0.99, decayOn: 'weight', ageUnit: 'key' }],
  ['moco', 'decay of logits', { decay: 0.9, momentumSchedule: 'constant' }],
  ['videomoco', 'learned from the start', { dropFrom: 0 }],
  [
    'videomoco',
    'learned as in the authors’ code',
    { dropFrom: 0, fill: 'mean', straightThrough: 'frame', cleanGradients: false },
  ],
  ['videomoco', 'symmetric bf16', { dropFrom: 0, symmetric: true, sameWindow: true }, BF16],
  ['videomoco', 'random', { dropFrom: 0, drop: 'random' }],
  ['videomoco', 'none', { drop: 'none' }],
  ['cate', 'reading B', { reading: 'B' }],
  ['cate', 'reading B unguarded', { reading: 'B', guard: false }],
  ['cate', 'reading B, all anchors, bf16', { reading: 'B', anchors: null }, BF16],
  [
    'cate',
    'everything told',
    {
      encode: ['time', 'crop', 'flip', 'speed', 'colour'],
      speeds: [1, 2],
      maxShift: 0.5,
      timeForm: 'sign',
      cropFrame: 'picture',
    },
  ],
  ['cate', 'constant', { constant: true }],
  ['cate', 'nothing told', { encode: [] }],
  ['cate', 'mlp', { head: 'mlp' }],
  ['modist', 'aligned, all losses', { aligned: true, weights: { mm: 1 } }],
  ['modist', 'without motion', { lambda: 0 }],
  ['modist', 'one way', { weights: { vv: 0, mv: 0 }, normGroups: 1, ...NORM_HEAD }],
  ['modist', 'motion of another network', { motion: { arch: 'c3d', width: 0.0625, frames: 16, stride: 2 } }],
  ['modist', 'flow-edges', { motion: { input: 'flow-edges' } }, BF16],
  ['modist', 'flow', { motion: { input: 'flow' } }, WHOLE],
  ['tcgl', 'intra alone', { weights: { inter: 0, order: 0 } }],
  ['tcgl', 'inter alone', { weights: { intra: 0, order: 0 } }],
  ['tcgl', 'order alone', { weights: { intra: 0, inter: 0 } }],
  ['tcgl', 'both weights', { weights: { intra: 0.5, inter: 2, order: 0 } }],
  [
    'tcgl',
    'as in the authors’ code',
    { separatePasses: true, setStatistics: true, corrupted: 'second', edgeDraws: 'batch' },
  ],
  [
    'tcgl',
    'other graphs',
    { snippets: 4, sets: 2, dropLow: 2, repeat: 2, adjacency: 'full', gates: false, gcnLayers: 2, dim: 24 },
  ],
  ['tcgl', 'pictures', { adjacency: 'none', dropout: 0 }, CHUNKED, { data: { input: 'rgb' } }],
  ['concur', 'a number, unsigned', { schedule: 'down', distance: { form: 'number', signed: false } }],
  ['concur', 'contrast alone', { distance: { weight: 0 } }],
  ['moco', 'fame', {}, CHUNKED, { data: { input: 'rgb', augment: { background: 'fame' } } }],
  [
    'simclr',
    'sgd',
    {},
    { ...WHOLE, optimizer: { name: 'sgd', lr: 0.05, nesterov: true }, schedule: CONSTANT },
  ],
  ['simclr', 'lars', {}, { ...WHOLE, optimizer: { name: 'lars', lr: 0.5 }, clipNorm: 0.5 }],
  ['simclr', 'channels first', {}, { ...WHOLE, channelsLast: false }, { data: { input: 'difference' } }],
  ['simclr', 'substitute', {}, { ...WHOLE, schedule: CONSTANT }, { data: { onError: 'substitute' } }],
];

/** Runs in two parts, the second from the checkpoint of the first. */
const RESUMED = ['moco', 'videomoco', 'tcgl'].map((method) => [
  method,
  'resumed',
  {},
  CHUNKED,
  { pause: STEPS / 2 },
]);

/** Every run: a name and its configuration. */
function cases(hasFlow) {
  const methods = [
    'simclr',
    'cvrl',
    'moco',
    'videomoco',
    'cate',
    'modist',
    'tcgl',
    'concur',
    'fame',
    'cstp',
    'teg',
  ];
  const grid = methods.flatMap((method) =>
    ['fp32', 'bf16'].flatMap((precision) =>
      [1, 3].map((accumulate) => [method, `${precision} x${accumulate}`, {}, { precision, accumulate }]),
    ),
  );
  const network = (arch, rest = {}) => [
    'simclr',
    `on ${[arch, ...Object.keys(rest)].join(' ')}`,
    {},
    WHOLE,
    { model: { arch, width: 0.0625, ...rest } },
  ];
  const networks = [
    ...['r3d_18', 'r3d_34', 'r3d_50', 'mc3_18', 'r2plus1d_18', 'c3d'].map((arch) => network(arch)),
    network('c3d', { batchNorm: false }),
  ];
  return [...grid, ...VARIANTS, ...RESUMED, ...networks]
    .filter(([, name]) => hasFlow || !name.startsWith('flow'))
    .map(([method, name, options, train = CHUNKED, { pause, ...rest } = {}]) => ({
      name: `${method} ${name}`,
      pause,
      config: configOf(method, options, train, rest),
    }));
}

/** Settings of the method's small preset, smaller still. */
function configOf(method, options, train, { model, data }) {
  const queue = { queue: 40 };
  const small = {
    moco: queue,
    videomoco: queue,
    fame: queue,
    modist: { ...queue, motion: { input: 'difference' } },
  };
  const own = { ...small[method], ...options };
  if (method === 'modist') own.motion = { ...small.modist.motion, ...options.motion };
  return {
    extends: `${method}-tiny`,
    model: { arch: 'r3d_10', width: 0.125, ...model },
    data: { clip: { frames: 8, stride: 2, size: 24 }, workers: 2, ...data },
    train: {
      batch: 12,
      steps: STEPS,
      schedule: { name: 'cosine', warmupSteps: 3 },
      threads: 2,
      device: 'cpu',
      seed: 11,
      checkpointEvery: null,
      ...train,
    },
    log: { every: 1, plans: true, tensorboard: false },
    [method]: own,
  };
}

/** Good videos of several lengths, one file that is no video, and one whose pictures do not decode. */
async function makeVideos(vssl, folder) {
  for (const [seconds, count] of [
    [2, 16],
    [3, 6],
    [0.4, 4],
  ])
    await vssl.writeSyntheticVideos({
      data: `synthetic:motion?count=${count}&pixels=48&seconds=${seconds}&split=s${seconds * 10}`,
      out: join(folder, `of-${seconds}-seconds`),
    });
  const whole = readFileSync(join(folder, SAMPLE));
  const cut = Buffer.from(whole);
  const data = cut.indexOf('mdat');
  const size = cut.readUInt32BE(data - 4);
  cut.fill(0, data + 4 + Math.floor(size / 8), data - 4 + size);
  writeFileSync(join(folder, 'undecodable.mp4'), cut);
  writeFileSync(join(folder, 'garbage.mp4'), Buffer.alloc(4000, 'no video'));
}

/** Hash of each tensor of a safetensors file, read without the package. */
function tensorsOf(path) {
  const file = readFileSync(path);
  const start = 8 + Number(file.readBigUInt64LE(0));
  const { __metadata__: _, ...tensors } = JSON.parse(file.toString('utf8', 8, start));
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape, data_offsets: at }]) => [
      name,
      `${dtype} [${shape}] ${sha256(file.subarray(start + at[0], start + at[1]))}`,
    ]),
  );
}

const lines = (path) =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

/** JSON in which the order of keys says nothing. */
const canonical = (value) =>
  JSON.stringify(value, (_, part) =>
    part && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );

/** What a run left, as a flat list of names and values. */
function factsOf(folder, data) {
  const facts = {};
  const addTensors = (kind, path) => {
    for (const [name, value] of Object.entries(tensorsOf(path))) facts[`${kind} ${name}`] = value;
  };
  addTensors('weights', join(folder, 'weights.safetensors'));
  const encoders = join(folder, 'encoders');
  for (const name of existsSync(encoders) ? readdirSync(encoders) : [])
    addTensors(`encoder ${name}`, join(encoders, name));
  for (const name of readdirSync(join(folder, 'checkpoints')))
    addTensors(`checkpoint ${name}`, join(folder, 'checkpoints', name));
  for (const { step, ...numbers } of lines(join(folder, 'metrics.jsonl')))
    for (const [name, value] of Object.entries(numbers))
      if (!MEASURED.includes(name)) facts[`metric ${name} of step ${step}`] = value;
  const placed = (value) => canonical(value).replaceAll(JSON.stringify(data).slice(1, -1), '');
  for (const { step, views, samples } of lines(join(folder, 'plans.jsonl'))) {
    facts[`samples of step ${step}`] = sha256(placed(samples));
    facts[`views of step ${step}`] = views
      .filter(({ clips }) => clips)
      .map(({ name }) => name)
      .join(' ');
    for (const { name, clips } of views)
      if (clips) facts[`plan of view ${name} of step ${step}`] = sha256(placed(clips));
  }
  lines(join(folder, 'quarantine.jsonl')).forEach((entry, i) => {
    facts[`quarantine ${i}`] = placed(entry);
  });
  return facts;
}

/** Hash of the vector that the trained encoder gives a video. */
async function featureOf({ VideoEncoder }, run, videos) {
  const encoder = await VideoEncoder.load(run, { device: 'cpu', threads: 2 });
  const vector = await encoder.embed(join(videos, SAMPLE));
  await encoder.dispose();
  return sha256(vector);
}

async function trainAll({ package: folder, out, data, only }) {
  const from = (file) => import(pathToFileURL(resolve(folder, 'dist/esm', file)).href);
  const vssl = await from('index.js');
  const { loadEngine } = await from('native/load.js');
  const videos = resolve(data ?? mkdtempSync(join(tmpdir(), 'vssl-same-videos-')));
  const runs = mkdtempSync(join(tmpdir(), 'vssl-same-runs-'));
  const result = {};
  try {
    if (!existsSync(join(videos, 'garbage.mp4'))) await makeVideos(vssl, videos);
    const all = cases(loadEngine().info().flowVersion !== '').filter(({ name }) => name.includes(only));
    for (const [i, { name, config, pause }] of all.entries()) {
      const started = performance.now();
      const run = join(runs, String(i));
      if (pause) await vssl.train(config, { data: videos, out: run, maxSteps: pause });
      await vssl.train(config, { data: videos, out: run });
      result[name] = { ...factsOf(run, videos), feature: await featureOf(vssl, run, videos) };
      log(`${name}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
      rmSync(run, { recursive: true });
    }
  } finally {
    rmSync(runs, { recursive: true, force: true });
    if (data === undefined) rmSync(videos, { recursive: true, force: true });
  }
  writeFileSync(out, `${JSON.stringify(result, null, 1)}\n`);
  log(`${Object.keys(result).length} runs written to ${out}`);
}

/** Prints what differs, a few lines for each run. */
function compare(before, after, only) {
  const [a, b] = [before, after].map((path) => JSON.parse(readFileSync(path, 'utf8')));
  let [same, different] = [0, 0];
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) => name.includes(only));
  for (const name of names) {
    const missing = [a, b].findIndex((runs) => !(name in runs));
    if (missing >= 0) {
      console.log(`${name}: not in ${[before, after][missing]}`);
      different++;
      continue;
    }
    const facts = [...new Set([...Object.keys(a[name]), ...Object.keys(b[name])])];
    const off = facts.filter((fact) => a[name][fact] !== b[name][fact]);
    same += facts.length - off.length;
    different += off.length;
    if (off.length === 0) continue;
    console.log(`${name}: ${off.length} of ${facts.length} differ`);
    for (const fact of off.slice(0, 5))
      console.log(`  ${fact}: ${a[name][fact]} before, ${b[name][fact]} after`);
  }
  console.log(`${same} facts of ${names.length} runs are the same, ${different} differ`);
  if (different > 0 || same === 0) process.exitCode = 1;
}

await main(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      package: { type: 'string' },
      out: { type: 'string' },
      data: { type: 'string' },
      only: { type: 'string', default: '' },
      compare: { type: 'boolean' },
    },
  });
  if (values.compare && positionals.length === 2) return compare(...positionals, values.only);
  if (values.compare || !values.package || !values.out)
    throw new ToolError('expected --package DIR --out FILE, or --compare BEFORE AFTER', 2);
  await trainAll(values);
});
