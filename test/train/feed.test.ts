import test from 'ava';
import type { ResolvedConfig } from '#src/config/schema.js';
import { type ClipCounts, ClipLedger } from '#src/data/clip-ledger.js';
import { type BatchPlan, type ClipPlan, PLAN_VERSION, type VideoFacts } from '#src/data/plan.js';
import { BatchPlanner } from '#src/data/planner.js';
import { Quarantine } from '#src/data/quarantine.js';
import type { Manifest } from '#src/data/rows.js';
import type { PlanViews } from '#src/data/views.js';
import { VsslError } from '#src/errors.js';
import { resolveConfig } from '#src/methods/config.js';
import type { NativeBatch, NativeLoadResult } from '#src/native/bindings.js';
import { Faults, type QuarantineRecord } from '#src/train/faults.js';
import { Feed } from '#src/train/feed.js';

/** A batch that remembers what was loaded into it. */
interface FakeBatch extends NativeBatch {
  readonly clips: string[][];
  disposed: number;
}

/** Which clips of a file fail: all, or those of its draws below this number (0 to 1). */
type Damage = Readonly<Record<string, number>>;

/**
 * Executes plans by writing down what they say, late or at once, in any order; `bad` files cannot be opened, and some
 * clips of `damaged` ones cannot be decoded.
 */
class FakeLoader {
  readonly batches: FakeBatch[] = [];
  busy = 0;
  most = 0;
  constructor(
    readonly bad: ReadonlySet<string>,
    readonly damaged: Damage,
  ) {}

  async load(plan: object, into?: NativeBatch): Promise<NativeLoadResult> {
    const { version, views, slots } = plan as BatchPlan;
    if (version !== PLAN_VERSION) throw new Error('a plan without its version');
    this.most = Math.max(this.most, ++this.busy);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
    this.busy--;
    const batch = (into as FakeBatch | undefined) ?? this.#make(views.length);
    const failures: NativeLoadResult['failures'] = [];
    for (const [view, { clips }] of views.entries())
      for (const [sample, clip] of (clips ?? []).entries()) {
        const { path } = clip.source as { path: string };
        const fault = { view, sample, path, reason: 'broken', where: 0.5 };
        if (this.bad.has(path)) failures.push({ ...fault, code: 'ERR_VSSL_VIDEO_OPEN' });
        else if (clip.times[0]! < (this.damaged[path] ?? 0))
          failures.push({ ...fault, code: 'ERR_VSSL_VIDEO_DECODE' });
        else batch.clips[view]![slots ? slots[sample]! : sample] = clipName(clip);
      }
    const stats = {
      decodedFrames: 0,
      cacheHits: 0,
      cacheMisses: 0,
      decodeSeconds: 0,
      augmentSeconds: 0,
      standIns: 0,
    };
    return { batch, failures, stats };
  }

  #make(views: number): FakeBatch {
    const batch: FakeBatch = {
      clips: Array.from({ length: views }, () => []),
      disposed: 0,
      views: () => [],
      side: () => [],
      toFloat32: () => new Float32Array(),
      toInt64: () => new BigInt64Array(),
      dispose: () => {
        batch.disposed++;
      },
    };
    this.batches.push(batch);
    return batch;
  }
}

const clipName = (clip: ClipPlan) => `${(clip.source as { path: string }).path}@${clip.times[0]!.toFixed(6)}`;

function manifestOf(files: number): Manifest {
  const rows = Array.from({ length: files }, (_, i) => {
    const path = `v${i}`;
    const rest = { label: undefined, group: undefined, start: undefined, end: undefined, extra: {} };
    return { id: path, path, source: { kind: 'file', path } as const, ...rest };
  });
  return { spec: 'fake', rows, warnings: [] };
}

const planViews: PlanViews = ({ row, rng }) => ({
  views: ['a', 'b'].map((name) => ({
    name,
    clip: {
      source: row.source,
      modality: 'rgb',
      times: [rng.fork(name).next()],
      height: 8,
      width: 8,
      shrink: 1,
      augment: [],
      input: 'rgb',
      mean: [0, 0, 0],
      std: [1, 1, 1],
    } satisfies ClipPlan,
  })),
});

