import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { evaluate } from '#src/eval/evaluate.js';
import { scratch, writeSquareVideo, writeTinyWeights } from '../embed/make-videos.js';

const { file, remove } = scratch();
test.after.always(remove);

const places = {
  top: (t: number) => [0, 4 + t] as const,
  bottom: (t: number) => [34, 40 - t] as const,
  left: (t: number) => [10 + t, 8] as const,
};

/** Three classes that differ in where a square moves, in groups that differ in colour. */
test.before(async () => {
  mkdirSync(file('run'));
  await writeTinyWeights(file('run/weights.safetensors'));
  const augment = { crop: { area: [0.5, 1] } };
  writeFileSync(file('run/config.json'), JSON.stringify({ data: { augment } }));
  const rows: string[] = [];
  for (const [g, color] of (
    [
      [230, 60, 60],
      [60, 230, 60],
      [60, 60, 230],
      [200, 200, 60],
    ] as const
  ).entries())
    for (const [label, place] of Object.entries(places)) {
      const name = `${label}-${g}.avi`;
      await writeSquareVideo(file(name), (t) => place(t + g), { color });
      rows.push(`${name},${label},g${g}`);
    }
  writeFileSync(file('bad.avi'), 'this is no video');
  writeFileSync(file('all.csv'), ['path,label,group', ...rows, 'bad.avi,top,g0'].join('\n'));
  writeFileSync(file('plain.csv'), ['path', ...rows.map((row) => row.split(',')[0])].join('\n'));
});

test('knn by folds: trained, random and floors on the same videos', async (t) => {
  const stages = new Set<string>();
  const result = await evaluate({
    protocol: 'knn',
    run: file('run'),
    data: file('all.csv'),
    folds: 'group',
    k: 3,
    baseline: 'random',
    floors: true,
    onProgress: ({ stage }) => stages.add(stage),
  });
  t.deepEqual([...stages], ['baseline', 'features']);
  t.is(result.data.videos, 13);
  t.is(result.data.used, 12);
  t.deepEqual(
    result.failures.map(({ path }) => path),
    [file('bad.avi')],
  );
  for (const score of [result.trained, result.random!, ...Object.values(result.floors!)]) {
    t.is(score.count, 12);
    t.is(score.folds.length, 4);
    t.is(
      score.confusion.flat().reduce((a, b) => a + b),
      12,
    );
  }
  t.is(result.floors!['motion energy'].accuracy, 1, 'where it moves is all there is to know');
  t.is(result.encoder.step, 7);
  const { file: written, ...rest } = result;
  t.is(written, file(`run/eval-knn-${result.key}.json`));
  t.regex(result.key, /^[0-9a-f]{10}$/);
  t.deepEqual(JSON.parse(readFileSync(written!, 'utf8')), JSON.parse(JSON.stringify(rest)));
});

test('the same evaluation gives the same result', async (t) => {
  const options = {
    protocol: 'knn',
    weights: file('run/weights.safetensors'),
    train: `${file('all.csv')}?group=g0,g1`,
    test: `${file('all.csv')}?group=g2,g3`,
    baseline: 'random',
  } as const;
  const [a, b] = [await evaluate(options), await evaluate(options)];
  t.deepEqual(a.trained, b.trained);
  t.deepEqual(a.random, b.random);
  t.is(a.trained.count, 6);
  t.is(a.file, undefined);
});

test('linear probe', async (t) => {
  const options = {
    protocol: 'linear',
    weights: file('run'),
    data: file('all.csv'),
    folds: 'group:2',
  } as const;
  const { trained, floors } = await evaluate({ ...options, floors: true });
  t.is(trained.folds.length, 2);
  for (const fold of trained.folds) t.true(fold.weightDecay! > 0);
  t.is(floors!['motion energy'].accuracy, 1);
  const fixed = await evaluate({ ...options, weightDecay: 0.01 });
  t.true(fixed.trained.folds.every(({ weightDecay }) => weightDecay === 0.01));
});

