import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { embedToFile } from '#src/embed/embed-to-file.js';
import { VideoEncoder } from '#src/embed/video-encoder.js';
import { readSafetensors } from '#src/weights/safetensors.js';
import { eraseMediaData } from '../helpers/tiny-run.js';
import { scratch, writeSquareVideo, writeTinyWeights } from './make-videos.js';

const { folder, file, remove } = scratch();
test.after.always(remove);

test.before(async () => {
  await writeTinyWeights(file('weights.safetensors'));
  for (const i of [0, 1]) await writeSquareVideo(file(`v${i}.avi`), (t) => [10 * i, 2 * t]);
  writeFileSync(file('bad.avi'), 'this is no video');
  writeFileSync(file('list.csv'), 'path,label,group\nv0.avi,a,g0\nbad.avi,a,g1\nv1.avi,b,g1\n');
  writeFileSync(file('bad.csv'), 'path\nbad.avi\n');
});

test.serial('safetensors: vectors in the order of the list, paths in the metadata', async (t) => {
  const out = file('out.safetensors');
  const progress: number[] = [];
  const result = await embedToFile({
    weights: folder,
    data: file('list.csv'),
    out,
    clips: 2,
    onProgress: (done, total) => progress.push(done / total),
  });
  t.is(result.count, 2);
  t.is(result.dim, 64);
  t.deepEqual(
    result.failures.map(({ path }) => path),
    [file('bad.avi')],
  );
  t.deepEqual(progress, [1 / 3, 2 / 3, 1]);
  const { tensors, metadata } = await readSafetensors(out);
  t.deepEqual(
    tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
    [{ name: 'features', dtype: 'F32', shape: [2, 64] }],
  );
  t.deepEqual(JSON.parse(metadata.paths!), [file('v0.avi'), file('v1.avi')]);
  t.deepEqual(JSON.parse(metadata.labels!), ['a', 'b']);
  t.deepEqual(JSON.parse(metadata.groups!), ['g0', 'g1']);
  const bytes = tensors[0]!.data;
  const features = new Float32Array(bytes.buffer, bytes.byteOffset, 128);
  const encoder = await VideoEncoder.load(folder);
  const second = await encoder.embed(file('v1.avi'), { clips: 2 });
  await encoder.dispose();
  const error = Math.max(...second.map((v, i) => Math.abs(v - features[64 + i]!)));
  t.true(error <= 1e-5 * Math.max(...second.map(Math.abs)), String(error));
});

test.serial('a damaged place costs the clips that it lies in, and a warning says so', async (t) => {
  await writeSquareVideo(file('damaged.mp4'), (frame) => [0, frame % 40], { frames: 90 });
  await eraseMediaData(file('damaged.mp4'));
  writeFileSync(file('damaged.csv'), 'path\nv0.avi\ndamaged.mp4\nv1.avi\n');
  const out = file('damaged.jsonl');
  const result = await embedToFile({ weights: folder, data: file('damaged.csv'), out });
  t.is(result.count, 3);
  t.deepEqual(result.failures, []);
  const warnings = result.warnings.filter((warning) => warning.includes('cannot be decoded'));
  t.is(warnings.length, 1);
  t.true(warnings[0]!.includes(`${file('damaged.mp4')} (2)`));
  t.false(warnings[0]!.includes('v0.avi'));
  const [, line] = readFileSync(out, 'utf8').split('\n');
  const { vector } = JSON.parse(line!) as { vector: number[] };
  t.true(vector.every(Number.isFinite) && vector.some((value) => value !== 0));
});

test.serial('JSON lines: one a video', async (t) => {
  const out = file('out.jsonl');
  const encoder = await VideoEncoder.load(folder);
  const result = await embedToFile({ weights: encoder, data: file('list.csv'), out });
  t.is(result.format, 'jsonl');
  const lines = readFileSync(out, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.deepEqual(
    lines.map(({ path, label, group, vector }) => [path, label, group, vector.length]),
    [
      [file('v0.avi'), 'a', 'g0', 64],
      [file('v1.avi'), 'b', 'g1', 64],
    ],
  );
  t.is((await encoder.embed(file('v0.avi'))).length, 64, 'an encoder that was given is not disposed of');
  await encoder.dispose();
});

test.serial('no usable video, a wrong suffix, a stop: an error, and no file or half a file', async (t) => {
  const options = { weights: folder, data: file('bad.csv') };
  for (const name of ['none.jsonl', 'none.safetensors'])
    await t.throwsAsync(embedToFile({ ...options, out: file(name) }), { code: 'ERR_VSSL_NO_USABLE_VIDEO' });
  await t.throwsAsync(embedToFile({ ...options, out: file('none.txt') }), {
    code: 'ERR_VSSL_INVALID_ARGUMENT',
  });
  await t.throwsAsync(embedToFile({ ...options, out: file('no/folder/x.jsonl') }), {
    code: 'ERR_VSSL_USAGE',
  });
  const stop = AbortSignal.abort(new Error('stop'));
  await t.throwsAsync(
    embedToFile({ ...options, data: file('list.csv'), out: file('none.jsonl'), signal: stop }),
    {
      message: 'stop',
    },
  );
  t.false(existsSync(file('none.jsonl')));
  t.false(existsSync(file('none.safetensors')));
  t.deepEqual(
    readdirSync(folder).filter((name) => name.includes('.tmp')),
    [],
  );
});
