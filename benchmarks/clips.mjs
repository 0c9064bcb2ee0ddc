// What the data side of training gives, without a network behind it: clips a second that are planned, and that the loader
// hands out, decoded from files or read from a copy that `prepare` made. Prints a line of JSON for each DATA.
//   node benchmarks/clips.mjs NAME=DATA... [--threads 1] [--seconds 10] [--batch 8] [--frames 16] [--size 112] [--out FILE]
//     [--set KEY=VALUE]...
//
// Plans are those of CVRL with its augmentations, and with what --set says of them. The cache of decoded pictures is off: a large data set does not fit in.
// What the loader gives is counted a thread of its pool. --out: the line also takes its place in a file of results, of which
// benchmarks/scaling.mjs makes a table of docs/scaling.md.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { loadManifest } from '../dist/esm/data/manifest.js';
import { BatchPlanner } from '../dist/esm/data/planner.js';
import { Quarantine } from '../dist/esm/data/quarantine.js';
import { openFacts } from '../dist/esm/embed/video-facts.js';
import { loadConfig } from '../dist/esm/index.js';
import { getMethod } from '../dist/esm/methods/registry.js';
import { loadEngine } from '../dist/esm/native/load.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '10' },
    batch: { type: 'string', default: '8' },
    frames: { type: 'string', default: '16' },
    size: { type: 'string', default: '112' },
    out: { type: 'string' },
    set: { type: 'string', multiple: true, default: [] },
  },
});
const [threads, seconds] = [values.threads, values.seconds].map(Number);
const clip = [`data.clip.frames=${values.frames}`, 'data.clip.stride=2', `data.clip.size=${values.size}`];
const config = loadConfig({
  preset: 'cvrl-tiny',
  set: [...clip, `train.batch=${values.batch}`, ...values.set],
});
const engine = loadEngine();

async function openPlanner(data) {
  const manifest = await loadManifest(data);
  const facts = await openFacts(engine);
  const method = getMethod(config.method);
  // every file is looked at before the clock runs
  for (const row of manifest.rows) await facts.get(row);
  return new BatchPlanner({
    ...{ config, manifest, quarantine: new Quarantine(), totalSteps: config.train.steps },
    planViews: (context) => method.planViews(context, config),
    getFacts: (row) => facts.get(row),
  });
}

const clipsOf = ({ views }) => views.reduce((sum, { clips = [] }) => sum + clips.length, 0);

/** Clips a second of `take(step)`, which gives how many it made. */
async function rateOf(take) {
  let [clips, step] = [0, 0];
  for (; step < 2; step++) await take(step);
  const start = performance.now();
  while (performance.now() - start < 1000 * seconds) clips += await take(step++);
  return (1000 * clips) / (performance.now() - start);
}

async function measure(name, data) {
  const planner = await openPlanner(data);
  const planned = await rateOf(async (step) => clipsOf((await planner.planBatch(step)).batch.plan));
  const loader = engine.createLoader({ threads, cacheBytes: 0 });
  const begin = async (step) => {
    const { batch } = await planner.planBatch(step);
    return { plan: batch.plan, loading: loader.load(batch.plan) };
  };
  let next = begin(0);
  const loaded = await rateOf(async (step) => {
    const now = await next;
    next = begin(step + 1); // so that the pool never waits
    const { batch, failures } = await now.loading;
    batch.dispose();
    return clipsOf(now.plan) - failures.length;
  });
  const last = await next;
  (await last.loading).batch.dispose();
  loader.dispose();
  const { source } = last.plan.views[0].clips[0];
  const stored =
    source.kind === 'packed' ? { bytes: Number(values.frames) * source.height * source.width * 3 } : {};
  const shape = { frames: Number(values.frames), size: Number(values.size) };
  return {
    source: name,
    kind: source.kind,
    threads,
    ...shape,
    planned,
    loadedByThread: loaded / threads,
    ...stored,
  };
}

for (const given of positionals) {
  const [name, data] = given.split(/=(.*)/s);
  const result = await measure(name, data);
  console.log(JSON.stringify(result));
  if (!values.out) continue;
  const kept = existsSync(values.out) ? JSON.parse(readFileSync(values.out, 'utf8')) : [];
  const rows = [...kept.filter(({ source }) => source !== name), result];
  writeFileSync(values.out, `[\n${rows.map((row) => ` ${JSON.stringify(row)}`).join(',\n')}\n]\n`);
}
