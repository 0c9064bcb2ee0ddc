import test from 'ava';
import { countBatches, countSteps, epochOrder } from '#src/data/epoch-order.js';
import type { ClipPlan, VideoFacts } from '#src/data/plan.js';
import { BatchPlanner, type PlannedBatch, type PlannerOptions } from '#src/data/planner.js';
import { Quarantine } from '#src/data/quarantine.js';
import { Rng } from '#src/data/rng.js';
import type { Manifest, VideoRow } from '#src/data/rows.js';
import type { SamplePlan, ViewContext } from '#src/data/views.js';
import { VsslError } from '#src/errors.js';
import { resolveConfig } from '#src/methods/config.js';

type Settings = PlannerOptions['config'];

function settingsOf(batch: number, seed = 0, onError: Settings['data']['onError'] = 'skip'): Settings {
  const { data } = resolveConfig({ method: 'cvrl', data: { onError } });
  return { method: 'toy', data, train: { batch, seed } };
}

function makeManifest(n: number): Manifest {
  const rows = Array.from({ length: n }, (_, i): VideoRow => {
    const path = `v${i}.mp4`;
    return {
      id: path,
      path,
      label: undefined,
      group: undefined,
      start: undefined,
      end: undefined,
      extra: {},
      source: { kind: 'file', path },
    };
  });
  return { spec: 'test', rows, warnings: [] };
}

/** A clip that shows which row and which draw it was made from. */
function fakeClip(row: VideoRow, draw: number): ClipPlan {
  return {
    source: row.source,
    modality: 'rgb',
    times: [draw],
    height: 8,
    width: 8,
    shrink: 1,
    augment: [],
    input: 'rgb',
    mean: [0, 0, 0],
    std: [1, 1, 1],
  };
}

function planViews({ row, rng }: ViewContext): SamplePlan {
  const views = [1, 2].map((view) => ({ name: `view${view}`, clip: fakeClip(row, rng.fork(view).next()) }));
  return { views };
}

function makePlanner(options: {
  rows: number;
  batch: number;
  bad?: readonly number[];
  quarantine?: Quarantine;
  onError?: Settings['data']['onError'];
  seed?: number;
}) {
  const quarantine = options.quarantine ?? new Quarantine();
  const bad = new Set((options.bad ?? []).map((i) => `v${i}.mp4`));
  const planner = new BatchPlanner({
    config: settingsOf(options.batch, options.seed, options.onError),
    totalSteps: 100,
    planViews,
    manifest: makeManifest(options.rows),
    getFacts: async (row) => {
      if (bad.has(row.id)) throw new VsslError('ERR_VSSL_VIDEO_OPEN', `${row.id} is bad`);
      return { path: row.path } as VideoFacts;
    },
    quarantine,
  });
  return { planner, quarantine };
}

/** Places of files that cannot be used. */
const lost = (...places: number[]) => places.map((place) => ({ place, unusable: true }));
const rowsOf = (batch: PlannedBatch) => batch.samples.map((sample) => sample.index);
const distinct = (numbers: readonly number[]) => new Set(numbers).size === numbers.length;

test('an epoch is a permutation of (seed, epoch); the remainder is dropped', (t) => {
  const order = epochOrder(100, 3, 5);
  t.deepEqual(
    [...order].sort((a, b) => a - b),
    Array.from({ length: 100 }, (_, i) => i),
  );
  t.deepEqual(order, epochOrder(100, 3, 5));
  t.notDeepEqual(order, epochOrder(100, 3, 6));
  t.notDeepEqual(order, epochOrder(100, 4, 5));
  t.deepEqual(
    [countBatches(100, 32), countBatches(96, 32), countBatches(31, 32), countBatches(1, 32)],
    [3, 3, 1, 1],
  );
});

test('every row has the same chance of every place', (t) => {
  const counts = new Array<number>(10).fill(0);
  for (let epoch = 0; epoch < 5000; epoch++) counts[epochOrder(10, 1, epoch)[0]!]!++;
  const chi = counts.reduce((sum, n) => sum + (n - 500) ** 2 / 500, 0);
  t.true(chi < 34, String(chi));
});

