import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { VideoRow } from '#src/data/rows.js';
import type { Hyper } from '#src/methods/method.js';
import type { NativeSession, NativeStepResult } from '#src/native/bindings.js';
import { Crowding } from '#src/train/crowding.js';
import type { TrainEvent } from '#src/train/events.js';
import { Faults, type Find } from '#src/train/faults.js';
import type { Feed, FeedItem } from '#src/train/feed.js';
import type { EvaluationHook } from '#src/train/hooks.js';
import { type LoopOptions, runLoop } from '#src/train/loop.js';
import { RunLog } from '#src/train/run-log.js';

const ROWS = ['a', 'b', 'x', 'y', 'z'].map((path) => ({ id: path, path }) as VideoRow);
const find = (path: string, code = 'X'): Find => {
  const index = ROWS.findIndex((row) => row.path === path);
  return { sample: { row: ROWS[index]!, index, epoch: 0 }, code, reason: 'bad', where: -1 };
};

interface Setup {
  readonly to?: number;
  readonly from?: number;
  readonly logEvery?: number;
  readonly checkpointEvery?: number | null;
  readonly finds?: Record<number, Find[]>;
  readonly hooks?: EvaluationHook[];
  readonly step?: (step: number) => Partial<NativeStepResult> | Promise<never>;
  readonly next?: (step: number) => Promise<void>;
  readonly hyper?: LoopOptions['hyper'];
}

/** Batches of 2 videos and 2 views, 4 steps an epoch. */
function makeFeed(setup: Setup) {
  const disposed: number[] = [];
  let fed = setup.from ?? 0;
  const feed = {
    next: async (): Promise<FeedItem> => {
      const step = fed++;
      await setup.next?.(step);
      const samples = [0, 1].map((index) => ({ row: ROWS[index], index, sample: step, attempt: 0 }));
      return {
        step,
        epoch: Math.floor(step / 4),
        batch: { dispose: () => disposed.push(step) },
        planned: { step, epoch: Math.floor(step / 4), samples, plan: { version: 2, views: [] } },
        clips: 4,
        lastOfEpoch: step % 4 === 3,
        finds: setup.finds?.[step] ?? [],
      } as unknown as FeedItem;
    },
  };
  return { feed: feed as unknown as Feed, disposed };
}

/** Computes nothing. */
function makeSession(setup: Setup) {
  const rates: number[] = [];
  let calls = setup.from ?? 0;
  const session = {
    step: async (_batch: unknown, { lr }: Hyper): Promise<NativeStepResult> => {
      rates.push(lr as number);
      const zero = {
        ...{ forwardSeconds: 0, lossSeconds: 0, backwardSeconds: 0, optimizerSeconds: 0 },
        ...{ exchangeSeconds: 0, lossExchangeSeconds: 0, exchangeBytes: 0 },
      };
      const own = await setup.step?.(calls);
      const good = { gradNorm: 2, finite: true, overflow: false };
      return { losses: { loss: calls++, part: 1 }, ...good, ...zero, ...own };
    },
    stats: () => ({ liveTensors: 0, hostBytes: 0, deviceBytes: 7 }),
  };
  return { session: session as unknown as NativeSession, rates };
}

/** Runs the loop and gives everything that came of it. */
async function run(setup: Setup, signal = new AbortController().signal) {
  const folder = await mkdtemp(join(tmpdir(), 'vssl-loop-'));
  const { from = 0, to = 8, logEvery = 1, checkpointEvery = 3, hooks = [], hyper = () => ({}) } = setup;
  const { feed, disposed } = makeFeed(setup);
  const { session, rates } = makeSession(setup);
  const log = await RunLog.open({ folder, tensorboard: true, plans: true, step: from, quarantine: [] });
  const events: TrainEvent[] = [];
  const saved: { step: number; epoch: number; quarantine: string[]; clips: [number, number] }[] = [];
  const faults = new Faults(ROWS);
  const result = runLoop({
    ...{ session, feed, log, from, to, logEvery, checkpointEvery, faults, hooks, hyper, signal },
    rateAt: (step) => step / 10,
    totalSteps: 8,
    saveCheckpoint: async (step, epoch) => {
      const clips: [number, number] = [faults.clips.failures, faults.clips.loaded(0)];
      saved.push({ step, epoch, quarantine: faults.files.map(({ path }) => path), clips });
    },
    nonFiniteFile: join(folder, 'nonfinite.json'),
    hookContext: {} as LoopOptions['hookContext'],
    emit: (event) => events.push(event),
    crowding: new Crowding(() => {}),
  });
  const outcome = await result.then(
    (value) => ({ value, error: undefined }),
    (error) => ({ value: undefined, error }),
  );
  await log.close();
  const metrics = (await readFile(join(folder, 'metrics.jsonl'), 'utf8'))
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { ...outcome, folder, events, saved, rates, metrics, disposed };
}

