import test from 'ava';
import { layBackgrounds } from '#src/data/augment/lay-backgrounds.js';
import type { ClipPlan, ClipView, VideoFacts } from '#src/data/plan.js';
import { BatchPlanner } from '#src/data/planner.js';
import { Quarantine } from '#src/data/quarantine.js';
import { bareRow } from '#src/data/rows.js';
import type { SamplePlan } from '#src/data/views.js';
import { resolveConfig } from '#src/methods/config.js';
import { getMethod } from '#src/methods/registry.js';
import { loadEngine } from '#src/native/load.js';

const FACTS: VideoFacts = {
  path: 'any',
  codec: 'h264',
  width: 64,
  height: 48,
  times: Float64Array.from({ length: 60 }, (_, i) => i / 30),
  end: 2,
  warnings: [],
};

type Change = { readonly augment?: object; readonly method?: string; readonly batch?: number };

function plannerOf({ augment = {}, method = 'moco', batch = 6 }: Change = {}) {
  const config = resolveConfig({
    method: method as 'moco',
    data: { clip: { frames: 4, stride: 2, size: 32 }, augment: { background: 'fame', ...augment } },
    train: { batch, steps: 10, seed: 3 },
  });
  const rows = Array.from({ length: 20 }, (_, i) => {
    const path = `v${i}.mp4`;
    return bareRow(path, path, { kind: 'file', path });
  });
  return new BatchPlanner({
    config,
    totalSteps: 10,
    planViews: (context) => getMethod(config.method).planViews(context, config),
    manifest: { spec: 'test', rows, warnings: [] },
    getFacts: async () => FACTS,
    quarantine: new Quarantine(),
  });
}

const clipsOf = ({ views }: { views: readonly { clips?: readonly ClipPlan[] | undefined }[] }) =>
  views.map((view) => (view as ClipView).clips);

test('under a clip of the first view lies that of the sample before it, as that one shows it', async (t) => {
  const { batch } = await plannerOf().planBatch(0);
  const [first, second] = clipsOf(batch.plan);
  first!.forEach((clip, i) => {
    const { source, times, shrink, augment } = first!.at(i - 1)!;
    const { crop, flip } = augment[0]!;
    t.deepEqual(clip.background, { source, times, shrink, crop, flip, share: 0.5, mask: 'refined' });
    t.notDeepEqual(clip.background!.source, clip.source);
  });
  t.true(second!.every(({ background }) => background === undefined));
});

test('all views of pictures, with other settings; nothing of motion', async (t) => {
  const augment = { fame: { views: 'all', share: 0.3, mask: 'difference' } };
  const { batch } = await plannerOf({ augment }).planBatch(0);
  for (const clips of clipsOf(batch.plan))
    for (const { background } of clips!) t.like(background, { share: 0.3, mask: 'difference' });
  const modist = await plannerOf({ augment, method: 'modist' }).planBatch(0);
  for (const clips of clipsOf(modist.batch.plan))
    for (const { modality, background } of clips!) t.is(background !== undefined, modality === 'rgb');
});

test('nothing else of a plan changes, and without it nothing does', async (t) => {
  const bare = await plannerOf({ augment: { background: 'own' } }).planBatch(2);
  const laid = await plannerOf().planBatch(2);
  const stripped = JSON.parse(JSON.stringify(laid.batch.plan), (key, value) =>
    key === 'background' ? undefined : value,
  );
  t.deepEqual(stripped, JSON.parse(JSON.stringify(bare.batch.plan)));
  t.true(clipsOf(bare.batch.plan).every((clips) => clips!.every((clip) => !('background' in clip))));
});