test('steps of a run: epochs of whole batches, or as given', (t) => {
  t.is(countSteps({ batch: 32, epochs: 10, steps: null }, 100), 30);
  t.is(countSteps({ batch: 64, epochs: 10, steps: null }, 20), 10);
  t.is(countSteps({ batch: 32, epochs: null, steps: 77 }, 100), 77);
});

test('an epoch shows each video once, in batches of the asked size', async (t) => {
  const { planner } = makePlanner({ rows: 50, batch: 8 });
  t.is(planner.stepsPerEpoch(0), 6);
  const seen: number[] = [];
  for (let step = 0; step < 6; step++) {
    const { batch, bad } = await planner.planBatch(step);
    t.is(batch.epoch, 0);
    t.is(bad.length, 0);
    t.is(batch.samples.length, 8);
    t.deepEqual(
      batch.plan.views.map((view) => [view.name, view.clips!.length]),
      [
        ['view1', 8],
        ['view2', 8],
      ],
    );
    batch.samples.forEach((sample, i) => {
      t.is(sample.sample, step * 8 + i);
      t.deepEqual(batch.plan.views[0]!.clips![i]!.source, sample.row.source);
    });
    seen.push(...rowsOf(batch));
  }
  t.true(distinct(seen));
  t.is((await planner.planBatch(6)).batch.epoch, 1);
});

test('planning step k at once equals planning steps 0 to k', async (t) => {
  const walked = makePlanner({ rows: 50, batch: 8 }).planner;
  const plans: PlannedBatch[] = [];
  for (let step = 0; step < 20; step++) plans.push((await walked.planBatch(step)).batch);
  for (const step of [0, 5, 6, 13, 19]) {
    t.deepEqual((await makePlanner({ rows: 50, batch: 8 }).planner.planBatch(step)).batch, plans[step]);
  }
  t.notDeepEqual((await makePlanner({ rows: 50, batch: 8, seed: 1 }).planner.planBatch(0)).batch, plans[0]);
});

test('fewer videos than the batch: the batch becomes that number, never zero steps, never one twice', async (t) => {
  const { planner } = makePlanner({ rows: 5, batch: 64 });
  t.is(planner.batchSize(0), 5);
  t.is(planner.stepsPerEpoch(0), 1);
  for (let step = 0; step < 4; step++) {
    const { batch } = await planner.planBatch(step);
    t.is(batch.epoch, step);
    t.deepEqual(rowsOf(batch).sort(), [0, 1, 2, 3, 4]);
  }
  t.is((await makePlanner({ rows: 1, batch: 64 }).planner.planBatch(3)).batch.samples.length, 1);
});

test('rows whose facts cannot be had are replaced, without one video twice', async (t) => {
  const bad = [1, 2, 3, 10, 20, 30];
  const { planner } = makePlanner({ rows: 40, batch: 10, bad });
  for (let step = 0; step < 8; step++) {
    const { batch, bad: found } = await planner.planBatch(step);
    t.is(batch.samples.length, 10);
    t.true(distinct(rowsOf(batch)));
    t.false(rowsOf(batch).some((index) => bad.includes(index)));
    for (const { sample, error } of found) {
      t.true(bad.includes(sample.index));
      t.is(error.code, 'ERR_VSSL_VIDEO_OPEN');
    }
    t.deepEqual([...new Set(batch.failed)].sort(), [...new Set(found.map((f) => f.sample.index))].sort());
    for (const sample of batch.samples)
      t.is(
        sample.attempt > 0,
        found.some((f) => f.sample.sample === sample.sample),
      );
    t.deepEqual((await makePlanner({ rows: 40, batch: 10, bad }).planner.planBatch(step)).batch, batch);
  }
});