test('the method is asked at each step of the run', async (t) => {
  const asked: number[] = [];
  const hyper: LoopOptions['hyper'] = (step) => {
    asked.push(step);
    return { lr: 9, momentum: 1 / step };
  };
  const { rates } = await run({ hyper, from: 2, to: 5 });
  t.deepEqual(asked, [2, 3, 4]);
  t.deepEqual(rates, [0.2, 0.3, 0.4], 'and the rate is the schedule’s whatever it says');
});

test('each step has its rate, its line and its event, and each batch is freed', async (t) => {
  const { value, metrics, events, rates, disposed } = await run({});
  t.is(value?.step, 8);
  t.is(value?.clips, 32);
  t.deepEqual(rates, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]);
  t.deepEqual(disposed, [0, 1, 2, 3, 4, 5, 6, 7]);
  t.deepEqual(
    metrics.map(({ step }) => step),
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
  const line = metrics[4]!;
  for (const key of ['lr', 'clipsPerSecond', 'dataSeconds', 'stepSeconds', 'rssBytes', 'gradNorm'])
    t.is(typeof line[key], 'number', key);
  t.like(line, { step: 5, epoch: 1, loss: 4, part: 1, deviceBytes: 7 });
  t.is(events.filter(({ type }) => type === 'step').length, 8);
});

test('checkpoints: every N steps and at the end, once each', async (t) => {
  const steps = async (setup: Setup) => (await run(setup)).saved.map(({ step }) => step);
  t.deepEqual(await steps({}), [3, 6, 8]);
  t.deepEqual(await steps({ checkpointEvery: 4 }), [4, 8]);
  t.deepEqual(await steps({ checkpointEvery: null }), [8]);
  t.deepEqual(await steps({ from: 3, to: 5 }), [5]);
});

test('lines: the first step, every N and the last of the schedule; times are means, losses of the step', async (t) => {
  const { metrics } = await run({ logEvery: 3 });
  t.deepEqual(
    metrics.map(({ step }) => step),
    [1, 3, 6, 8],
  );
  t.deepEqual(
    metrics.map(({ loss }) => loss),
    [0, 2, 5, 7],
  );
  const stopped = await run({ logEvery: 3, to: 5 });
  t.deepEqual(
    stopped.metrics.map(({ step }) => step),
    [1, 3],
  );
});

test('a checkpoint holds the finds of its own batches only', async (t) => {
  const { saved, events } = await run({
    finds: { 1: [find('x')], 2: [find('x'), find('y')], 3: [find('z')] },
  });
  t.deepEqual(
    saved.map(({ quarantine }) => quarantine),
    [
      ['x', 'y'],
      ['x', 'y', 'z'],
      ['x', 'y', 'z'],
    ],
  );
  t.deepEqual(
    events.filter((e) => e.type === 'quarantine').map((e) => [e.path, e.step]),
    [
      ['x', 2],
      ['y', 3],
      ['z', 4],
    ],
  );
});

test('clips that fail are told apart from files, and a file leaves at the end of an epoch', async (t) => {
  const DECODE = 'ERR_VSSL_VIDEO_DECODE';
  const { saved, events } = await run({
    finds: {
      0: [find('x', DECODE), find('a', DECODE)],
      1: [find('x', DECODE), find('a', DECODE), find('y')],
      2: [find('x', DECODE), find('a', DECODE)],
    },
  });
  // a has four good clips beside its three bad ones
  t.deepEqual(
    saved.map(({ step, quarantine, clips }) => [step, quarantine, clips]),
    [
      [3, ['y'], [6, 3]],
      [6, ['y', 'x'], [6, 6]],
      [8, ['y', 'x'], [6, 8]],
    ],
  );
  t.deepEqual(
    events.flatMap((e) => (e.type === 'failed-clip' ? [[e.path, e.step, e.failed, e.loaded]] : [])),
    [
      ['x', 1, 1, 0],
      ['a', 1, 1, 0],
      ['x', 2, 2, 0],
      ['a', 2, 2, 1],
      ['x', 3, 3, 0],
      ['a', 3, 3, 2],
    ],
  );
  const files = events.filter((e) => e.type === 'quarantine');
  t.deepEqual(
    files.map(({ path, step, epoch }) => [path, step, epoch]),
    [
      ['y', 2, 0],
      ['x', 4, 0],
    ],
  );
  t.is(files[1]!.reason, '3 of 3 clips drawn from it could not be decoded');
});

