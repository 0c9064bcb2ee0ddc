import test from 'ava';
import type { BatchPlan, ClipPlan } from '#src/data/plan.js';
import { extractFeatures } from '#src/embed/extract-features.js';
import { type ClipEmbedder, type FeatureOptions, streamFeatures } from '#src/embed/features.js';
import { warnOfLostClips } from '#src/embed/unusable.js';
import { VsslError } from '#src/errors.js';
import type { NativeBatch, NativeClipFailure, NativeLoader } from '#src/native/bindings.js';

/** A clip that carries a number; `bad` ones fail to load. */
interface Mark {
  value: number;
  bad?: boolean;
}
const mark = (value: number, bad = false): ClipPlan => ({ ...plainClip, ...{ value, bad } });

const plainClip: ClipPlan = {
  source: { kind: 'file', path: 'v' },
  modality: 'rgb',
  times: [0],
  height: 8,
  width: 8,
  shrink: 1,
  augment: [],
  input: 'rgb',
  mean: [0, 0, 0],
  std: [1, 1, 1],
};

/** A loader and an embedder without pixels: a clip's vector is [value, 1]. */
function pretend() {
  const sizes: number[] = [];
  let live = 0;
  const clipsOf = new WeakMap<NativeBatch, Mark[]>();
  const loader = {
    async load(plan: BatchPlan) {
      const clips = plan.views[0]!.clips as unknown as Mark[];
      sizes.push(clips.length);
      live++;
      const batch = { dispose: () => live-- } as unknown as NativeBatch;
      clipsOf.set(batch, clips);
      const failures = clips.flatMap(({ bad, value }, sample): NativeClipFailure[] =>
        bad
          ? [
              {
                view: 0,
                sample,
                path: `v${value}`,
                code: 'ERR_VSSL_VIDEO_DECODE',
                reason: 'torn',
                where: 1.5,
              },
            ]
          : [],
      );
      return { batch, failures, stats: { standIns: 0 } };
    },
  } as unknown as NativeLoader;
  const embedder: ClipEmbedder = {
    embed: async (batch) =>
      Float32Array.from(clipsOf.get(batch)!.flatMap(({ value, bad }) => [bad ? 1e9 : value, 1])),
  };
  return { loader, embedder, sizes, live: () => live };
}

type Item = { clips: ClipPlan[] } | { error: Error };

function optionsFor(
  fake: ReturnType<typeof pretend>,
  more: Partial<FeatureOptions<Item>> = {},
): FeatureOptions<Item> {
  return {
    loader: fake.loader,
    embedders: [fake.embedder],
    planClips: async (item) => {
      if ('error' in item) throw item.error;
      return { clip: item.clips };
    },
    batchClips: 4,
    ...more,
  };
}

test('each item gets the mean of its clips, across batches', async (t) => {
  const fake = pretend();
  const items = [[1, 2, 3], [10], [4, 4, 4, 4, 9], [0, 1]].map((values) => ({
    clips: values.map((v) => mark(v)),
  }));
  const { features, kept, failures } = await extractFeatures(items, optionsFor(fake));
  t.deepEqual([...features[0]!.data], [2, 1, 10, 1, 5, 1, 0.5, 1]);
  t.deepEqual(kept, [0, 1, 2, 3]);
  t.deepEqual(failures, []);
  t.deepEqual(fake.sizes, [4, 4, 3]);
  t.is(fake.live(), 0);
});

test('separate items never share a batch', async (t) => {
  const fake = pretend();
  const items = [[1, 2, 3, 4, 5], [6], [7, 8]].map((values) => ({ clips: values.map((v) => mark(v)) }));
  const { features } = await extractFeatures(items, optionsFor(fake, { separate: true }));
  t.deepEqual([...features[0]!.data], [3, 1, 6, 1, 7.5, 1]);
  t.deepEqual(fake.sizes, [4, 1, 1, 2]);
});