test('a quarantined row leaves at the next epoch, under skip; under substitute it stays', (t) => {
  for (const onError of ['skip', 'substitute'] as const) {
    const quarantine = new Quarantine();
    const { planner } = makePlanner({ rows: 20, batch: 4, quarantine, onError });
    t.true(planner.order(2).includes(7));
    t.true(quarantine.add('v7.mp4', 2));
    t.false(quarantine.add('v7.mp4', 3));
    t.true(planner.order(2).includes(7), 'not in the epoch in which it was found');
    t.is(planner.order(3).includes(7), onError === 'substitute');
    t.is(planner.stepsPerEpoch(3), onError === 'substitute' ? 5 : 4);
    // The others keep their order.
    t.deepEqual(
      planner.order(3).filter((i) => i !== 7),
      epochOrder(20, 0, 3).filter((i) => i !== 7),
    );
  }
});

test('steps are counted through epochs that the quarantine made shorter', (t) => {
  const quarantine = new Quarantine();
  const { planner } = makePlanner({ rows: 20, batch: 4, quarantine });
  quarantine.add('v0.mp4', 1);
  quarantine.add('unknown.mp4', 0);
  t.deepEqual(
    [0, 4, 5, 9, 10, 13, 14].map((step) => planner.position(step)),
    [
      { epoch: 0, batch: 0 },
      { epoch: 0, batch: 4 },
      { epoch: 1, batch: 0 },
      { epoch: 1, batch: 4 },
      { epoch: 2, batch: 0 },
      { epoch: 2, batch: 3 },
      { epoch: 3, batch: 0 },
    ],
  );
});

test('the place of a step far ahead is that of walking there, and costs no walk', (t) => {
  const quarantine = new Quarantine();
  const { planner } = makePlanner({ rows: 41, batch: 4, quarantine });
  for (const [row, epoch] of [3, 3, 7, 7, 7, 7, 12].entries()) quarantine.add(`v${row}.mp4`, epoch);
  let [epoch, batch] = [0, 0];
  for (let step = 0; step < 300; step++) {
    t.deepEqual(planner.position(step), { epoch, batch });
    batch += 1;
    if (batch === planner.stepsPerEpoch(epoch)) [epoch, batch] = [epoch + 1, 0];
  }
  const far = makePlanner({ rows: 41, batch: 4 }).planner.position(1e12);
  t.deepEqual(far, { epoch: 1e11, batch: 0 });
});

test('a replacement is drawn from all rows of the epoch that are left, in its order', async (t) => {
  for (let seed = 0; seed < 20; seed++) {
    const quarantine = new Quarantine();
    for (const row of [1, 5, 6]) quarantine.add(`v${row}.mp4`, 0);
    const { planner } = makePlanner({ rows: 30, batch: 6, quarantine, seed });
    const { batch } = await planner.planBatch(5);
    t.is(batch.epoch, 1);
    const places = lost(1, 4);
    const replaced = (await planner.planReplacements(batch, places)).batch;
    const taken = new Set(batch.samples.map(({ index }) => index));
    for (const { place } of places) {
      const left = epochOrder(30, seed, 1).filter((row) => ![1, 5, 6].includes(row) && !taken.has(row));
      const rng = new Rng(seed, 'replacement', 1, batch.samples[place]!.sample, 1);
      const expected = left[rng.int(left.length)]!;
      t.is(replaced.samples[place]!.index, expected);
      taken.add(expected);
    }
  }
});

test('under onError fail the first bad row is thrown, and no other is tried', async (t) => {
  const { planner } = makePlanner({ rows: 4, batch: 4, bad: [0, 1, 2, 3], onError: 'fail' });
  const error = await t.throwsAsync(planner.planBatch(0), { code: 'ERR_VSSL_DATA' });
  t.regex(error!.message, /v\d\.mp4 cannot be used: v\d\.mp4 is bad/);
});

test('rows found before the first epoch never come', (t) => {
  const quarantine = new Quarantine();
  quarantine.add('v3.mp4', -1);
  const { planner } = makePlanner({ rows: 8, batch: 8, quarantine });
  t.is(planner.batchSize(0), 7);
  t.false(planner.order(0).includes(3));
});