test('a loss that is not finite: checkpoint of the state before it, report, typed error', async (t) => {
  const { error, saved, folder, disposed, metrics } = await run({
    step: (step) =>
      step === 4 ? { finite: false, losses: { loss: Number.NaN }, gradNorm: Number.POSITIVE_INFINITY } : {},
  });
  t.is(error.code, 'ERR_VSSL_NON_FINITE');
  t.deepEqual(
    saved.map(({ step }) => step),
    [3, 4],
  );
  t.deepEqual(disposed, [0, 1, 2, 3, 4]);
  t.is(metrics.at(-1)!.step, 4);
  const report = JSON.parse(await readFile(join(folder, 'nonfinite.json'), 'utf8'));
  t.like(report, {
    step: 5,
    epoch: 1,
    lr: 0.4,
    losses: { loss: 'NaN' },
    gradNorm: 'Infinity',
    files: ['a', 'b'],
  });
  t.true(error.message.includes('nonfinite.json'));
});

test('a step whose gradient overflows fp16 is left out with a warning, and the run goes on', async (t) => {
  const { value, events, saved, disposed } = await run({
    step: (step) => (step === 2 ? { finite: false, overflow: true, gradNorm: Number.POSITIVE_INFINITY } : {}),
  });
  t.is(value?.step, 8);
  const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
  t.is(warnings.length, 1);
  t.regex(warnings[0]!, /^step 3 was left out/);
  t.deepEqual(
    saved.map(({ step }) => step),
    [3, 6, 8],
  );
  t.is(disposed.length, 8);
});

test('an abort during a step lets it finish, then there is a checkpoint', async (t) => {
  const stop = new AbortController();
  const stopAt4 = (step: number) => {
    if (step === 4) stop.abort();
    return {};
  };
  const { error, saved } = await run({ step: stopAt4 }, stop.signal);
  t.is(error, stop.signal.reason);
  t.deepEqual(
    saved.map(({ step }) => step),
    [3, 5],
  );
});

test('an abort while waiting for data does not wait for it', async (t) => {
  const stop = new AbortController();
  const { error, saved } = await run(
    {
      next: async (step) => {
        if (step !== 4) return;
        setTimeout(() => stop.abort(), 10);
        await new Promise((resolve) => setTimeout(resolve, 5000).unref());
      },
    },
    stop.signal,
  );
  t.is(error, stop.signal.reason);
  t.deepEqual(
    saved.map(({ step }) => step),
    [3, 4],
  );
});

test('an aborted signal before the first step: nothing is saved', async (t) => {
  const reason = new Error('enough');
  const { error, saved } = await run({}, AbortSignal.abort(reason));
  t.is(error as Error, reason);
  t.deepEqual(saved, []);
});

test('evaluations run at the ends of epochs or every N steps, before the checkpoint of that step', async (t) => {
  const seen: string[] = [];
  const hook = (name: string, when: Partial<EvaluationHook>): EvaluationHook => ({
    name,
    ...when,
    run: async ({ step, epoch }) => {
      seen.push(`${name}${step}/${epoch}`);
      return { accuracy: step / 10 };
    },
  });
  const { metrics, events } = await run({
    hooks: [hook('e', { everyEpochs: 1 }), hook('f', { everyEpochs: 2 }), hook('s', { everySteps: 3 })],
    logEvery: 8,
  });
  t.deepEqual(seen, ['s3/0', 'e4/0', 's6/1', 'e8/1', 'f8/1']);
  t.deepEqual(
    metrics
      .filter((line) => line.evaluation)
      .map(({ step, evaluation, accuracy }) => [step, evaluation, accuracy]),
    [
      [3, 's', 0.3],
      [4, 'e', 0.4],
      [6, 's', 0.6],
      [8, 'e', 0.8],
      [8, 'f', 0.8],
    ],
  );
  t.is(events.filter(({ type }) => type === 'evaluation').length, 5);
});

test('what a step throws ends the run, and its batch is freed', async (t) => {
  const { error, disposed } = await run({
    step: (step) => (step === 2 ? Promise.reject(new Error('native')) : {}),
  });
  t.is(error.message, 'native');
  t.deepEqual(disposed, [0, 1, 2]);
});

test('an evaluation that fails, or is stopped, costs no training', async (t) => {
  const stop = new AbortController();
  const hook = (run: () => Promise<never>) => ({ name: 'e', everySteps: 5, run });
  const failed = await run({ hooks: [hook(() => Promise.reject(new Error('no labels')))] });
  t.is(failed.error.message, 'no labels');
  t.is(failed.saved.at(-1)!.step, 5);
  const stopped = await run(
    {
      hooks: [
        hook(async () => {
          stop.abort();
          throw stop.signal.reason;
        }),
      ],
    },
    stop.signal,
  );
  t.is(stopped.error, stop.signal.reason);
  t.is(stopped.saved.at(-1)!.step, 5);
});
