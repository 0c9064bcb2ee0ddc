// What training on several processes of this machine costs: steps a second against one process with as many threads, and
// where the time goes. Prints one line of JSON, and the exit code is 1 where a bound is missed.
//   node benchmarks/ranks.mjs [--case r3d_18] [--ranks 2] [--steps 4] [--rounds 5] [--out FILE]
//
// kept: clips a second of N ranks of one thread over those of one process with N threads (or one a core, where those are
// fewer), in turns (at least 0.9 with 2).
// Case nt-xent: the loss of 4096 rows, shared by the ranks, over that of one process, the time of the exchanges taken off
// (at most 1.1).
// Cases exchange-1, -0.5 and -0.25: clips so small that hardly more than the exchanges is left of a step; of ranks alone.
// --out: the line also takes its place in a file of results, of which benchmarks/scaling.mjs makes the tables of
// docs/scaling.md.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from '../dist/esm/bench/statistics.js';
import { freePort } from '../dist/esm/train/free-port.js';

const file = fileURLToPath(import.meta.url);
const KEPT_AT_LEAST = 0.9;
const LOSS_AT_MOST = 1.1;
/** As native/engine/collectives/gradient_sum.cpp has it. */
const BUCKET_FLOATS = 25 * 2 ** 18;

const small = { arch: 'r3d_18', precision: 'fp32', each: 1, frames: 4, size: 16 };
const CASES = {
  r3d_18: { arch: 'r3d_18', width: 1, precision: 'bf16', videos: 8, frames: 16, size: 112 },
  'cvrl-tiny': { arch: 'r3d_10', width: 0.25, precision: 'bf16', videos: 48, frames: 8, size: 64 },
  'nt-xent': { arch: 'r3d_10', width: 0.125, precision: 'bf16', videos: 2048, frames: 4, size: 16 },
  'exchange-1': { ...small, width: 1 },
  'exchange-0.5': { ...small, width: 0.5 },
  'exchange-0.25': { ...small, width: 0.25 },
};
const HEAD = { headLayers: 2, headHidden: 0, headDim: 128, headNorm: true };

const specOf = ({ arch, width, precision }, place) => ({
  method: 'simclr',
  options: { temperature: 0.1, lossScale: 1, ...HEAD },
  model: { arch, width },
  optimizer: { name: 'sgd', momentum: 0.9, weightDecay: 1e-4, nesterov: false },
  ...{ precision, channelsLast: true, accumulate: 1, clipNorm: null, seed: 1, device: 'cpu', syncNorm: true },
  ...(place && { ranks: place }),
});

function clipOf(loader, { frames, size }, index, view) {
  const pictures = new Uint8Array(frames * 8 * 8 * 3);
  for (let i = 0; i < pictures.length; i++) pictures[i] = (i * (7 + index) + view * 31) % 251;
  return {
    source: { kind: 'memory', id: loader.addMemoryClip(pictures, frames, 8, 8), fps: 1 },
    modality: 'rgb',
    times: Array.from({ length: frames }, (_, t) => t),
    ...{ height: size, width: size, shrink: 1, input: 'rgb' },
    augment: [
      { crop: [0, 0, 1, 1], flip: false, color: [], gray: false, blur: 0, blurRadius: 0, solarize: null },
    ],
    ...{ mean: [0.45, 0.45, 0.45], std: [0.225, 0.225, 0.225] },
  };
}

/** What the exchanges of a step hang on: numbers of each network's weights, and of its BatchNorm layers and channels. */
async function sizesOf(session, own) {
  const tensors = (await session.exportState()).filter(({ name }) => name.startsWith('model/'));
  const numel = ({ shape }) => shape.reduce((product, extent) => product * extent, 1);
  const means = tensors.filter(({ name }) => name.endsWith('running_mean'));
  const trained = tensors.filter(({ name }) => !/running_|num_batches/.test(name)).map(numel);
  let [buckets, floats] = [1, 0];
  for (const count of trained) {
    if (floats > 0 && floats + count > BUCKET_FLOATS) [buckets, floats] = [buckets + 1, 0];
    floats += count;
  }
  const sum = (counts) => counts.reduce((a, b) => a + b, 0);
  return {
    ...{ weights: sum(trained), norms: means.length, channels: sum(means.map(numel)), buckets },
    embedded: 2 * own * HEAD.headDim,
  };
}