test('clips that fail while loading are replaced in their slots; the survivors keep their clips', async (t) => {
  const { planner } = makePlanner({ rows: 40, batch: 8, bad: [11, 12] });
  const { batch } = await planner.planBatch(1);
  const result = await planner.planReplacements(batch, lost(2, 5));
  t.deepEqual(result.patch!.slots, [2, 5]);
  t.true(distinct(rowsOf(result.batch)));
  result.batch.samples.forEach((sample, i) => {
    if (i === 2 || i === 5) {
      t.is(sample.sample, batch.samples[i]!.sample);
      t.true(sample.attempt > batch.samples[i]!.attempt);
      t.not(sample.index, batch.samples[i]!.index);
    } else {
      t.is(sample, batch.samples[i]!);
      t.is(result.batch.plan.views[1]!.clips![i], batch.plan.views[1]!.clips![i]);
    }
  });
  for (const [v, view] of result.patch!.views.entries()) {
    t.deepEqual(
      view.clips,
      [2, 5].map((i) => result.batch.plan.views[v]!.clips![i]),
    );
  }
  t.is(result.batch.plan.slots, undefined);

  // A row that failed in this batch is never drawn for it again.
  let current = result.batch;
  const gone = new Set(current.failed);
  for (let round = 0; round < 12; round++) {
    const next = await planner.planReplacements(current, lost(0));
    gone.add(current.samples[0]!.index);
    t.false(rowsOf(next.batch).some((index) => gone.has(index)));
    t.true(distinct(rowsOf(next.batch)));
    current = next.batch;
  }
});

test('replacements are a function of (seed, epoch, sample, attempt)', async (t) => {
  const once = makePlanner({ rows: 40, batch: 8 }).planner;
  const again = makePlanner({ rows: 40, batch: 8 }).planner;
  const a = await once.planReplacements((await once.planBatch(2)).batch, lost(3, 1));
  const b = await again.planReplacements((await again.planBatch(2)).batch, lost(1, 3));
  t.deepEqual(a, b);
});

test('no row left: the batch becomes smaller, and is to be loaded anew', async (t) => {
  const { planner } = makePlanner({ rows: 6, batch: 6 });
  const { batch } = await planner.planBatch(0);
  const result = await planner.planReplacements(batch, lost(1, 4));
  t.is(result.patch, null);
  t.is(result.batch.samples.length, 4);
  t.deepEqual(
    result.batch.samples,
    batch.samples.filter((_, i) => i !== 1 && i !== 4),
  );
  t.is(result.batch.plan.views[0]!.clips!.length, 4);

  const partly = makePlanner({ rows: 7, batch: 6 }).planner;
  const full = (await partly.planBatch(0)).batch;
  const shrunk = await partly.planReplacements(full, lost(0, 1));
  t.is(shrunk.patch, null);
  t.is(shrunk.batch.samples.length, 5);
  t.true(distinct(rowsOf(shrunk.batch)));
});

test('a clip that fails is stood in for by another row; by another clip of its own file when no row is left', async (t) => {
  const clip = (...places: number[]) => places.map((place) => ({ place, unusable: false }));
  const wide = makePlanner({ rows: 12, batch: 6 }).planner;
  let { batch } = await wide.planBatch(0);
  const first = batch.samples[2]!.index;
  for (let round = 0; round < 6; round++) {
    batch = (await wide.planReplacements(batch, clip(2))).batch;
    t.not(batch.samples[2]!.index, first);
    t.is(batch.samples.length, 6);
  }

  const { planner } = makePlanner({ rows: 6, batch: 6 });
  const start = (await planner.planBatch(0)).batch;
  const { batch: second, patch } = await planner.planReplacements(start, [
    ...clip(1),
    { place: 4, unusable: true },
  ]);
  t.is(patch, null, 'the file of place 4 cannot be used, and nothing is left for it');
  t.is(second.samples.length, 5);
  const again = second.samples.find(({ attempt }) => attempt === 1)!;
  t.is(again.index, start.samples[1]!.index, 'the same file');
  const place = second.samples.indexOf(again);
  t.notDeepEqual(
    second.plan.views[0]!.clips![place]!.times,
    start.plan.views[0]!.clips![1]!.times,
    'another clip',
  );
  // three failures of one file in one batch are enough
  const third = (await planner.planReplacements(second, clip(place))).batch;
  t.is(third.samples[place]!.attempt, 2);
  const last = await planner.planReplacements(third, clip(place));
  t.is(last.patch, null);
  t.is(last.batch.samples.length, 4);
});

