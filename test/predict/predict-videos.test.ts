import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { loadManifest } from '#src/data/manifest.js';
import { predictVideos } from '#src/predict/predict-videos.js';
import { scratch, writeSquareVideo, writeTinyWeights } from '../embed/make-videos.js';

const { folder, file, remove } = scratch();
test.after.always(remove);
const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));

const colors = [
  [230, 60, 60],
  [60, 230, 60],
  [60, 60, 230],
  [200, 200, 60],
  [60, 200, 200],
  [200, 60, 200],
] as const;
const places = {
  top: (t: number) => [2, 4 + t] as const,
  bottom: (t: number) => [34, 40 - t] as const,
};

/** Twelve clips of two classes in a folder of videos, a broken one beside them; six of them are labelled. */
test.before(async () => {
  mkdirSync(file('run'));
  await writeTinyWeights(file('run/weights.safetensors'));
  mkdirSync(file('videos'));
  const rows: string[] = [];
  for (const [g, color] of colors.entries())
    for (const [label, place] of Object.entries(places)) {
      await writeSquareVideo(file(`videos/${label}-${g}.avi`), place, { color });
      rows.push(`videos/${label}-${g}.avi,${label},g${g}`);
    }
  writeFileSync(file('videos/bad.avi'), 'this is no video');
  writeFileSync(file('labelled.csv'), ['path,label,group', ...rows.slice(0, 6)].join('\n'));
  writeFileSync(file('all.csv'), ['path,label,group', ...rows].join('\n'));
});

const common = () => ({ weights: file('run'), train: file('labelled.csv'), data: file('videos') });

test.serial(
  'a folder gets labels from a list that names some of it; the file is a list itself',
  async (t) => {
    const out = file('predictions.csv');
    const progress: number[] = [];
    const result = await predictVideos({
      ...{ ...common(), out, model: file('kept.safetensors'), suggest: 2 },
      onProgress: (done, total) => progress.push(done / total),
    });
    t.deepEqual(result.classes, ['bottom', 'top']);
    t.is(result.labelled, 6);
    t.true(result.heldOut.byGroup);
    t.is(result.heldOut.clips, 6);
    t.is(result.predictions.length, 13);
    t.deepEqual(
      result.failures.map(({ path, code }) => [path, code]),
      [[file('videos/bad.avi'), 'ERR_VSSL_VIDEO_OPEN']],
    );
    t.is(Math.max(...progress), 1);
    for (const { by, label, guess, confidence, probabilities, reason, path } of result.predictions) {
      if (reason !== undefined) {
        t.is(path, file('videos/bad.avi'));
        t.deepEqual([label, by, guess, confidence], [null, null, null, null]);
      } else if (by === 'hand') t.is(confidence, 1);
      else {
        t.is(label, guess);
        t.is(probabilities![label!], confidence!);
        const sum = Object.values(probabilities!).reduce((a, b) => a + b);
        t.true(Math.abs(sum - 1) < 1e-12);
      }
    }
    t.is(result.predictions.filter(({ by }) => by === 'hand').length, 6);
    t.deepEqual(
      result.suggestions.map(({ path }) => path),
      [1, 2].map((place) => result.predictions.find(({ suggest }) => suggest === place)!.path),
    );
    const lines = readFileSync(out, 'utf8').trimEnd().split('\n');
    t.is(lines[0], 'path,label,confidence,guess,by,suggest,reason');
    t.is(lines.length, 14);
    t.true(lines.includes('videos/top-0.avi,top,1.0000,top,hand,,'));
    const again = await loadManifest(out);
    t.is(again.rows.filter(({ label }) => label !== undefined).length, 12);
    t.is(again.rows.find(({ id }) => id === 'videos/top-5.avi')!.path, file('videos/top-5.avi'));
  },
);

