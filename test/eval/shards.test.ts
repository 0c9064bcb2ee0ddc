/** What an evaluation embeds, done by jobs of their own: merged, it comes to the result of one job, byte for byte. */
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { mergeEmbeddings } from '#src/embed/merge-embeddings.js';
import { embedForEvaluation } from '#src/eval/embed-for-evaluation.js';
import { evaluate } from '#src/eval/evaluate.js';
import type { EvaluateOptions } from '#src/eval/evaluation-options.js';
import { readSafetensors, writeSafetensors } from '#src/weights/safetensors.js';
import { scratch, writeSquareVideo, writeTinyWeights } from '../embed/make-videos.js';

const { file, remove } = scratch();
test.after.always(remove);

/** Two classes in four groups; one file is no video, and one video has no label. */
test.before(async () => {
  mkdirSync(file('run'));
  await writeTinyWeights(file('run/weights.safetensors'));
  writeFileSync(file('run/config.json'), JSON.stringify({ data: { augment: { crop: { area: [0.5, 1] } } } }));
  const rows: string[] = [];
  for (let g = 0; g < 4; g++)
    for (const [label, slope] of Object.entries({ up: -1, down: 1 })) {
      const name = `${label}-${g}.avi`;
      const color = [60 * g + 40, 200, 255 - 60 * g] as const;
      await writeSquareVideo(file(name), (t) => [20 + slope * t, 5 * g], { color });
      rows.push(`${name},${label},g${g}`);
    }
  writeFileSync(file('bad.avi'), 'this is no video');
  copyFileSync(file('up-0.avi'), file('other.avi'));
  rows.splice(3, 0, 'bad.avi,up,g1', 'other.avi,,g1');
  writeFileSync(file('all.csv'), ['path,label,group', ...rows].join('\n'));
});

const base = () => ({ run: file('run'), data: file('all.csv'), folds: 'group', threads: 1 }) as const;

/** Embedded by `count` jobs and merged. */
async function inShards(name: string, options: EvaluateOptions, count: number): Promise<string> {
  const parts = Array.from({ length: count }, (_, i) => file(`${name}-${i}.safetensors`));
  for (const [i, out] of parts.entries())
    await embedForEvaluation({ ...options, shard: `${i}/${count}`, out });
  const features = file(`${name}.safetensors`);
  await mergeEmbeddings(parts.reverse(), features);
  return features;
}

/** The text of a result file, but for the time that it took. */
function resultIn(path: string): string {
  return readFileSync(path, 'utf8').replace(/"seconds": [\d.e-]+/, '');
}

const protocols: Record<string, EvaluateOptions> = {
  knn: { ...base(), protocol: 'knn', k: 3, baseline: 'random', floors: true },
  linear: { ...base(), protocol: 'linear', weightDecay: 0.01, windows: 1 },
  retrieval: { ...base(), protocol: 'retrieval', floors: true, seed: 4 },
  'two sets': {
    ...{ protocol: 'retrieval', weights: file('run'), threads: 1 },
    ...{ train: `${file('all.csv')}?group=g0,g1`, test: `${file('all.csv')}?group=g2,g3` },
  },
};

for (const [name, options] of Object.entries(protocols))
  test.serial(`${name}: the result of shards is that of one job`, async (t) => {
    const whole = file(`${name}-whole.json`);
    const one = await evaluate({ ...options, out: whole });
    // with more shards than videos some are empty, and of some no video can be used
    for (const count of [1, 3, 12]) {
      const features = await inShards(`${name}-of-${count}`, options, count);
      const out = file(`${name}-of-${count}.json`);
      const stages: string[] = [];
      const merged = await evaluate({
        ...options,
        features,
        out,
        onProgress: ({ stage }) => stages.push(stage),
      });
      t.deepEqual(stages, [], 'nothing is embedded');
      t.is(merged.key, one.key);
      t.is(resultIn(out), resultIn(whole), `${count} shards`);
    }
    t.true(one.failures.some(({ path }) => path === file('bad.avi')));
  });

test.serial('features serve every evaluation that hangs on the same ones', async (t) => {
  const options = { ...base(), protocol: 'knn' } as const;
  const features = await inShards('reused', options, 2);
  for (const other of [
    { ...options, k: 1 },
    { ...options, protocol: 'linear', weightDecay: 0.1 },
    { ...options, folds: 'group:2' },
  ] as const) {
    const { trained } = await evaluate({ ...other, features });
    t.deepEqual(trained, (await evaluate(other)).trained);
  }
});