test('no usable video at all is ERR_VSSL_NO_USABLE_VIDEO', async (t) => {
  const all = { rows: 4, batch: 4, bad: [0, 1, 2, 3] };
  await t.throwsAsync(makePlanner(all).planner.planBatch(0), { code: 'ERR_VSSL_NO_USABLE_VIDEO' });
  const { planner, quarantine } = makePlanner({ rows: 2, batch: 4 });
  const { batch } = await planner.planBatch(0);
  await t.throwsAsync(planner.planReplacements(batch, lost(0, 1)), { code: 'ERR_VSSL_NO_USABLE_VIDEO' });
  quarantine.add('v0.mp4', 0);
  quarantine.add('v1.mp4', 0);
  await t.throwsAsync(planner.planBatch(1), { code: 'ERR_VSSL_NO_USABLE_VIDEO' });
});

test('a row of which no clip can be planned costs that row', async (t) => {
  const planner = new BatchPlanner({
    config: settingsOf(4),
    totalSteps: 100,
    planViews: (context) => {
      const { views } = planViews(context);
      const shrink = context.row.id === 'v2.mp4' ? 65 : 1;
      return { views: views.map(({ name, clip }) => ({ name, clip: { ...clip!, shrink } })) };
    },
    manifest: makeManifest(6),
    getFacts: async (row) => ({ path: row.path }) as VideoFacts,
    quarantine: new Quarantine(),
  });
  const found = [];
  for (let step = 0; step < 3; step++) {
    const { batch, bad } = await planner.planBatch(step);
    t.is(batch.samples.length, 4);
    t.false(batch.samples.some(({ row }) => row.id === 'v2.mp4'));
    found.push(...bad);
  }
  t.true(found.length > 0);
  for (const { sample, error } of found) {
    t.is(sample.row.id, 'v2.mp4');
    t.is(error.code, 'ERR_VSSL_VIDEO_PLAN');
    t.regex(error.message, /v2\.mp4.*1 to 64 for shrink but it is 65/);
  }
});

test('a mistake in a method is not taken for a bad file', async (t) => {
  const planner = new BatchPlanner({
    config: settingsOf(2),
    totalSteps: 100,
    planViews: () => {
      throw new TypeError('oops');
    },
    manifest: makeManifest(3),
    getFacts: async () => ({}) as VideoFacts,
    quarantine: new Quarantine(),
  });
  await t.throwsAsync(planner.planBatch(0), { instanceOf: TypeError });
});

test('an interrupted run goes on with the same batches, bad files included', async (t) => {
  const bad = [2, 9, 17, 23];
  /** Steps `from` to `to`, with bad rows recorded as a training loop does it. */
  const run = async (quarantine: Quarantine, from: number, to: number) => {
    const { planner } = makePlanner({ rows: 26, batch: 6, bad, quarantine });
    const rows: number[][] = [];
    for (let step = from; step < to; step++) {
      const { batch, bad: found } = await planner.planBatch(step);
      for (const { sample } of found) quarantine.add(sample.row.id, sample.epoch);
      rows.push(rowsOf(batch));
    }
    return rows;
  };
  const whole = await run(new Quarantine(), 0, 24);
  for (const at of [1, 4, 7, 11]) {
    const quarantine = new Quarantine();
    const before = await run(quarantine, 0, at);
    // What was found after the checkpoint may already stand in the quarantine.
    const ahead = new Quarantine();
    for (const [id, epoch] of quarantine.entries()) ahead.add(id, epoch);
    await run(ahead, at, at + 3);
    t.deepEqual([...before, ...(await run(ahead, at, 24))], whole);
  }
});
