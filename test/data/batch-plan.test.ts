import test from 'ava';
import { batchBytes, checkSamplePlan, patchOf, stackSamples } from '#src/data/batch-plan.js';
import type { ArrayRow, ArrayView, ClipPlan } from '#src/data/plan.js';
import type { SamplePlan, ViewPlan } from '#src/data/views.js';
import type { VsslError } from '#src/errors.js';

/** A clip of 2 frames of 8 x 8 that is told by its time. */
function clip(time: number, size = 8): ClipPlan {
  return {
    source: { kind: 'file', path: 'a.mp4' },
    modality: 'rgb',
    times: [time, time + 1],
    height: size,
    width: size,
    shrink: 1,
    augment: [],
    input: 'rgb',
    mean: [0, 0, 0],
    std: [1, 1, 1],
  };
}
const pictures = (time: number, size?: number): ViewPlan => ({ name: 'clip', clip: clip(time, size) });
const tokens = (...values: number[]): ArrayRow => ({ name: 'tokens', dtype: 'int64', shape: [2], values });
const code = (value: number): ArrayRow => ({ name: 'code', dtype: 'float32', shape: [], values: [value] });

/** Sample i: a clip and a code; tokens where `odd` says so. */
const sample = (i: number, odd = i % 2 === 1): SamplePlan => ({
  views: odd ? [pictures(i), tokens(i, -i)] : [pictures(i)],
  side: [code(i)],
});

test('views and side arrays are stacked by name; rows say which samples have a view', (t) => {
  const plan = stackSamples(
    [0, 1, 2, 3].map((i) => sample(i)),
    'toy',
  );
  t.deepEqual(plan, {
    version: 2,
    views: [
      { name: 'clip', clips: [0, 1, 2, 3].map((i) => clip(i)) },
      {
        name: 'tokens',
        dtype: 'int64',
        shape: [2],
        values: [
          [1, -1],
          [3, -3],
        ],
        rows: [1, 3],
      },
    ],
    side: [{ name: 'code', dtype: 'float32', shape: [], values: [[0], [1], [2], [3]] }],
  });
  t.deepEqual(JSON.parse(JSON.stringify(plan)), plan, 'plain data');
  t.is(batchBytes(plan), 4 * (2 * 8 * 8 * 3 * 4) + 2 * 2 * 8 + 4 * 4);
  const all = stackSamples(
    [1, 3].map((i) => sample(i)),
    'toy',
  );
  t.false('rows' in all.views[1]!);
});

test('a patch has the rows of its samples alone; none where a sample lacks a view or lacked it', (t) => {
  const before = stackSamples([sample(0), sample(1), sample(2), sample(3)], 'toy');
  const both = stackSamples([sample(0), sample(7), sample(2), sample(9)], 'toy');
  const patch = patchOf(before, both, [3, 1]);
  t.deepEqual(patch?.slots, [3, 1]);
  t.deepEqual(
    patch?.views.map((view) => view.clips ?? (view as ArrayView).values),
    [
      [clip(9), clip(7)],
      [
        [9, -9],
        [7, -7],
      ],
    ],
  );
  t.true(patch?.views.every(({ rows }) => rows === undefined));
  t.deepEqual(patch?.side?.[0]?.values, [[9], [7]]);
  const gained = stackSamples([sample(5), sample(1), sample(2), sample(3)], 'toy');
  t.is(patchOf(before, gained, [0]), null, 'the batch has no row for it');
  const lost = stackSamples([sample(0), sample(4), sample(2), sample(3)], 'toy');
  t.is(patchOf(before, lost, [1]), null, 'a row would be left over');
  const none = stackSamples([sample(8), sample(1), sample(2), sample(3)], 'toy');
  t.is(patchOf(before, none, [0]), null, 'a patch has all views of the batch');
});

test('samples that do not go together are refused in the name of the method and the view', (t) => {
  const refused = (name: string, why: RegExp, ...samples: SamplePlan[]) => {
    const plan = () => {
      for (const sample of samples) checkSamplePlan(sample, 'toy');
      return stackSamples(samples, 'toy');
    };
    const error = t.throws<VsslError>(plan, { code: 'ERR_VSSL_METHOD' });
    t.regex(error!.message, why);
    t.regex(error!.message, /the method 'toy'/);
    t.deepEqual(error!.details, { method: 'toy', name });
  };
  const view = (array: Partial<ArrayRow>, name = 'tokens') => ({
    views: [pictures(0), { ...tokens(1, 2), name, ...array } as ArrayRow],
  });
  const side = (...side: ArrayRow[]) => ({ views: [pictures(0)], side });
  refused('clip', /a clip of 2 x 8 x 8 in one sample and a clip of 2 x 9 x 9/, sample(0), {
    views: [pictures(0, 9)],
  });
  refused(
    'tokens',
    /int64 of \[2\] in one sample and float32 of \[2\]/,
    view({}),
    view({ dtype: 'float32' }),
  );
  refused('tokens', /int64 of \[2\] in one sample and int64 of \[2, 1\]/, view({}), view({ shape: [2, 1] }));
  refused('clip', /a clip of .* in one sample and int64/, sample(0), {
    views: [{ ...tokens(1, 2), name: 'clip' }],
  });
  refused('clip', /stands twice/, { views: [pictures(0), pictures(1)] });
  refused('tokens', /3 values; its shape \[2\] takes 2/, view({ values: [1, 2, 3] }));
  refused('tokens', /the value 0\.5, which is none of int64/, view({ values: [1, 0.5] }));
  refused(
    'tokens',
    /the value 1e\+39, which is none of float32/,
    view({ dtype: 'float32', values: [1, 1e39] }),
  );
  refused('tokens', /the dtype 'float64'; expected float32 or int64/, view({ dtype: 'float64' as never }));
  refused('tokens', /no list of numbers/, view({ values: Float32Array.of(1, 2) as never }));
  refused('tokens', /the shape \[0\]/, view({ shape: [0], values: [] }));
  refused('code', /a side array of 1 of 2 samples/, side(code(1)), side());
  refused('clip', /the name of a view and of a side array/, side({ ...code(1), name: 'clip' }));
  refused(
    'code',
    /float32 of \[\] in one sample and float32 of \[1\]/,
    side(code(1)),
    side({ ...code(1), shape: [1] }),
  );
  refused('views', /no list with at least one view/, { views: [] });
  refused('views', /no list/, undefined as never);
  refused('side', /no list of arrays/, { views: [pictures(0)], side: {} as never });
  refused(
    'clip',
    /lacking in some samples, and so is every other view/,
    { views: [pictures(0)] },
    { views: [tokens(1, 2)] },
  );
});