/** Two clips of one frame of 8 x 8. */
const SAMPLE_BYTES = 2 * 8 * 8 * 3 * 4;

interface Setup {
  readonly files?: number;
  readonly batch?: number;
  readonly bad?: readonly string[];
  readonly damaged?: Damage;
  /** Files whose facts cannot be had. */
  readonly unreadable?: readonly string[];
  readonly onError?: 'skip' | 'substitute' | 'fail';
  /** Batches that may be ahead by their bytes. */
  readonly depth?: number;
  readonly from?: number;
  readonly to: number;
  readonly state?: State;
  /** Facts are had when it is. */
  readonly facts?: Promise<void>;
  readonly prepare?: (batch: NativeBatch) => Promise<void>;
}

/** What a checkpoint holds of the data. */
interface State {
  readonly quarantine: readonly QuarantineRecord[];
  readonly clips: ClipCounts;
}

function setUp({
  files = 10,
  batch = 3,
  bad = [],
  damaged = {},
  unreadable = [],
  onError = 'skip',
  depth = 3,
  from = 0,
  to,
  state,
  facts,
  prepare,
}: Setup) {
  const config: ResolvedConfig = resolveConfig({
    method: 'cvrl',
    data: { onError },
    train: { batch, steps: 100, schedule: { warmupSteps: 0 }, seed: 5 },
  });
  const quarantine = new Quarantine();
  for (const { id, epoch } of state?.quarantine ?? []) quarantine.add(id, epoch);
  const loader = new FakeLoader(new Set(bad), damaged);
  const asked: string[] = [];
  const getFacts = async (row: { path: string }): Promise<VideoFacts> => {
    asked.push(row.path);
    await facts;
    if (unreadable.includes(row.path)) throw new VsslError('ERR_VSSL_VIDEO_OPEN', 'cannot be opened');
    return {
      path: row.path,
      codec: 'x',
      width: 8,
      height: 8,
      times: new Float64Array(4),
      end: 1,
      warnings: [],
    };
  };
  const manifest = manifestOf(files);
  const { rows } = manifest;
  const planner = new BatchPlanner({ config, totalSteps: 100, planViews, manifest, getFacts, quarantine });
  const clips = state && { clips: state.clips };
  const feed = new Feed({
    planner,
    loader,
    quarantine,
    rows,
    ...clips,
    from,
    to,
    aheadBytes: depth * batch * SAMPLE_BYTES,
    onError,
    ...(prepare && { prepare }),
  });
  return { feed, loader, asked, faults: new Faults(rows, state) };
}

/** What each step got, and the state that a checkpoint after it would hold. */
async function drain(setup: Setup) {
  const { feed, loader, faults } = setUp(setup);
  const steps: {
    step: number;
    epoch: number;
    clips: string[][];
    samples: string[];
    last: boolean;
    found: string[];
    state: State;
  }[] = [];
  for (let step = setup.from ?? 0; step < setup.to; step++) {
    const item = await feed.next();
    const found = faults.take(item, item.step + 1).map(({ what, path }) => `${what} ${path}`);
    const batch = item.batch as FakeBatch;
    steps.push({
      step: item.step,
      epoch: item.epoch,
      clips: structuredClone(batch.clips),
      samples: item.planned.samples.map(({ row }) => row.path),
      last: item.lastOfEpoch,
      found,
      state: structuredClone({ quarantine: faults.files, clips: faults.clips.encode() }),
    });
    batch.dispose();
  }
  await feed.close();
  return { steps, loader };
}

test('batches come in order, whole, and each is handed out once', async (t) => {
  const { steps, loader } = await drain({ to: 9 });
  t.deepEqual(
    steps.map(({ step }) => step),
    [0, 1, 2, 3, 4, 5, 6, 7, 8],
  );
  t.deepEqual(
    steps.map(({ epoch }) => epoch),
    [0, 0, 0, 1, 1, 1, 2, 2, 2],
  );
  t.deepEqual(
    steps.map(({ last }) => last),
    [false, false, true, false, false, true, false, false, true],
  );
  for (const { clips, samples } of steps) {
    t.is(new Set(samples).size, 3);
    for (const view of clips)
      t.deepEqual(
        view.map((clip) => clip.split('@')[0]),
        samples,
      );
  }
  for (const epoch of [0, 1, 2]) {
    const seen = steps.filter((s) => s.epoch === epoch).flatMap(({ samples }) => samples);
    t.is(new Set(seen).size, 9);
  }
  t.true(loader.batches.every(({ disposed }) => disposed === 1));
});

