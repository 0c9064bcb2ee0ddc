// What training on several processes of this machine costs: steps a second against one process with as many threads, and
// where the time goes. Prints one line of JSON, and the exit code is 1 where a bound is missed.
//   node benchmarks/ranks.mjs [--case r3d_18] [--ranks 2] [--steps 4] [--rounds 5]
//
// kept: clips a second of N ranks of one thread over those of one process with N threads, in turns (at least 0.9 with 2).
// Case nt-xent: the loss of 4096 rows, shared by the ranks, over that of one process, the time of the exchanges taken off
// (at most 1.1).
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from '../dist/esm/bench/statistics.js';

const file = fileURLToPath(import.meta.url);
const KEPT_AT_LEAST = 0.9;
const LOSS_AT_MOST = 1.1;

const CASES = {
  r3d_18: { arch: 'r3d_18', width: 1, precision: 'bf16', videos: 8, frames: 16, size: 112 },
  'cvrl-tiny': { arch: 'r3d_10', width: 0.25, precision: 'bf16', videos: 48, frames: 8, size: 64 },
  'nt-xent': { arch: 'r3d_10', width: 0.125, precision: 'bf16', videos: 2048, frames: 4, size: 16 },
};

/** A session of simclr and this rank's part of a batch. */
async function open({ name, place, threads }) {
  const { openEngine } = await import('../dist/esm/native/load.js');
  const engine = await openEngine();
  const { arch, width, precision, videos, frames, size } = CASES[name];
  engine.setThreads(threads);
  const session = await engine.createSession({
    method: 'simclr',
    options: { temperature: 0.1, lossScale: 1, headLayers: 2, headHidden: 0, headDim: 128, headNorm: true },
    model: { arch, width },
    optimizer: { name: 'sgd', momentum: 0.9, weightDecay: 1e-4, nesterov: false },
    ...{
      precision,
      channelsLast: true,
      accumulate: 1,
      clipNorm: null,
      seed: 1,
      device: 'cpu',
      syncNorm: true,
    },
    ...(place && { ranks: place }),
  });
  const loader = engine.createLoader({ threads, cacheBytes: 0 });
  const [rank, ranks] = place ? [place.rank, place.size] : [0, 1];
  const own = videos / ranks;
  const clip = (index, view) => {
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
  };
  const views = [1, 2].map((view) => ({
    name: `view${view}`,
    clips: Array.from({ length: own }, (_, i) => clip(rank * own + i, view)),
  }));
  const { batch } = await loader.load({ version: 2, views });
  return async (steps) => {
    const sums = { seconds: 0, lossSeconds: 0, lossExchangeSeconds: 0, exchangeSeconds: 0, exchangeBytes: 0 };
    for (let i = 0; i < steps; i++) {
      const start = performance.now();
      const result = await session.step(batch, { lr: 1e-3 });
      sums.seconds += (performance.now() - start) / 1000;
      for (const key of Object.keys(sums)) if (key !== 'seconds') sums[key] += result[key];
    }
    return Object.fromEntries(Object.entries(sums).map(([key, sum]) => [key, sum / steps]));
  };
}

async function asChild() {
  const run = await open(JSON.parse(process.env.VSSL_RANK));
  await run(1);
  process.send('ready');
  process.on('message', async (steps) => process.send(await run(steps)));
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
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
  await Promise.all(children.map((child) => once(child, 'message')));
  return {
    async run(steps) {
      const answers = children.map((child) => once(child, 'message'));
      for (const child of children) child.send(steps);
      const all = (await Promise.all(answers)).map(([answer]) => answer);
      return all.reduce((worst, one) => (one.seconds > worst.seconds ? one : worst));
    },
    end() {
      for (const child of children) child.kill();
    },
  };
}

async function main() {
  const { values } = parseArgs({
    options: {
      case: { type: 'string', default: 'r3d_18' },
      ranks: { type: 'string', default: '2' },
      steps: { type: 'string', default: '4' },
      rounds: { type: 'string', default: '5' },
    },
  });
  const name = values.case;
  const [ranks, steps, rounds] = [values.ranks, values.steps, values.rounds].map(Number);
  if (!CASES[name]) throw new Error(`--case expected one of ${Object.keys(CASES).join(', ')}, got ${name}`);
  const one = await start(name, 1, ranks);
  const many = await start(name, ranks, 1);
  const taken = [];
  for (let i = 0; i < rounds; i++) taken.push([await one.run(steps), await many.run(steps)]);
  for (const side of [one, many]) side.end();
  const of = (side, key) => median(taken.map((round) => round[side][key]));
  const kept = median(taken.map(([a, b]) => a.seconds / b.seconds));
  const loss = median(taken.map(([a, b]) => (b.lossSeconds - b.lossExchangeSeconds) / a.lossSeconds));
  const result = {
    ...{ case: name, ranks, steps, rounds, kept, loss },
    oneSeconds: of(0, 'seconds'),
    ranksSeconds: of(1, 'seconds'),
    lossSeconds: [of(0, 'lossSeconds'), of(1, 'lossSeconds')],
    lossExchangeSeconds: of(1, 'lossExchangeSeconds'),
    exchangeSeconds: of(1, 'exchangeSeconds'),
    exchangeBytes: of(1, 'exchangeBytes'),
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
  const missed = name === 'nt-xent' ? loss > LOSS_AT_MOST : ranks === 2 && kept < KEPT_AT_LEAST;
  process.exit(missed ? 1 : 0);
}

await (process.argv[2] === '--child' ? asChild() : main());
