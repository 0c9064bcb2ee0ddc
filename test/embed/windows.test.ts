/** Vectors of windows, and embeddings that go on where they stopped. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { type EmbedToFileOptions, embedToFile } from '#src/embed/embed-to-file.js';
import { VideoEncoder } from '#src/embed/video-encoder.js';
import { eraseMediaData } from '../helpers/tiny-run.js';
import { scratch, writeSquareVideo, writeTinyWeights } from './make-videos.js';

const { file, remove } = scratch();
test.after.always(remove);
const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
const weights = file('weights.safetensors');
const videos = file('videos');

test.before(async () => {
  mkdirSync(videos);
  await writeTinyWeights(weights);
  for (const i of [0, 1, 2])
    await writeSquareVideo(join(videos, `v${i}.avi`), (t) => [8 * i, t % 40], { frames: 50 + 10 * i });
});

interface Line {
  readonly path: string;
  readonly start?: number;
  readonly end?: number;
  readonly vector: number[];
}
const linesOf = (path: string) =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
const embed = (out: string, more: Partial<EmbedToFileOptions> = {}) =>
  embedToFile({ weights, data: videos, out, threads: 1, ...more });

test.serial('a vector a window: that of the part of the video', async (t) => {
  const out = file('windows.jsonl');
  const result = await embed(out, { windows: { every: 0.5, span: 1 }, clips: 2 });
  t.is(result.videos, 3);
  const lines = linesOf(out);
  t.is(result.count, lines.length);
  t.deepEqual(
    lines.filter(({ path }) => path.endsWith('v1.avi')).map(({ start, end }) => [start, end]),
    [
      [0, 1],
      [0.52, 1.52],
      [1, 2],
      [1.4, 2.4],
    ],
  );
  // the same window, given by a manifest
  writeFileSync(file('part.csv'), 'path,start,end\nvideos/v1.avi,1,2\n');
  await embed(file('part.jsonl'), { data: file('part.csv'), clips: 2 });
  const [part] = linesOf(file('part.jsonl'));
  t.deepEqual([part!.start, part!.end], [1, 2]);
  const same = lines.find(({ path, start }) => path.endsWith('v1.avi') && start === 1)!;
  const scale = Math.max(...part!.vector.map(Math.abs));
  for (const [i, value] of part!.vector.entries())
    t.true(Math.abs(value - same.vector[i]!) <= 1e-2 * scale, `${value} ${same.vector[i]}`);
});

test.serial('a damaged place costs its windows', async (t) => {
  mkdirSync(file('damaged'));
  await writeSquareVideo(file('damaged/d.mp4'), (frame) => [0, frame % 40], { frames: 90 });
  await eraseMediaData(file('damaged/d.mp4'));
  const options = { data: file('damaged'), windows: { every: 0.2 } };
  const result = await embed(file('damaged.jsonl'), options);
  t.is(result.videos, 1);
  t.true(result.warnings.some((warning) => /windows of a video cannot be decoded/.test(warning)));
  t.true(result.count > 0 && result.count < 90 / 5);
});

test.serial('what is in the output and unchanged is not embedded again', async (t) => {
  for (const suffix of ['jsonl', 'safetensors', 'csv', 'npy', 'parquet']) {
    const out = file(`again.${suffix}`);
    const first = await embed(out, { windows: { every: 1 } });
    t.is(first.reused, 0);
    const bytes = readFileSync(out);
    const again = await embed(out, { windows: { every: 1 } });
    t.deepEqual([again.reused, again.videos], [3, 3], suffix);
    t.true(bytes.equals(readFileSync(out)), suffix);
  }
  const out = file('again.jsonl');
  const later = new Date(Date.now() + 5000);
  utimesSync(join(videos, 'v1.avi'), later, later);
  await writeSquareVideo(join(videos, 'v3.avi'), (t) => [3, t]);
  t.deepEqual(await counts(embed(out, { windows: { every: 1 } })), [2, 4], 'one has changed, one is new');
  rmSync(join(videos, 'v3.avi'));
  t.deepEqual(await counts(embed(out, { windows: { every: 1 } })), [3, 3], 'one is gone');
  t.false(linesOf(out).some(({ path }) => path.endsWith('v3.avi')));
  t.deepEqual(await counts(embed(out, { windows: { every: 2 } })), [0, 3], 'other windows');
  await writeTinyWeights(file('other.safetensors'), { input: 'difference' });
  t.deepEqual(
    await counts(embed(out, { windows: { every: 2 }, weights: file('other.safetensors') })),
    [0, 3],
  );
});

async function counts(work: Promise<{ reused: number; videos: number }>) {
  const { reused, videos } = await work;
  return [reused, videos];
}

test.serial('stopped on the way: the same call goes on, and a half line is none', async (t) => {
  const out = file('stopped.csv');
  const stop = new AbortController();
  const onProgress = (done: number) => {
    if (done === 2) stop.abort(new Error('enough'));
  };
  // a batch of its own for each video
  const clips = 16;
  await t.throwsAsync(embed(out, { clips, onProgress, signal: stop.signal }), { message: 'enough' });
  t.false(existsSync(out));
  appendFileSync(`${out}.partial`, '{"key":"half a li');
  t.deepEqual(await counts(embed(out, { clips })), [2, 3]);
  t.false(existsSync(`${out}.partial`));
  await embed(file('whole.csv'), { clips });
  t.deepEqual(readFileSync(out), readFileSync(file('whole.csv')));
});

test.serial('paths from a stream, and from the standard input as they come', async (t) => {
  const paths = [0, 2, 0].map((i) => join(videos, `v${i}.avi`));
  const result = await embed(file('stream.jsonl'), { data: [...paths, '/not/there.mp4'] });
  t.deepEqual([result.videos, result.failures.length], [2, 1]);
  await t.throwsAsync(embed(file('x.jsonl'), { data: [] }), { code: 'ERR_VSSL_DATA' });
  await t.throwsAsync(embed(file('x.jsonl'), { data: paths, shard: '0/2' }), { code: 'ERR_VSSL_USAGE' });
  const args = [main, 'embed', '--weights', weights, '--stdin', '--windows', 'every:1s', '--json'];
  const out = file('stdin.jsonl');
  const child = spawn(process.execPath, [...args, '--out', out], { stdio: ['pipe', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (text) => {
    said += text;
  });
  child.stdin.write(`${paths[0]}\n`);
  // the first is done while the second is still to come
  for (let i = 0; i < 1500 && !existsSync(`${out}.partial`); i++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  t.true(existsSync(`${out}.partial`));
  child.stdin.end(paths[1]);
  await once(child, 'close');
  t.is(JSON.parse(said).videos, 2);
  t.is(new Set(linesOf(out).map(({ path }) => path)).size, 2);
});

test.serial('wrong usage is told before any work', async (t) => {
  const windows = { every: 0 };
  await t.throwsAsync(embed(file('x.jsonl'), { windows }), { code: 'ERR_VSSL_INVALID_ARGUMENT' });
  await t.throwsAsync(embed(file('x.jsonl'), { windows: { evry: 1 } as never }), {
    message: /did you mean 'every'/,
  });
  for (const flags of [[], ['--stdin', '--data', videos], ['--data', videos, '--span', '1s']]) {
    const args = [main, 'embed', '--weights', weights, '--out', file('x.jsonl'), ...flags];
    const child = spawn(process.execPath, args, { stdio: 'ignore' });
    const [code] = await once(child, 'close');
    t.is(code, 2, flags.join(' '));
  }
});

test.serial('the digest names what vectors hang on', async (t) => {
  const digest = async (path: string, options = {}) => {
    await using encoder = await VideoEncoder.load(path, options);
    return encoder.digest();
  };
  const own = await digest(weights);
  t.regex(own, /^sha256:[0-9a-f]{64}$/);
  t.is(await digest(weights, { precision: 'fp32' }), await digest(weights, { precision: 'bf16' }));
  await writeTinyWeights(file('renamed.safetensors'), { method: 'cvrl', step: 100 });
  t.is(await digest(file('renamed.safetensors')), own);
  t.not(await digest(file('other.safetensors')), own);
});
