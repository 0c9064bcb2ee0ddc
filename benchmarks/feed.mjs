// Does the loader keep the step fed? Training from video files beside the same steps on clips that lie in memory,
// in turn: A B A B. Prints the ratio of clips a second and the share of time spent waiting for data.
//
//   node benchmarks/feed.mjs DATA [--preset cvrl-tiny] [--steps 40] [--pairs 3]
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { median } from '../dist/esm/bench/statistics.js';
import { loadConfig, train } from '../dist/esm/index.js';
import { getMethod } from '../dist/esm/methods/registry.js';
import { loadEngine } from '../dist/esm/native/load.js';
import { buildSessionSpec } from '../dist/esm/train/session-spec.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    preset: { type: 'string', default: 'cvrl-tiny' },
    steps: { type: 'string', default: '40' },
    pairs: { type: 'string', default: '3' },
  },
});
const steps = Number(values.steps);
const data = positionals[0];
if (!data) throw new Error('say which videos: node benchmarks/feed.mjs DATA');
const set = ['log.every=1', 'log.plans=true', 'log.tensorboard=false'];
const config = loadConfig({ preset: values.preset, set });
const engine = loadEngine();

const clipsOf = (views) => views.reduce((sum, { clips = [] }) => sum + clips.length, 0);

/** A run from files. The first half fills the cache of decoded frames; the second half is what is timed. */
async function fromFiles() {
  const out = mkdtempSync(join(tmpdir(), 'vssl-feed-'));
  const result = await train(config, { data, out, maxSteps: steps }).result;
  const read = (file) =>
    readFileSync(join(out, file), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  const lines = read('metrics.jsonl').slice(steps / 2);
  const sum = (key) => lines.reduce((total, line) => total + line[key], 0);
  const plans = read('plans.jsonl');
  rmSync(out, { recursive: true });
  const { version, views, side } = plans.at(-1);
  const wait = sum('dataSeconds');
  return {
    plan: { version, views, side },
    clipsPerSecond: (lines.length * clipsOf(views)) / (wait + sum('stepSeconds')),
    wait: wait / (wait + sum('stepSeconds')),
    waitOfAll: result.dataWait,
  };
}

/** The same step on one batch, again and again, with no decoder at work. */
async function fromMemory(plan) {
  const { lr } = config.train.optimizer;
  const loader = engine.createLoader({ threads: 1, cacheBytes: 0 });
  const { batch } = await loader.load(plan);
  loader.dispose();
  const session = await engine.createSession(buildSessionSpec(config, { accumulate: 1, device: 'cpu' }));
  const position = { step: 0, totalSteps: config.train.steps };
  const hyper = { ...getMethod(config.method).hyper(config, position), lr };
  for (let i = 0; i < 3; i++) await session.step(batch, hyper);
  const count = steps / 2;
  const start = performance.now();
  for (let i = 0; i < count; i++) await session.step(batch, hyper);
  const seconds = (performance.now() - start) / 1000;
  session.dispose();
  return (count * clipsOf(plan.views)) / seconds;
}

const ratios = [];
for (let pair = 0; pair < Number(values.pairs); pair++) {
  const files = await fromFiles();
  const memory = await fromMemory(files.plan);
  ratios.push(files.clipsPerSecond / memory);
  console.log(
    `files ${files.clipsPerSecond.toFixed(1)} clips/s, waiting ${(100 * files.wait).toFixed(1)} % ` +
      `(whole run ${(100 * files.waitOfAll).toFixed(1)} %); memory ${memory.toFixed(1)} clips/s; ratio ${ratios.at(-1).toFixed(3)}`,
  );
}
console.log(JSON.stringify({ preset: values.preset, pairs: ratios.length, ratio: median(ratios) }));