test.serial(
  'what was kept labels as what was fitted did, where the encoder is named and where it is not',
  async (t) => {
    const { predictions } = await predictVideos({ ...common(), train: file('labelled.csv') });
    const model = file('kept.safetensors');
    for (const weights of [undefined, file('run')]) {
      const { data } = common();
      const kept = await predictVideos({
        model,
        data,
        out: file('kept.jsonl'),
        ...(weights ? { weights } : {}),
      });
      t.is(kept.labelled, null);
      for (const [row, { by, probabilities }] of predictions.entries())
        if (by === 'model')
          for (const [label, chance] of Object.entries(probabilities!))
            t.true(Math.abs(chance - kept.predictions[row]!.probabilities![label]!) < 1e-4);
    }
    const lines = readFileSync(file('kept.jsonl'), 'utf8').trimEnd().split('\n');
    t.is(lines.length, 13);
    t.deepEqual(Object.keys(JSON.parse(lines[0]!).probabilities ?? { bottom: 0, top: 0 }), ['bottom', 'top']);
    t.is((await loadManifest(file('kept.jsonl'))).rows.length, 13);
  },
);

test.serial('shares of the data say what the whole says', async (t) => {
  const options = { model: file('kept.safetensors'), data: file('videos') };
  const whole = await predictVideos(options);
  const parts = [
    await predictVideos({ ...options, shard: '0/2' }),
    await predictVideos({ ...options, shard: '1/2' }),
  ];
  t.deepEqual(
    parts.flatMap(({ predictions }) => predictions.map(({ id, label }) => [id, label])),
    whole.predictions.map(({ id, label }) => [id, label]),
  );
});

test.serial('labels that are not sure enough stay empty; the data’s own labels are compared', async (t) => {
  const out = file('sure.csv');
  const result = await predictVideos({
    ...common(),
    data: file('all.csv'),
    out,
    minConfidence: 1,
    classifier: 'knn',
    k: 3,
  });
  t.is(result.known!.clips, 6);
  for (const { by, label, guess } of result.predictions)
    if (by !== 'hand') t.deepEqual([by, label, guess === null], [null, null, false]);
  t.regex(readFileSync(out, 'utf8'), /^path,group,label,confidence,guess/);
  t.is((await loadManifest(out)).rows.filter(({ label }) => label !== undefined).length, 6);
});

test.serial('labels that no classifier can come of are refused before anything is embedded', async (t) => {
  const list = (name: string, ...rows: string[]) => {
    writeFileSync(file(name), ['path,label', ...rows].join('\n'));
    return file(name);
  };
  const refused = (train: string, message: RegExp) =>
    t.throwsAsync(predictVideos({ ...common(), train }), { code: 'ERR_VSSL_DATA', message });
  await refused(list('none.csv', 'videos/top-0.avi,', 'videos/top-1.avi,'), /no labels/);
  await refused(
    list('one.csv', 'videos/top-0.avi,top', 'videos/top-1.avi,top'),
    /all 2 labelled clips .* are 'top'/,
  );
  const two = ['videos/top-0.avi,top', 'videos/top-1.avi,top'];
  await refused(list('single.csv', ...two, 'videos/bottom-0.avi,bottom'), /'bottom'.*one labelled clip/);
  // paths as seen from the folder of videos, in a list that lies beside it
  const there = ['top-0.avi,top', 'top-1.avi,top', 'bottom-0.avi,bottom', 'bottom-1.avi,bottom'];
  const error = await refused(list('elsewhere.csv', ...there), /none of the 4 labelled clips/);
  t.true(error!.message.includes(`has that name at ${file('videos/top-0.avi')}`));
  mkdirSync(file('empty'));
  await t.throwsAsync(predictVideos({ ...common(), data: file('empty') }), {
    code: 'ERR_VSSL_DATA',
    message: /no video in/,
  });
  mkdirSync(file('broken'));
  writeFileSync(file('broken/bad.avi'), 'this is no video');
  await t.throwsAsync(predictVideos({ ...common(), data: file('broken') }), {
    code: 'ERR_VSSL_NO_USABLE_VIDEO',
  });
});

test.serial('a labelled clip that cannot be used takes nothing else with it', async (t) => {
  const rows = readFileSync(file('labelled.csv'), 'utf8');
  writeFileSync(
    file('with-bad.csv'),
    `${rows}\nvideos/bad.avi,top,g7\nvideos/gone.avi,odd,g7\nvideos/gone2.avi,odd,g7`,
  );
  const result = await predictVideos({ ...common(), train: file('with-bad.csv') });
  t.deepEqual(result.classes, ['bottom', 'top']);
  t.deepEqual(
    result.failures.map(({ path }) => path),
    ['videos/bad.avi', 'videos/gone.avi', 'videos/gone2.avi'].map(file),
  );
  t.true(result.warnings.some((warning) => warning.includes("class 'odd'")));
});

