// What training loses to other programs: one busy process a core beside it, each in a session of its own, as another
// user's would be. Prints one line of JSON, and the exit code is 1 where a bound is missed.
//   node benchmarks/crowded.mjs [--case cvrl-tiny] [--rounds 7] [--seconds 6]
//
// cpuRatio: processor seconds a clip, crowded over quiet (at most 1.25).
// kept: clips a second, crowded over quiet, over what compute threads that never wait for each other keep of theirs,
// in the same rounds (at least 0.8). Those do arithmetic on a few numbers, one thread a core.
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { median } from '../dist/esm/bench/statistics.js';

const file = fileURLToPath(import.meta.url);
const CPU_AT_MOST = 1.25;
const KEPT_AT_LEAST = 0.8;
const cores = availableParallelism();
const cpuSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** Steps of a case on a batch in memory, for a while. */
async function trainer(name) {
  const { stepCases } = await import('../dist/esm/cli/bench-steps.js');
  const found = stepCases().find((one) => one.name === `step ${name}`);
  if (!found) throw new Error(`--case expected one of bench step --list, got ${name}`);
  const workload = await found.prepare();
  const { clips } = workload.work();
  await workload.run(cores);
  return async (seconds) => {
    const [start, cpu] = [performance.now(), cpuSeconds()];
    let done = 0;
    while (performance.now() - start < 1000 * seconds) {
      await workload.run(cores);
      done += clips;
    }
    return { rate: (1000 * done) / (performance.now() - start), cpuEach: (cpuSeconds() - cpu) / done };
  };
}

const COUNTING = `
  const { parentPort } = require('node:worker_threads');
  parentPort.on('message', (seconds) => {
    const start = performance.now();
    let [done, x] = [0, 0];
    while (performance.now() - start < 1000 * seconds) {
      for (let i = 0; i < 1e6; i++) x = x * 0.999 + i;
      done++;
    }
    parentPort.postMessage({ rate: (1000 * done) / (performance.now() - start), x });
  });`;

/** A thread a core, each for itself. */
async function counter() {
  const threads = Array.from({ length: cores }, () => new Worker(COUNTING, { eval: true }));
  return async (seconds) => {
    const answers = threads.map((thread) => once(thread, 'message'));
    for (const thread of threads) thread.postMessage(seconds);
    const rates = (await Promise.all(answers)).map(([{ rate }]) => rate);
    return { rate: rates.reduce((sum, rate) => sum + rate, 0) };
  };
}

async function serve(what, name) {
  const take = await (what === 'train' ? trainer(name) : counter());
  process.on('message', async (seconds) => process.send(await take(seconds)));
  process.on('disconnect', () => process.exit());
  process.send('ready');
}

/** A process of its own session, as all here are: the system shares the cores among sessions first. */
async function start(...args) {
  const child = fork(file, ['--serve', ...args], { detached: true });
  await once(child, 'message');
  return {
    async take(seconds) {
      child.send(seconds);
      return (await once(child, 'message'))[0];
    },
    end: () => child.disconnect(),
  };
}

function crowd() {
  const programs = Array.from({ length: cores }, () =>
    spawn(process.execPath, ['-e', 'for (;;);'], { detached: true, stdio: 'ignore' }),
  );
  return () => {
    for (const program of programs) program.kill('SIGKILL');
    return Promise.all(programs.map((program) => once(program, 'exit')));
  };
}

async function measure({ name, rounds, seconds }) {
  const [train, count] = [await start('train', name), await start('count')];
  const taken = [];
  const turn = async () => ({ train: await train.take(seconds), count: await count.take(seconds) });
  await turn();
  for (let round = 0; round < rounds; round++) {
    const quiet = await turn();
    const end = crowd();
    const crowded = await turn();
    await end();
    taken.push({
      quiet: quiet.train.rate,
      crowded: crowded.train.rate,
      cpuRatio: crowded.train.cpuEach / quiet.train.cpuEach,
      share: crowded.train.rate / quiet.train.rate,
      shareOfThreads: crowded.count.rate / quiet.count.rate,
    });
  }
  train.end();
  count.end();
  const of = (key) => median(taken.map((one) => one[key]));
  const kept = median(taken.map((one) => one.share / one.shareOfThreads));
  return {
    ...{
      case: name,
      cores,
      rounds,
      seconds,
      clipsPerSecond: of('quiet'),
      crowdedClipsPerSecond: of('crowded'),
    },
    ...{ cpuRatio: of('cpuRatio'), share: of('share'), shareOfThreads: of('shareOfThreads'), kept },
  };
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    case: { type: 'string', default: 'cvrl-tiny' },
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '6' },
    serve: { type: 'boolean' },
  },
});
if (values.serve) await serve(...positionals);
else {
  const result = await measure({
    name: values.case,
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
  });
  console.log(JSON.stringify(result));
  process.exitCode = result.cpuRatio <= CPU_AT_MOST && result.kept >= KEPT_AT_LEAST ? 0 : 1;
}
