// What a training step costs beside the passes of its networks: losses, queues, graphs, masks, momentum copies and
// optimizer. Every NAME-tiny takes steps in turn (A B C A B C) on one batch of the motion benchmark, at three quarters of
// its run, when VideoMoCo drops frames. Medians; writes benchmarks/results/steps.json and the table of docs/results.md.
//
//   node benchmarks/steps.mjs [--rounds 9] [--threads N] [--presets a,b]   --presets prints and writes nothing
//   node benchmarks/steps.mjs --table [--check]
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fillPage, markdown, root } from './page.mjs';

const file = join(root, 'benchmarks/results/steps.json');

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    threads: { type: 'string', default: `${cpus().length}` },
    presets: { type: 'string' },
    table: { type: 'boolean' },
    check: { type: 'boolean' },
  },
});
const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Each preset with a batch in memory and a session that takes steps on it. */
async function openRuns() {
  const { loadConfig } = await import('../dist/esm/index.js');
  const [{ BatchPlanner }, { loadManifest }, { Quarantine }] = await Promise.all(
    ['planner', 'manifest', 'quarantine'].map((name) => import(`../dist/esm/data/${name}.js`)),
  );
  const { openFacts } = await import('../dist/esm/embed/video-facts.js');
  const { getMethod, listMethods } = await import('../dist/esm/methods/registry.js');
  const { loadEngine } = await import('../dist/esm/native/load.js');
  const { buildSessionSpec } = await import('../dist/esm/train/session-spec.js');

  const engine = loadEngine();
  engine.setThreads(Number(flags.threads));
  const manifest = await loadManifest('synthetic:motion?count=64');
  const facts = await openFacts(engine);
  const loader = engine.createLoader({ threads: 1, cacheBytes: 2 ** 28 });
  const open = async (name) => {
    const config = loadConfig({ preset: name });
    const method = getMethod(config.method);
    const totalSteps = config.train.steps;
    const planner = new BatchPlanner({
      ...{ config, totalSteps, manifest, planViews: (context) => method.planViews(context, config) },
      ...{ getFacts: (row) => facts.get(row), quarantine: new Quarantine() },
    });
    const { batch: planned } = await planner.planBatch(0);
    const { batch } = await loader.load(planned.plan);
    const session = await engine.createSession(buildSessionSpec(config, { accumulate: 1, device: 'cpu' }));
    const position = { step: Math.floor((3 * totalSteps) / 4), totalSteps };
    const step = () => {
      const started = performance.now();
      const hyper = { ...method.hyper(config, position), lr: config.train.optimizer.lr };
      return session
        .step(batch, hyper)
        .then((result) => ({ ...result, seconds: (performance.now() - started) / 1000 }));
    };
    return { name, batch: config.train.batch, views: planned.plan.views.length, step, samples: [] };
  };
  const names = flags.presets?.split(',') ?? listMethods().map(({ name }) => `${name}-tiny`);
  const runs = [];
  for (const name of names) runs.push(await open(name));
  loader.dispose();
  return runs;
}

async function measure() {
  const runs = await openRuns();
  for (let round = 0; round < 1 + Number(flags.rounds); round++)
    for (const { name, step, samples } of runs) {
      const pair = [await step(), await step()];
      if (round > 0) samples.push(...pair);
      console.error(`${name}: ${pair.map(({ seconds }) => seconds.toFixed(3)).join(' ')}`);
    }
  return {
    format: 'vssl-native steps',
    formatVersion: 1,
    ...{ cpu: cpus()[0]?.model, threads: Number(flags.threads), date: new Date().toISOString().slice(0, 10) },
    rows: runs.map(({ name, batch, views, samples }) => {
      const of = (value) => median(samples.map(value));
      return {
        ...{ name, batch, views, samples: samples.length, seconds: of((one) => one.seconds) },
        forward: of((one) => one.forwardSeconds),
        backward: of((one) => one.backwardSeconds),
        losses: of((one) => one.lossSeconds),
        optimizer: of((one) => one.optimizerSeconds),
        overPasses: of((one) => one.seconds / (one.forwardSeconds + one.backwardSeconds)),
      };
    }),
  };
}

function table({ cpu, threads, rows }) {
  const ms = (seconds) => `${(1000 * seconds).toFixed(seconds < 0.0095 ? 1 : 0)} ms`;
  const made = `${cpu}, ${threads} ${threads === 1 ? 'thread' : 'threads'}; medians of ${rows[0].samples} steps.`;
  const columns = ['preset', 'batch', 'step', 'forward', 'backward', 'losses', 'optimizer', 'step / passes'];
  const cells = rows.map((row) => [
    ...[row.name, `${row.batch} x ${row.views}`, ms(row.seconds), ms(row.forward), ms(row.backward)],
    ...[ms(row.losses), ms(row.optimizer), row.overPasses.toFixed(2)],
  ]);
  return `${markdown(columns, cells)}\n\n(${made})\n`;
}

function writeTable() {
  if (existsSync(file))
    fillPage('docs/results.md', 'steps', table(JSON.parse(readFileSync(file, 'utf8'))), flags.check);
}

if (flags.table) writeTable();
else {
  const result = await measure();
  console.log(table(result));
  if (!flags.presets) {
    writeFileSync(file, `${JSON.stringify(result, null, 1)}\n`);
    writeTable();
  }
}