test.serial('options that do not go together, and files that would be lost', async (t) => {
  const refused = (options: object, message: RegExp) =>
    t.throwsAsync(predictVideos(options as never), { code: 'ERR_VSSL_USAGE', message }, `${message}`);
  const { weights, train, data } = common();
  await refused({ weights, data }, /labelled clips/);
  await refused({ train, data }, /encoder/);
  await refused({ weights, train }, /expected data/);
  await refused({ weights, train, model: file('m.safetensors'), out: file('o.csv') }, /expected data/);
  await refused({ model: file('kept.safetensors'), data, suggest: 3 }, /suggest/);
  await refused({ weights, train, data, suggest: 3, shard: '0/2' }, /shard/);
  await refused({ weights, train, data, out: train }, /name another out/);
  await refused({ weights, train: `${train}?label=top,bottom`, data, out: train }, /name another out/);
  await refused({ weights, train, data, model: file('run/weights.safetensors') }, /something else/);
  await t.throwsAsync(predictVideos({ weights, train, data, out: file('o.parquet') }), {
    code: 'ERR_VSSL_INVALID_ARGUMENT',
  });
  for (const minConfidence of [-0.1, 1.1, Number.NaN])
    await t.throwsAsync(predictVideos({ weights, train, data, minConfidence }), { message: /minConfidence/ });
});

test.serial('a classifier of another encoder is refused', async (t) => {
  mkdirSync(file('other'));
  await writeTinyWeights(file('other/weights.safetensors'), { step: 8 });
  await t.throwsAsync(
    predictVideos({ model: file('kept.safetensors'), weights: file('other'), data: file('videos') }),
    { code: 'ERR_VSSL_CLASSIFIER', message: /another encoder/ },
  );
  copyFileSync(file('kept.safetensors'), file('other/moved.safetensors'));
  await t.throwsAsync(predictVideos({ model: file('other/moved.safetensors'), data: file('videos') }), {
    code: 'ERR_VSSL_FILE',
    message: /say where it is now/,
  });
});

test.serial('an aborted call ends with the reason and leaves no file', async (t) => {
  const stop = new AbortController();
  const reason = new Error('enough');
  const out = file('aborted.csv');
  const work = predictVideos({ ...common(), out, signal: stop.signal, onProgress: () => stop.abort(reason) });
  t.is(await t.throwsAsync(work), reason);
  t.false(existsSync(out));
});

function cli(...args: string[]) {
  const env = { ...process.env, NO_COLOR: '1' };
  return spawnSync(process.execPath, [main, 'predict', ...args], { encoding: 'utf8', env, cwd: folder });
}

test.serial('on the command line', (t) => {
  const told = cli(
    '--run',
    'run',
    '--train',
    'labelled.csv',
    '--data',
    'videos',
    '--out',
    'cli.csv',
    '--suggest',
    '1',
  );
  t.is(told.status, 0, told.stderr);
  t.regex(told.stdout, /2 classes from 6 labelled clips; held out by groups/);
  t.regex(told.stdout, /label these next/);
  t.regex(told.stdout, /13 videos in cli\.csv, 1 could not be used/);
  t.regex(told.stderr, /left out: .*bad\.avi/);
  const json = cli('--model', 'kept.safetensors', '--data', 'all.csv', '--out', 'cli.jsonl', '--json');
  t.is(json.status, 0, json.stderr);
  const { count, known, predictions } = JSON.parse(json.stdout);
  t.deepEqual([count, known.clips, predictions], [12, 12, undefined]);
  t.is(cli('--run', 'run', '--data', 'videos', '--out', 'cli.csv').status, 2);
  t.is(cli('--train', 'labelled.csv', '--data', 'videos', '--out', 'cli.csv').status, 2);
  t.is(cli('--run', 'run', '--train', 'one.csv', '--data', 'videos', '--out', 'cli.csv').status, 4);
  t.is(cli('--run', 'run', '--train', 'labelled.csv', '--data', 'videos', '--min-confidence', '2').status, 2);
});
