/** The whole way with names that are not UTF-8. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { encodeName } from '#src/data/file-names.js';
import { loadManifest } from '#src/data/manifest.js';
import { embedToFile } from '#src/embed/embed-to-file.js';
import { VideoEncoder } from '#src/embed/video-encoder.js';
import { evaluate } from '#src/eval/evaluate.js';
import { checkVideos } from '#src/prepare/check-videos.js';
import { prepare } from '#src/prepare/prepare.js';
import { train } from '#src/train/train.js';
import { readSafetensors } from '#src/weights/safetensors.js';
import { makeTinyVideos, readLines, tinyConfig } from '../helpers/tiny-run.js';

const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
const root = await mkdtemp(join(tmpdir(), 'vssl-found-'));
test.after.always(() => rm(root, { recursive: true, force: true }));

const weightsOf = (out: string) => readFile(join(out, 'weights.safetensors'));
const config = tinyConfig({ train: { batch: 3, steps: 6, checkpointEvery: 2 } });

const data = join(root, 'latin');
const classes = ['caf\udce9', 't\udce9l\udce9'];
const broken = join(data, classes[0]!, 'br\udceak.mp4');
const [whole, cut] = [join(root, 'whole'), join(root, 'cut')];
const rowsOf = async () => (await loadManifest(data)).rows;
const goodRows = async () => (await rowsOf()).filter(({ path }) => path !== broken);

test.before(async () => {
  const { folder: plain } = await makeTinyVideos(4);
  for (const label of classes) await mkdir(encodeName(join(data, label)), { recursive: true });
  const names = (await readdir(plain)).filter((name) => !/garbage|undecodable/.test(name));
  for (const [i, name] of names.entries())
    await rename(join(plain, name), encodeName(join(data, classes[i % 2]!, `v\udcff${i}.mp4`)));
  await writeFile(encodeName(broken), 'no video');
  await train(config, { data, out: whole }).result;
});

test('names that are not UTF-8: check and its command', async (t) => {
  const checked = await checkVideos({ data });
  t.deepEqual([checked.ok, checked.unusable], [4, 1]);
  t.is(checked.files.find(({ status }) => status === 'unusable')!.path, broken);
  const call = promisify(execFile)(process.execPath, [main, 'check', '--data', data, '--json']);
  const { stdout } = await call.catch((error) => error);
  const told: { path: string }[] = JSON.parse(stdout).files;
  t.deepEqual(told.map(({ path }) => path).sort(), (await rowsOf()).map(({ path }) => path).sort());
});

test('names that are not UTF-8: train and resume', async (t) => {
  await train(config, { data, out: cut, maxSteps: 3 }).result;
  t.true((await train(config, { data, out: cut }).result).finished);
  t.true((await weightsOf(whole)).equals(await weightsOf(cut)));
  const [record] = await readLines(join(cut, 'quarantine.jsonl'));
  t.is(record!.path, broken);
  t.true((await readLines(join(cut, 'plans.jsonl'))).length > 0);
});

test('names that are not UTF-8: embed, into both kinds of files', async (t) => {
  const good = await goodRows();
  const given = { weights: whole, data, clips: 1 } as const;
  await embedToFile({ ...given, out: join(root, 'v.jsonl') });
  await embedToFile({ ...given, out: join(root, 'v.safetensors') });
  const vectors = await readLines(join(root, 'v.jsonl'));
  t.deepEqual(
    vectors.map(({ path, label }) => [path, label]),
    good.map(({ path, label }) => [path, label]),
  );
  const { metadata } = await readSafetensors(join(root, 'v.safetensors'));
  t.deepEqual(
    JSON.parse(metadata.paths!),
    good.map(({ path }) => path),
  );
  await using encoder = await VideoEncoder.load(whole);
  const [vector] = vectors.map(({ vector }) => Float32Array.from(vector as number[]));
  const alone = await encoder.embed(good[0]!.path, { clips: 1 });
  // batches of another size: the last bits differ
  t.true(alone.every((value, i) => Math.abs(value - vector![i]!) <= 1e-3 * Math.abs(value) + 1e-2));
});

test('names that are not UTF-8: eval and prepare', async (t) => {
  const { data: used } = await evaluate({ protocol: 'knn', weights: whole, train: data, test: data, k: 1 });
  t.deepEqual([used.used, used.labels], [10 - 2, classes]);
  const copy = join(root, 'copy');
  const { videos, skipped } = await prepare({ data, out: copy, shortSide: 32 });
  t.deepEqual([videos, skipped.length], [4, 1]);
  t.is((await prepare({ data, out: copy, shortSide: 32 })).reused, 4);
  t.deepEqual(
    (await loadManifest(copy)).rows.map(({ label }) => label),
    (await goodRows()).map(({ label }) => label),
  );
});