test('motion clips without files: merged classes and the factor table', async (t) => {
  const spec = (split: string) => `synthetic:motion?split=${split}&count=96&pixels=32&appearances=4`;
  const options = { weights: file('run'), train: spec('train'), test: spec('test'), windows: 1 } as const;
  const result = await evaluate({
    ...options,
    protocol: 'linear',
    weightDecay: 0.1,
    baseline: 'random',
    floors: true,
    factors: true,
  });
  const { trained, random, floors, factors } = result;
  t.is(trained.merged!.classes, 11);
  t.true(Math.abs(trained.merged!.chance - 26 / 256) < 1e-9);
  for (const score of [trained, random!, floors!['motion energy']])
    t.true(score.merged!.accuracy >= score.accuracy);
  t.deepEqual(
    factors!.map(({ name, kind, count }) => [name, kind, count]),
    [
      ['label', 'category', 96],
      ['sprite', 'category', 96],
      ['color', 'number', 96],
      ['background', 'number', 96],
      ['speed', 'number', 96],
      ['size', 'number', 84],
    ],
  );
  const background = factors!.find(({ name }) => name === 'background')!;
  t.true(background.floors!.appearance > 0.9, 'the mean picture tells the colour of the ground');
  t.true(background.floors!['motion energy'] < 0.5);
  const knn = await evaluate({ ...options, protocol: 'knn' });
  t.is(knn.factors, undefined);
  t.is(knn.trained.merged!.classes, 11);
  const some = await evaluate({ ...options, protocol: 'linear', weightDecay: 0.1, factors: ['speed'] });
  t.is(some.factors!.length, 1);
  await t.throwsAsync(evaluate({ ...options, protocol: 'linear', factors: ['sped'] }), {
    code: 'ERR_VSSL_USAGE',
    message: /sped.*speed/,
  });
  await t.throwsAsync(evaluate({ ...options, protocol: 'linear', factors: [] }), {
    code: 'ERR_VSSL_INVALID_ARGUMENT',
  });
  const table = await cli(
    'eval',
    'linear',
    '--weights',
    file('run'),
    '--train',
    spec('train'),
    '--test',
    spec('test'),
    '--factors',
    'speed,size',
  );
  t.is(table.code, 0, table.stderr);
  t.regex(table.stdout, /merged to 11/);
  t.regex(table.stdout, /speed +R\^2/);
});

test('retrieval: by label, and each video by another window of itself', async (t) => {
  const result = await evaluate({
    protocol: 'retrieval',
    run: file('run'),
    data: file('all.csv'),
    folds: 'group',
    baseline: 'random',
    floors: true,
  });
  const { label, instance } = result.trained;
  t.is(label!.queries, 12);
  t.is(label!.gallery, 9);
  t.deepEqual(Object.keys(label!.recall), ['1', '5']);
  t.is(instance.queries, 12);
  t.is(instance.gallery, 12);
  t.deepEqual(Object.keys(instance.recall), ['1', '5', '10']);
  t.true(Math.abs(instance.chance[5]! - 5 / 12) < 1e-12);
  t.is(result.floors!['motion energy'].label!.recall[1], 1);
  t.true(existsSync(file(`run/eval-retrieval-${result.key}.json`)));
  const plain = await evaluate({ protocol: 'retrieval', weights: file('run'), data: file('plain.csv') });
  t.is(plain.trained.label, undefined, 'no labels: instances alone');
  t.deepEqual(plain.trained.instance.recall[1] !== undefined, true);
});