const bad = ['v2', 'v7'];
const damaged = { v4: 2, v1: 0.6, v5: 0.15, v8: 0.05 };
for (const onError of ['skip', 'substitute'] as const)
  test(`${onError}: how far loading runs ahead, and how long it takes, leaves no trace`, async (t) => {
    const setup = { bad, damaged, onError, unreadable: ['v9'], to: 40 };
    const reference = (await drain({ ...setup, depth: 1 })).steps;
    for (const depth of [1, 2, 4, 8]) t.deepEqual((await drain({ ...setup, depth })).steps, reference);
  });

for (const onError of ['skip', 'substitute'] as const)
  test(`${onError}: a run that begins again after any step goes on alike`, async (t) => {
    const to = 24;
    const whole = (await drain({ bad, damaged, onError, to })).steps;
    for (let from = 1; from < to; from++) {
      const { state } = whole[from - 1]!;
      const rest = await drain({ bad, damaged, onError, from, to, state, depth: 1 + (from % 4) });
      t.deepEqual(rest.steps, whole.slice(from), `from ${from}`);
    }
  });

test('skip: a bad file is replaced in its batch and leaves the sampler at the next epoch', async (t) => {
  const { steps } = await drain({ bad, to: 20 });
  for (const { clips, samples } of steps) {
    t.is(new Set(samples).size, samples.length);
    t.false(samples.some((path) => bad.includes(path)));
    for (const view of clips) t.is(view.filter(Boolean).length, samples.length);
  }
  const found = steps.at(-1)!.state.quarantine;
  t.deepEqual(found.map(({ path }) => path).sort(), [...bad].sort());
  for (const { epoch, reason, where } of found) {
    t.deepEqual([reason, where], ['broken', 0.5]);
    // with one batch of three fewer each epoch has two batches of the seven that are left
    t.true(epoch <= 1);
  }
  t.is(steps.filter((s) => s.epoch === 4).length, 2);
});

test('skip: a damaged file costs its clips, and leaves when three failed that outnumber the good ones', async (t) => {
  const { steps } = await drain({ damaged, to: 90 });
  const told = steps.flatMap(({ found }) => found);
  const clips = (path: string) => told.filter((line) => line === `clip ${path}`).length;
  t.true(clips('v4') >= 3 && clips('v1') >= 3);
  const left = steps.at(-1)!.state.quarantine;
  const leaving = new Set<string>();
  for (const { last, state } of steps)
    if (last) for (const row of new ClipLedger(10, state.clips).leaving()) leaving.add(`v${row}`);
  t.deepEqual(new Set(left.map(({ path }) => path)), leaving);
  t.true(leaving.has('v4') && leaving.has('v1') && !leaving.has('v8'));
  for (const { path, code, reason, epoch, step } of left) {
    t.is(code, 'ERR_VSSL_VIDEO_DECODE');
    t.regex(reason, /^\d+ of \d+ clips drawn from it could not be decoded$/);
    t.true(steps[step - 1]!.last, 'at the end of an epoch');
    t.is(steps[step - 1]!.epoch, epoch);
    t.false(steps.some((s) => s.epoch > epoch && s.found.includes(`clip ${path}`)));
    t.false(steps.some((s) => s.epoch > epoch && s.samples.includes(path)));
  }
  // those with more good clips than bad ones stay to the end
  const late = steps.filter(({ epoch }) => epoch > 20).flatMap(({ samples }) => samples);
  t.true(late.includes('v8') && clips('v8') > 0);
  for (const { samples } of steps) t.is(samples.length, 3);
});

test('a batch of which every clip fails tries others of the same files', async (t) => {
  const files = { v0: 0.4, v1: 0.4, v2: 0.4, v3: 0.4 };
  const { steps } = await drain({ files: 4, batch: 4, damaged: files, onError: 'substitute', to: 20 });
  t.true(steps.every(({ samples }) => samples.length > 0 && new Set(samples).size === samples.length));
  t.true(steps.filter(({ samples }) => samples.length === 4).length > 3);
});

