// What evaluate writes is what compare reads: outcomes video by video, one question for two encoders.
import { mkdirSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { compareRuns } from '#src/compare/compare-runs.js';
import { evaluate, findEvaluation } from '#src/eval/evaluate.js';
import { loadEngine } from '#src/native/load.js';
import { writeEncoderFile } from '#src/weights/encoder-file.js';
import { scratch, tinyDescription, writeSquareVideo } from '../embed/make-videos.js';

const { file, remove } = scratch();
test.after.always(remove);

const runs = ['first', 'second'];

test.before(async () => {
  for (const [seed, name] of runs.entries()) {
    mkdirSync(file(name));
    const encoder = await loadEngine().createEncoder({ ...tinyDescription.model, seed, device: 'cpu' });
    await writeEncoderFile(file(`${name}/weights.safetensors`), tinyDescription, await encoder.weights());
    encoder.dispose();
    writeFileSync(file(`${name}/config.json`), JSON.stringify({ data: { augment: {} }, train: { seed } }));
  }
  const rows: string[] = [];
  for (let g = 0; g < 6; g++)
    for (const [label, slope] of Object.entries({ up: -1, down: 1 })) {
      const color = [40 * g + 20, 200, 255 - 40 * g] as const;
      await writeSquareVideo(file(`${label}-${g}.avi`), (t) => [20 + slope * t, 5 * g], { color });
      rows.push(`${label}-${g}.avi,${label},g${g}`);
    }
  writeFileSync(file('bad.avi'), 'this is no video');
  writeFileSync(file('all.csv'), ['path,label,group', ...rows, 'bad.avi,up,g0'].join('\n'));
});

test.serial('outcomes come to the scores that are written, and pairs to their difference', async (t) => {
  for (const protocol of ['knn', 'retrieval'] as const) {
    const results = [];
    for (const name of runs)
      results.push(
        await evaluate({ protocol, run: file(name), data: file('all.csv'), folds: 'group', threads: 2 }),
      );
    const [a, b] = results as [(typeof results)[0], (typeof results)[0]];
    t.is(a.question, b.question);
    t.not(a.key, b.key);
    const tested = a.tested!.label!;
    t.is(tested.ids.length, 12);
    t.false(tested.ids.includes('bad.avi'));
    t.deepEqual(tested.groups.slice(0, 2), ['g0', 'g0']);
    if ('predictions' in a.trained) {
      const hits = a.trained.predictions.filter((c, i) => c === tested.classes[i]).length;
      t.is(hits, a.trained.correct);
    }
  }
  const { evaluations, notPaired } = await compareRuns({ runs: runs.map(file) });
  t.deepEqual(notPaired, []);
  t.deepEqual(
    evaluations.map(({ measure }) => measure),
    ['accuracy', 'R@1 by label', 'R@1 by instance'],
  );
  for (const { scores, paired } of evaluations) {
    t.is(paired[0]!.pairs, 12);
    t.is(paired[0]!.by, 'group');
    t.true(Math.abs(paired[0]!.difference - (scores[1]!.value - scores[0]!.value)) < 1e-12);
  }
});

test.serial(
  'the question is the same wherever the videos lie, and another with other settings',
  async (t) => {
    const options = { protocol: 'knn', run: file('first'), data: file('all.csv'), threads: 2 } as const;
    const groups = await evaluate({ ...options, folds: 'group' });
    const label = await evaluate({ ...options, folds: 'group:3' });
    const k = await evaluate({ ...options, folds: 'group', k: 1 });
    t.is(new Set([groups.question, label.question, k.question]).size, 3);
    const floors = await evaluate({ ...options, folds: 'group', floors: true });
    t.is(floors.question, groups.question, 'what stands beside the encoder asks it nothing else');
    t.not(floors.key, groups.key);
  },
);

test.serial('a written result is found again until the weights are newer', async (t) => {
  const options = { protocol: 'knn', run: file('first'), data: file('all.csv'), folds: 'group' } as const;
  const written = await evaluate({ ...options, threads: 2 });
  const found = await findEvaluation(options);
  t.deepEqual(JSON.parse(JSON.stringify(found)), JSON.parse(JSON.stringify(written)));
  t.is(await findEvaluation({ ...options, k: 3 }), null);
  const encoder = await loadEngine().createEncoder({ ...tinyDescription.model, seed: 9, device: 'cpu' });
  await writeEncoderFile(file('first/weights.safetensors'), tinyDescription, await encoder.weights());
  encoder.dispose();
  t.is(await findEvaluation(options), null);
});