test('wrong options and data say what is wrong', async (t) => {
  const weights = file('run');
  const data = file('all.csv');
  const ask = (options: object) => evaluate(options as Parameters<typeof evaluate>[0]);
  const usage = { code: 'ERR_VSSL_USAGE' };
  const invalid = { code: 'ERR_VSSL_INVALID_ARGUMENT' };
  await t.throwsAsync(ask({ protocol: 'knn', data, folds: 'group' }), usage);
  await t.throwsAsync(ask({ protocol: 'knn', weights, run: weights, data }), usage);
  await t.throwsAsync(ask({ protocol: 'knn', weights, data }), { ...usage, message: /folds/ });
  await t.throwsAsync(ask({ protocol: 'knn', weights, data: file('plain.csv'), folds: 'path' }), usage);
  await t.throwsAsync(ask({ protocol: 'forest', weights, data }), invalid);
  await t.throwsAsync(ask({ protocol: 'knn', weights, data, seed: 1 }), invalid);
  await t.throwsAsync(ask({ protocol: 'knn', weights, data, folds: 'group', windows: 0 }), invalid);
  await t.throwsAsync(ask({ protocol: 'knn', weights, data, folds: 'group', baseline: 'best' }), invalid);
  await t.throwsAsync(ask({ protocol: 'knn', weights: file('none'), data, folds: 'group' }), {
    code: 'ERR_VSSL_FILE',
  });
  writeFileSync(file('bad.csv'), 'path,label,group\nbad.avi,a,g0\nbad.avi?,b,g1\n');
  await t.throwsAsync(ask({ protocol: 'knn', weights, data: file('bad.csv'), folds: 'group' }), {
    code: 'ERR_VSSL_NO_USABLE_VIDEO',
  });
  const reason = new Error('stop');
  await t.throwsAsync(
    evaluate({ protocol: 'knn', weights, data, folds: 'group', signal: AbortSignal.abort(reason) }),
    { is: reason },
  );
});

const run = promisify(execFile);
const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
const cli = (...args: string[]) =>
  run(process.execPath, [main, ...args]).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) =>
      ({ code, stdout, stderr }) as { code: number; stdout: string; stderr: string },
  );

test('command line: eval prints a table, or one JSON object', async (t) => {
  const data = [
    '--weights',
    file('run'),
    '--data',
    file('all.csv'),
    '--folds',
    'group',
    '--floors',
    '--baseline',
    'random',
  ];
  const table = await cli('eval', 'knn', ...data);
  t.is(table.code, 0, table.stderr);
  for (const text of ['trained', 'random', 'motion energy', 'accuracy', 'chance'])
    t.true(table.stdout.includes(text), text);
  t.true(table.stderr.includes('bad.avi'));
  const json = await cli('eval', 'retrieval', ...data, '--json');
  t.is(json.code, 0, json.stderr);
  t.is(json.stdout.trimEnd().split('\n').length, 1);
  t.is((JSON.parse(json.stdout) as { protocol: string }).protocol, 'retrieval');
});

test('command line: exit codes of eval, embed and check', async (t) => {
  t.is((await cli('eval', 'knn', '--data', file('all.csv'))).code, 2);
  t.is(
    (await cli('eval', 'knn', '--weights', file('run'), '--data', file('all.csv'), '--crops', '2')).code,
    2,
  );
  t.is(
    (await cli('eval', 'knn', '--weights', file('run'), '--train', file('none'), '--test', file('none')))
      .code,
    4,
  );
  const embed = await cli(
    'embed',
    '--weights',
    file('run'),
    '--data',
    file('all.csv'),
    '--out',
    file('v.jsonl'),
    '--json',
  );
  t.is(embed.code, 0, embed.stderr);
  t.is((JSON.parse(embed.stdout) as { count: number }).count, 12);
  const check = await cli('check', '--data', file('all.csv'), '--json');
  t.is(check.code, 1);
  const { files } = JSON.parse(check.stdout) as {
    files: { path: string; status: string; reason?: string }[];
  };
  t.deepEqual(
    files.filter(({ status }) => status === 'unusable').map(({ path }) => path),
    [file('bad.avi')],
  );
  t.is((await cli('check', '--data', file('bad.avi'))).code, 4);
});