test('a replaced sample gets the clip before it; the others keep what they were loaded with', async (t) => {
  const planner = plannerOf();
  const { batch } = await planner.planBatch(1);
  const { batch: next, patch } = await planner.planReplacements(batch, [{ place: 2, unusable: true }]);
  const [before] = clipsOf(batch.plan);
  const [after] = clipsOf(next.plan);
  for (const i of [0, 1, 3, 4, 5]) t.deepEqual(after![i], before![i]);
  t.notDeepEqual(after![2]!.source, before![2]!.source);
  t.deepEqual(after![2]!.background!.source, after![1]!.source);
  t.deepEqual(clipsOf(patch!)[0], [after![2]!]);
});

test('a batch of one has nobody to take a background from', (t) => {
  const { augment } = resolveConfig({ method: 'moco', data: { augment: { background: 'fame' } } }).data;
  const clip = { modality: 'rgb', times: [0], augment: [{ crop: [0, 0, 1, 1], flip: false }] };
  const alone = [{ views: [{ name: 'a', clip }] }] as unknown as SamplePlan[];
  t.is(layBackgrounds(alone, augment), alone);
});

test('what cannot be is refused with the key', (t) => {
  const refused = (data: object, train: object, key: RegExp) =>
    t.throws(() => resolveConfig({ method: 'cvrl', data, train }), {
      code: 'ERR_VSSL_CONFIG',
      message: key,
    });
  const fame = { background: 'fame' };
  refused({ augment: fame, clip: { frames: 1 } }, {}, /data\.augment\.background.*data\.clip\.frames/s);
  refused({ augment: fame }, { batch: 1 }, /data\.augment\.background.*train\.batch/s);
  refused({ augment: { ...fame, perFrame: true } }, {}, /data\.augment\.background.*perFrame/s);
  refused({ augment: { background: 'famee' } }, {}, /data\.augment\.background/);
});

test('the loader lays a still video’s neighbour under what moves, alike on any number of threads', async (t) => {
  const engine = loadEngine();
  const side = 32;
  const frames = (level: number) =>
    Uint8Array.from({ length: 4 * side * side * 3 }, (_, at) => {
      const [x, y, time] = [
        Math.floor(at / 3) % side,
        Math.floor(at / 3 / side) % side,
        Math.floor(at / 3 / side / side),
      ];
      return y >= 8 && y < 16 && x >= 4 + 4 * time && x < 12 + 4 * time ? 255 : level;
    });
  const plain = {
    crop: [0, 0, 1, 1],
    flip: false,
    color: [],
    gray: false,
    blur: 0,
    blurRadius: 0,
    solarize: null,
  };
  const outputs: Float32Array[] = [];
  for (const threads of [1, 4]) {
    const loader = engine.createLoader({ threads, cacheBytes: 0 });
    const samples = [20, 60, 100].map((level): SamplePlan => {
      const id = loader.addMemoryClip(frames(level), 4, side, side);
      const clip = {
        ...{ source: { kind: 'memory', id, fps: 1 }, modality: 'rgb', times: [0.5, 1.5, 2.5, 3.5] },
        ...{ height: side, width: side, shrink: 1, augment: [plain], input: 'rgb' },
        ...{ mean: [0, 0, 0], std: [1, 1, 1] },
      } as unknown as ClipPlan;
      return { views: [{ name: 'a', clip }] };
    });
    const { augment } = resolveConfig({ method: 'moco', data: { augment: { background: 'fame' } } }).data;
    const clips = layBackgrounds(samples, augment).map(({ views }) => views[0]!.clip!);
    const { batch, failures } = await loader.load({ version: 2, views: [{ name: 'a', clips }] });
    t.deepEqual(failures, []);
    outputs.push(batch.toFloat32('a'));
    batch.dispose();
    loader.dispose();
  }
  t.deepEqual(outputs[0], outputs[1]);
  const at = (sample: number, y: number, x: number) => outputs[0]![((sample * 4 * side + y) * side + x) * 3]!;
  t.deepEqual(
    [0, 1, 2].map((sample) => Math.round(255 * at(sample, 30, 30))),
    [100, 20, 60],
  );
  t.is(at(0, 12, 8), 1);
});