test('substitute: a bad file is tried again in each epoch', async (t) => {
  const { steps, loader } = await drain({ bad: ['v2'], onError: 'substitute', to: 12 });
  t.is(steps.at(-1)!.state.quarantine.length, 1);
  t.is(steps.filter(({ epoch }) => epoch === 3).length, 3);
  t.is(loader.batches.length, 12);
});

test('fail: the first bad file ends it, and names itself', async (t) => {
  const { feed, loader } = setUp({ bad, onError: 'fail', to: 20 });
  const error = await t.throwsAsync(
    async () => {
      for (;;) (await feed.next()).batch.dispose();
    },
    { code: 'ERR_VSSL_DATA' },
  );
  t.regex(error!.message, /v[247] cannot be used: broken/);
  await feed.close();
  t.true(loader.batches.every(({ disposed }) => disposed === 1));
});

test('when no video is left to replace a bad one the batch becomes smaller, never one video twice', async (t) => {
  const { steps, loader } = await drain({ files: 4, batch: 4, bad: ['v1'], to: 3 });
  t.deepEqual(
    steps.map(({ samples }) => samples.length),
    [3, 3, 3],
  );
  for (const { clips, samples } of steps) {
    t.deepEqual([...samples].sort(), ['v0', 'v2', 'v3']);
    for (const view of clips) t.is(view.length, 3);
  }
  t.true(loader.batches.every(({ disposed }) => disposed === 1));
});

test('when every video turns out bad that is an error, not a hang', async (t) => {
  const { feed } = setUp({ files: 3, batch: 2, bad: ['v0', 'v1', 'v2'], to: 5 });
  await t.throwsAsync(feed.next(), { code: 'ERR_VSSL_NO_USABLE_VIDEO' });
  await feed.close();
});

/** Until as many batches as expected are there, and then a while, to see whether more come. */
async function settle(loader: FakeLoader, batches: number): Promise<void> {
  while (loader.batches.length < batches) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, 50));
}

test('one batch until its plan tells its bytes, two until the first step, then as many as fit: one at least, four at most', async (t) => {
  for (const [depth, batches] of [
    [0.1, 1],
    [1.9, 1],
    [2, 2],
    [3.5, 3],
    [100, 4],
  ] as const) {
    let open = () => {};
    const facts = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { feed, loader, asked } = setUp({ files: 60, to: 20, depth, facts });
    await settle(loader, 0);
    t.is(asked.length, 3, 'of one batch');
    open();
    await settle(loader, Math.min(2, batches));
    t.is(loader.batches.length, Math.min(2, batches), `${depth}`);
    (await feed.next()).batch.dispose();
    await settle(loader, 2);
    t.is(loader.batches.length, 2, 'the first step is under way');
    t.true(asked.length <= 2 * 3, 'files of two batches');
    (await feed.next()).batch.dispose();
    await settle(loader, 2 + batches);
    t.is(loader.batches.length, 2 + batches, `${depth}`);
    await feed.close();
  }
});

test('each batch is prepared once it is whole, and one that cannot be comes all the same', async (t) => {
  const prepared: string[] = [];
  const { steps } = await drain({
    bad: ['v3'],
    to: 6,
    prepare: async (batch) => {
      prepared.push(JSON.stringify((batch as FakeBatch).clips));
      if (prepared.length % 2) throw new Error('no memory on the device');
    },
  });
  t.deepEqual(prepared.toSorted(), steps.map(({ clips }) => JSON.stringify(clips)).toSorted());
});

test('no more batches are made ahead than the depth', async (t) => {
  const { feed, loader } = setUp({ files: 60, to: 20, depth: 2 });
  await settle(loader, 2);
  t.is(loader.batches.length, 2);
  (await feed.next()).batch.dispose();
  (await feed.next()).batch.dispose();
  await settle(loader, 4);
  t.is(loader.batches.length, 4);
  t.true(loader.most <= 2);
  await feed.close();
  t.true(loader.batches.every(({ disposed }) => disposed === 1));
});