test('command line: Ctrl-C ends embed with 130, and leaves what the same command goes on from', async (t) => {
  const out = file('stopped.jsonl');
  const args = [
    'embed',
    '--weights',
    file('run'),
    '--data',
    file('all.csv'),
    '--out',
    out,
    '--clips',
    '5000',
  ];
  const child = spawn(process.execPath, [main, ...args], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const isOurs = (name: string) => name.startsWith('stopped.jsonl');
  while (child.exitCode === null && !readdirSync(file('.')).some(isOurs)) await delay(20);
  child.kill('SIGINT');
  t.deepEqual(await ended, [130, null]);
  t.deepEqual(readdirSync(file('.')).filter(isOurs), ['stopped.jsonl.partial']);
});

test('command line: doctor tells what it found, as text and as JSON', async (t) => {
  const text = await cli('doctor', '--no-self-test');
  t.true(text.stdout.includes('libtorch'), text.stderr);
  const { code, stdout } = await cli('doctor', '--json');
  const report = JSON.parse(stdout) as { ok: boolean; checks: { name: string; status: string }[] };
  t.is(code, report.ok ? 0 : 3);
  t.is(report.checks.find(({ name }) => name === 'engine self-test')?.status, 'ok');
});

test('no evaluation takes the place of another; the same one replaces its own', async (t) => {
  const base = {
    protocol: 'knn',
    run: file('run'),
    data: file('all.csv'),
    folds: 'group',
    windows: 1,
  } as const;
  writeFileSync(file('fewer.csv'), readFileSync(file('all.csv'), 'utf8').replace(/^.*,g3\n/gm, ''));
  const results = [];
  for (const options of [
    base,
    { ...base, data: file('fewer.csv') },
    { ...base, data: `${file('all.csv')}?group=g0,g1,g2` },
    { ...base, k: 2 },
    { ...base, windows: 2 },
    { ...base, folds: 'group:2' },
    { ...base, floors: true },
    { ...base, protocol: 'linear' },
  ] as const)
    results.push(await evaluate(options));
  const files = results.map((result) => result.file!);
  t.is(new Set(files).size, files.length - 1, 'the same rows by two names are one evaluation');
  t.is(files[1], files[2]);
  const again = await evaluate(base);
  t.is(again.file, files[0]);
  for (const result of [...results.slice(2), again])
    t.is(JSON.parse(readFileSync(result.file!, 'utf8')).key, result.key);
  // the set changed under its name: another evaluation
  writeFileSync(file('fewer.csv'), readFileSync(file('fewer.csv'), 'utf8').replace(/^.*,g2\n/gm, ''));
  t.not((await evaluate({ ...base, data: file('fewer.csv') })).file, files[1]);
});

test('out names the file, and what else it holds is never lost', async (t) => {
  const out = file('named.json');
  const flags = ['--weights', file('run'), '--data', file('all.csv'), '--folds', 'group', '--windows', '1'];
  const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
  const knn = (...more: string[]) =>
    promisify(execFile)(process.execPath, [main, 'eval', 'knn', ...flags, '--out', out, ...more]);
  const { stderr } = await knn();
  t.true(stderr.includes(`written to ${out}`), stderr);
  const first = JSON.parse(readFileSync(out, 'utf8'));
  t.is(first.protocol, 'knn');
  await knn('--json');
  const other = await t.throwsAsync(knn('--k', '2'), { code: 2 as never });
  t.regex(
    (other as unknown as { stderr: string }).stderr,
    /named\.json holds the result of another evaluation/,
  );
  t.is(JSON.parse(readFileSync(out, 'utf8')).key, first.key);
  writeFileSync(out, 'notes of mine');
  await t.throwsAsync(knn(), { message: /holds something else/ });
  t.is(readFileSync(out, 'utf8'), 'notes of mine');
});