/** A session of simclr and this rank's part of a batch. */
async function open({ name, place, threads }) {
  const { openEngine } = await import('../dist/esm/native/load.js');
  const engine = await openEngine();
  engine.setThreads(threads);
  const session = await engine.createSession(specOf(CASES[name], place));
  const loader = engine.createLoader({ threads, cacheBytes: 0 });
  const [rank, ranks] = place ? [place.rank, place.size] : [0, 1];
  const own = CASES[name].each ?? CASES[name].videos / ranks;
  const views = [1, 2].map((view) => ({
    name: `view${view}`,
    clips: Array.from({ length: own }, (_, i) => clipOf(loader, CASES[name], rank * own + i, view)),
  }));
  const { batch } = await loader.load({ version: 2, views });
  const run = async (steps) => {
    const sums = { seconds: 0, lossSeconds: 0, lossExchangeSeconds: 0, exchangeSeconds: 0, exchangeBytes: 0 };
    for (let i = 0; i < steps; i++) {
      const start = performance.now();
      const result = await session.step(batch, { lr: 1e-3 });
      sums.seconds += (performance.now() - start) / 1000;
      for (const key of Object.keys(sums)) if (key !== 'seconds') sums[key] += result[key];
    }
    return Object.fromEntries(Object.entries(sums).map(([key, sum]) => [key, sum / steps]));
  };
  return { run, sizes: await sizesOf(session, own) };
}

async function asChild() {
  const { run, sizes } = await open(JSON.parse(process.env.VSSL_RANK));
  await run(1);
  process.send(sizes);
  process.on('message', async (steps) => process.send(await run(steps)));
}

/** Processes that take steps together when asked; the slowest counts. */
async function start(name, ranks, threads) {
  const port = await freePort();
  const children = Array.from({ length: ranks }, (_, rank) => {
    const where = { address: '127.0.0.1', port, served: false, run: '', channel: 'session', timeout: 600 };
    const place = ranks > 1 ? { rank, size: ranks, ...where } : null;
    return fork(file, ['--child'], {
      env: { ...process.env, VSSL_RANK: JSON.stringify({ name, place, threads }) },
    });
  });
  const answers = () => Promise.all(children.map((child) => once(child, 'message').then(([said]) => said)));
  const [sizes] = await answers();
  return {
    sizes,
    async run(steps) {
      const all = answers();
      for (const child of children) child.send(steps);
      return (await all).reduce((worst, one) => (one.seconds > worst.seconds ? one : worst));
    },
    end() {
      for (const child of children) child.kill();
    },
  };
}

/** The result takes the place of an earlier one of the same case and ranks. */
function keep(path, result) {
  const kept = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : [];
  const others = kept.filter((row) => row.case !== result.case || row.ranks !== result.ranks);
  const sorted = [...others, result].sort((a, b) => a.case.localeCompare(b.case) || a.ranks - b.ranks);
  writeFileSync(path, `[\n${sorted.map((row) => ` ${JSON.stringify(row)}`).join(',\n')}\n]\n`);
}

async function measure(name, { ranks, steps, rounds }) {
  const alone = CASES[name].each !== undefined;
  const one = alone ? null : await start(name, 1, Math.min(ranks, availableParallelism()));
  const many = await start(name, ranks, 1);
  const taken = [];
  for (let i = 0; i < rounds; i++) taken.push([await one?.run(steps), await many.run(steps)]);
  for (const side of [one, many]) side?.end();
  const of = (side, key) => median(taken.map((round) => round[side][key]));
  const exchanged = {
    ...many.sizes,
    exchangeSeconds: of(1, 'exchangeSeconds'),
    exchangeBytes: of(1, 'exchangeBytes'),
  };
  const result = { case: name, ranks, steps, rounds, ranksSeconds: of(1, 'seconds'), ...exchanged };
  if (!one) return result;
  return {
    ...{ ...result, oneSeconds: of(0, 'seconds') },
    kept: median(taken.map(([a, b]) => a.seconds / b.seconds)),
    loss: median(taken.map(([a, b]) => (b.lossSeconds - b.lossExchangeSeconds) / a.lossSeconds)),
    lossSeconds: [of(0, 'lossSeconds'), of(1, 'lossSeconds')],
    lossExchangeSeconds: of(1, 'lossExchangeSeconds'),
  };
}

async function main() {
  const { values } = parseArgs({
    options: {
      case: { type: 'string', default: 'r3d_18' },
      ranks: { type: 'string', default: '2' },
      steps: { type: 'string', default: '4' },
      rounds: { type: 'string', default: '5' },
      out: { type: 'string' },
    },
  });
  const name = values.case;
  const [ranks, steps, rounds] = [values.ranks, values.steps, values.rounds].map(Number);
  if (!CASES[name]) throw new Error(`--case expected one of ${Object.keys(CASES).join(', ')}, got ${name}`);
  const result = await measure(name, { ranks, steps, rounds });
  process.stdout.write(`${JSON.stringify(result)}\n`);
  if (values.out) keep(values.out, result);
  const missed = name === 'nt-xent' ? result.loss > LOSS_AT_MOST : ranks === 2 && result.kept < KEPT_AT_LEAST;
  process.exit(missed ? 1 : 0);
}

await (process.argv[2] === '--child' ? asChild() : main());
