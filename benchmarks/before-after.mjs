// Whether a change made training dearer: two built packages take a training step, and plan batches, in turn (A B, then
// B A, ...), each in a process of its own. Prints the ratio after / before with its 95 % interval; the exit code is 1
// where the upper end of one is above 1.05.
//
//   node benchmarks/before-after.mjs --before DIR --after DIR [--pairs 30] [--batch 16] [--presets a,b] [--what step,plan]
//
// DIR holds dist and build/Release. A step is that of the session on one batch that stays in memory; a plan is what
// TypeScript does for a batch beside that: the views of its samples, and what the method tells its step.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const MOST = 1.05;
/** Work of one turn. */
const STEPS = 4;
const PLANS = 500;
/** Turns of each that count for nothing. */
const WARM_UP = 2;

/**
 * Half the width of the 95 % interval of a mean in standard errors: Student's t, by its expansion in 1 / df, good to
 * 0.3 % from df 4.
 */
function studentT(df) {
  const z = 1.959964;
  const first = (z ** 3 + z) / 4;
  const second = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96;
  const third = (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384;
  return z + first / df + second / df ** 2 + third / df ** 3;
}

/** Geometric mean of paired ratios, and its interval. */
function ratioOf(before, after) {
  const logs = after.map((value, i) => Math.log(value / before[i]));
  const mean = logs.reduce((sum, value) => sum + value, 0) / logs.length;
  const variance = logs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (logs.length - 1);
  const half = studentT(logs.length - 1) * Math.sqrt(variance / logs.length);
  return { ratio: Math.exp(mean), low: Math.exp(mean - half), high: Math.exp(mean + half) };
}

// --- a package in its process ---

/** Hands out the session and the planner of a run that has come to its first step, and holds it there. */
async function hold(folder) {
  const from = (file) => import(pathToFileURL(resolve(folder, 'dist/esm', file)).href);
  const [vssl, { loadEngine }, { BatchPlanner }, { getMethod }] = await Promise.all(
    ['index.js', 'native/load.js', 'data/planner.js', 'methods/registry.js'].map(from),
  );
  const engine = loadEngine();
  const { createSession } = engine;
  const { planBatch } = BatchPlanner.prototype;
  return function start(config, out) {
    let planner;
    BatchPlanner.prototype.planBatch = function (step) {
      planner = this;
      return planBatch.call(this, step);
    };
    return new Promise((held, failed) => {
      engine.createSession = async (...spec) => {
        const session = await createSession.apply(engine, spec);
        const step = (batch, hyper) =>
          new Promise((release) => {
            const take = () => session.step(batch, hyper);
            const plan = (at) => planBatch.call(planner, at);
            held({ take, plan, end: () => release(take()) });
          });
        const get = (_, name) => (name === 'step' ? step : session[name]?.bind(session));
        return new Proxy(session, { get });
      };
      running = vssl.train(config, { data: 'synthetic:motion?count=64', out, maxSteps: 1 }).result;
      running.catch(failed);
    }).then((run) => {
      const resolved = vssl.resolveConfig(config);
      const method = getMethod(resolved.method);
      const told = (step, plan) => method.hyper(resolved, { step, totalSteps: resolved.train.steps }, plan);
      return { ...run, told };
    });
  };
}

/** The training run that is held. */
let running;

async function timed(work) {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** Answers the messages of the process that measures: `[name, ...arguments]`. */
async function serve(folder) {
  const out = mkdtempSync(join(tmpdir(), 'vssl-before-after-'));
  process.once('exit', () => rmSync(out, { recursive: true, force: true }));
  const start = await hold(folder);
  let run;
  const answers = {
    async start(config) {
      run = await start(config, join(out, config.extends));
    },
    step: () =>
      timed(async () => {
        for (let i = 0; i < STEPS; i++) await run.take();
      }),
    plan: () =>
      timed(async () => {
        for (let step = 0; step < PLANS; step++) {
          const { batch } = await run.plan(step);
          run.told(step, batch.plan);
        }
      }),
    async end() {
      run.end();
      await running;
    },
  };
  process.on('message', async ([name, ...given]) => {
    try {
      process.send({ value: await answers[name](...given) });
    } catch (error) {
      process.send({ error: String(error?.stack ?? error) });
    }
  });
  process.once('disconnect', () => process.exit());
  process.send({ value: 'ready' });
}

// --- the process that measures ---

async function ask(child, ...message) {
  child.send(message);
  const [{ value, error }] = await once(child, 'message');
  if (error) throw new Error(`${child.folder}: ${error}`);
  return value;
}

async function openChild(folder) {
  const child = fork(new URL(import.meta.url).pathname, ['--serve', folder]);
  child.folder = folder;
  child.once('exit', (code) => {
    if (code) throw new Error(`the process of ${folder} ended with ${code}`);
  });
  await once(child, 'message');
  return child;
}

function configOf(preset, batch) {
  const train = { batch, device: 'cpu', checkpointEvery: null };
  // Frames are dropped from the beginning, so that the step that is timed drops some.
  const options = preset === 'videomoco-tiny' && { videomoco: { dropFrom: 0 } };
  return { extends: preset, train, log: { tensorboard: false }, ...options };
}

async function compare({ before, after, pairs, batch, presets, what: kinds }) {
  const children = [await openChild(before), await openChild(after)];
  let worst = 0;
  for (const preset of presets.split(',')) {
    for (const child of children) await ask(child, 'start', configOf(preset, Number(batch)));
    for (const what of kinds.split(',')) {
      const times = [[], []];
      for (let pair = -WARM_UP; pair < Number(pairs); pair++)
        for (const at of pair % 2 === 0 ? [0, 1] : [1, 0]) {
          const milliseconds = await ask(children[at], what);
          if (pair >= 0) times[at].push(milliseconds);
        }
      const { ratio, low, high } = ratioOf(...times);
      worst = Math.max(worst, high);
      const parts = what === 'step' ? STEPS : PLANS;
      const mean = (list) => (list.reduce((sum, value) => sum + value, 0) / list.length / parts).toFixed(2);
      console.log(
        `${preset} ${what}: ${ratio.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)}); ` +
          `${mean(times[0])} ms before, ${mean(times[1])} ms after`,
      );
    }
    for (const child of children) await ask(child, 'end');
  }
  for (const child of children) child.disconnect();
  console.log(`the largest upper end is ${worst.toFixed(3)}; at most ${MOST} is expected`);
  if (!(worst <= MOST)) process.exitCode = 1;
}

const { values } = parseArgs({
  options: {
    serve: { type: 'string' },
    before: { type: 'string' },
    after: { type: 'string' },
    pairs: { type: 'string', default: '30' },
    batch: { type: 'string', default: '16' },
    what: { type: 'string', default: 'step,plan' },
    presets: {
      type: 'string',
      default: [
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
      ]
        .map((m) => `${m}-tiny`)
        .join(),
    },
  },
});
if (values.serve) await serve(values.serve);
else if (values.before && values.after) await compare(values);
else {
  console.error('expected --before DIR --after DIR');
  process.exitCode = 2;
}