test('a bad clip is left out of the mean, an item without a good one is an error', async (t) => {
  const fake = pretend();
  const items: Item[] = [
    { clips: [mark(1), mark(2, true), mark(3)] },
    { error: new VsslError('ERR_VSSL_VIDEO_OPEN', 'no such file') },
    { clips: [mark(5, true), mark(6, true)] },
    { clips: [mark(7)] },
  ];
  const results = [];
  for await (const result of streamFeatures(items, optionsFor(fake))) results.push(result);
  t.deepEqual(
    results.map(({ index }) => index),
    [0, 1, 2, 3],
  );
  const [first, second, third, fourth] = results;
  t.deepEqual('vectors' in first! && [...first.vectors[0]!, first.lostClips], [2, 1, 1]);
  t.is('error' in second! && second.error.code, 'ERR_VSSL_VIDEO_OPEN');
  t.is('error' in third! && third.error.code, 'ERR_VSSL_VIDEO_DECODE');
  t.deepEqual('error' in third! && third.error.details, { path: 'v5', reason: 'torn', where: 1.5 });
  t.deepEqual('vectors' in fourth! && [...fourth.vectors[0]!], [7, 1]);
});

test('items that lost clips are told apart from those that are whole and those that failed', async (t) => {
  const items: Item[] = [
    { clips: [mark(1), mark(2, true), mark(3)] },
    { clips: [mark(5, true), mark(6, true)] },
    { clips: [mark(7)] },
  ];
  const { kept, damaged, failures } = await extractFeatures(items, optionsFor(pretend()));
  t.deepEqual(kept, [0, 2]);
  t.deepEqual(damaged, [{ index: 0, lostClips: 1 }]);
  t.deepEqual(
    failures.map(({ index }) => index),
    [1],
  );
  t.deepEqual(warnOfLostClips([]), []);
  t.deepEqual(warnOfLostClips([{ path: 'a.mp4', lostClips: 1 }]), [
    'clips of a video cannot be decoded, and its vector is the mean of the others: a.mp4 (1)',
  ]);
  const many = Array.from({ length: 12 }, (_, i) => ({ path: `v${i}`, lostClips: 2 }));
  t.regex(warnOfLostClips(many)[0]!, /clips of 12 videos .* v0 \(2\), .*v9 \(2\) and 2 more$/);
});

test('only bad items: nothing is loaded, everything is reported', async (t) => {
  const fake = pretend();
  const items: Item[] = Array.from({ length: 9 }, () => ({ error: new Error('bad') }));
  const { features, failures } = await extractFeatures(items, optionsFor(fake));
  t.is(features[0]!.rows, 0);
  t.is(failures.length, 9);
  t.deepEqual(fake.sizes, []);
});

test('an abort ends it with its reason, and frees what was loaded', async (t) => {
  const fake = pretend();
  const stop = new AbortController();
  const reason = new Error('stop');
  const items = Array.from({ length: 100 }, () => ({ clips: [mark(1), mark(2)] }));
  let seen = 0;
  await t.throwsAsync(
    async () => {
      for await (const _ of streamFeatures(items, optionsFor(fake, { signal: stop.signal })))
        if (++seen === 10) stop.abort(reason);
    },
    { is: reason },
  );
  t.true(seen < 20);
  t.is(fake.live(), 0);
});

test('a consumer that leaves frees what was loaded ahead', async (t) => {
  const fake = pretend();
  const items = Array.from({ length: 100 }, () => ({ clips: [mark(1), mark(2)] }));
  for await (const _ of streamFeatures(items, optionsFor(fake))) break;
  t.is(fake.live(), 0);
  t.true(fake.sizes.length <= 4);
});

test('what an embedder throws is thrown on', async (t) => {
  const fake = pretend();
  const boom = new Error('boom');
  const embedder = { embed: () => Promise.reject(boom) };
  await t.throwsAsync(extractFeatures([{ clips: [mark(1)] }], optionsFor(fake, { embedders: [embedder] })), {
    is: boom,
  });
  t.is(fake.live(), 0);
});