test.serial('features of another evaluation are refused, with what differs', async (t) => {
  const options = { ...base(), protocol: 'knn' } as const;
  const features = await inShards('strict', options, 2);
  const refused = async (other: object, message: RegExp, path = features) =>
    await t.throwsAsync(evaluate({ ...options, features: path, ...other } as EvaluateOptions), {
      code: 'ERR_VSSL_USAGE',
      message,
    });
  await refused({ windows: 1 }, /windows is 3 there and 1 here/);
  await refused({ precision: 'bf16' }, /precision is fp32 there and bf16 here/);
  await refused({ baseline: 'random' }, /baseline is none there and random with seed 0 here/);
  await refused({ floors: true }, /floors is false there and true here/);
  await refused({ data: `${file('all.csv')}?group=g0,g1` }, /features of other videos/);
  await refused({ protocol: 'retrieval' }, /no features of instances/);
  await writeTinyWeights(file('other.safetensors'), { step: 8 });
  await refused({ run: undefined, weights: file('other.safetensors') }, /features of other weights/);
  await refused({}, /is shard 0\/2 alone: 'vssl-native merge' makes one file/, file('strict-0.safetensors'));
  await refused({}, /was not written by 'eval --shard'/, file('run/weights.safetensors'));
  const { tensors, metadata } = await readSafetensors(features);
  const changed = async (change: Record<string, string>) => {
    await writeSafetensors(file('changed.safetensors'), tensors, { ...metadata, ...change });
    return file('changed.safetensors');
  };
  await refused(
    {},
    /has 8 features where this evaluation has 9/,
    await changed({ 'features failures': '[]' }),
  );
  await refused({}, /lacks features of 'trained' for 1 videos/, await changed({ 'features kept': '[0]' }));
  await refused(
    {},
    /its list of features damaged cannot be read/,
    await changed({ 'features damaged': '[' }),
  );
  await refused({}, /is of version 2/, await changed({ format_version: '2' }));
  const parts = [0, 1].map((i) => file(`strict-${i}.safetensors`));
  await embedForEvaluation({ ...options, windows: 1, shard: '1/2', out: parts[1]! });
  await t.throwsAsync(mergeEmbeddings(parts, file('no.safetensors')), {
    code: 'ERR_VSSL_USAGE',
    message: /windows is 1 in one and 3 in the other/,
  });
});

test.serial('wrong options of a share are refused before anything is embedded', async (t) => {
  const options = { ...base(), protocol: 'knn', out: file('share.safetensors') } as const;
  const refused = async (change: object, code: string, message: RegExp) =>
    await t.throwsAsync(embedForEvaluation({ ...options, ...change } as never), { code, message });
  await refused({ shard: '2/2' }, 'ERR_VSSL_INVALID_ARGUMENT', /shard/);
  await refused({ out: file('share.json') }, 'ERR_VSSL_INVALID_ARGUMENT', /ends in \.safetensors/);
  await refused({ features: file('share.safetensors') }, 'ERR_VSSL_USAGE', /embedded already/);
  await refused({ folds: undefined }, 'ERR_VSSL_USAGE', /add folds/);
});

test.serial('command line: eval --shard, merge, eval --features', async (t) => {
  const run = promisify(execFile);
  const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
  const cli = (...args: string[]) => run(process.execPath, [main, ...args]);
  const own = ['--run', file('run'), '--data', file('all.csv'), '--folds', 'group', '--threads', '1'];
  const part = (i: number) => file(`cli-${i}.safetensors`);
  for (const i of [0, 1]) {
    const { stdout, stderr } = await cli('eval', 'knn', ...own, '--shard', `${i}/2`, '--out', part(i));
    t.regex(stdout, /^[35] vectors in .*cli-\d\.safetensors/);
    t.is(stderr.includes('bad.avi'), i === 0);
  }
  await cli('merge', part(0), part(1), '--out', file('cli.safetensors'));
  const whole = await cli('eval', 'knn', ...own);
  const { stdout, stderr } = await cli('eval', 'knn', ...own, '--features', file('cli.safetensors'));
  t.is(stdout, whole.stdout);
  t.is(stderr, whole.stderr);
  const error = await t.throwsAsync(cli('eval', 'knn', ...own, '--shard', '0/2'), { code: 2 as never });
  t.regex((error as unknown as { stderr: string }).stderr, /--shard writes features: name a file/);
});
