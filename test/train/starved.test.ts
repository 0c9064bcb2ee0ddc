/** When no more files can be opened, no video is to blame. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { train } from '#src/train/train.js';
import { makeTinyVideos, tinyConfig } from '../helpers/tiny-run.js';

const root = await mkdtemp(join(tmpdir(), 'vssl-open-'));
const { folder } = await makeTinyVideos(3);
test.after.always(() => rm(root, { recursive: true, force: true }));
const run = promisify(execFile);

/** A child of its own that takes up all the files it may open, then does `work`; prints { code, message }. */
async function starved(work: string): Promise<{ code: string; message: string }> {
  const script = `
    import { openSync } from 'node:fs';
    const { loadManifest } = await import(${JSON.stringify(import.meta.resolve('#src/data/manifest.js'))});
    const { VideoEncoder } = await import(${JSON.stringify(import.meta.resolve('#src/embed/video-encoder.js'))});
    const { loadEngine } = await import(${JSON.stringify(import.meta.resolve('#src/native/load.js'))});
    const featuresModule = await import(${JSON.stringify(import.meta.resolve('#src/embed/extract-features.js'))});
    const [data, weights] = process.argv.slice(1);
    const encoder = await VideoEncoder.load(weights, { threads: 1 });
    const { rows } = await loadManifest(data);
    const good = rows.filter(({ path }) => !/garbage|undecodable/.test(path));
    await encoder.embed(good[0].path, { clips: 1 });
    const starve = () => { try { for (;;) openSync('/dev/null'); } catch {} };
    const error = await (async () => { ${work} })().then((value) => ({ code: 'none', message: JSON.stringify(value) }), (e) => e);
    console.log(JSON.stringify({ code: error.code, message: error.message }));`;
  const { stdout } = await run('sh', [
    '-c',
    'ulimit -n 256; exec "$@"',
    'sh',
    process.execPath,
    '--input-type=module',
    '-e',
    script,
    folder,
    join(root, 'run/weights.safetensors'),
  ]);
  return JSON.parse(stdout);
}

test.before(async () => {
  await train(tinyConfig({ train: { batch: 2, steps: 1 } }), { data: folder, out: join(root, 'run') }).result;
});

test('the decoder and the walk say what it is, and what to do', async (t) => {
  const expected = { code: 'ERR_VSSL_TOO_MANY_FILES', message: /ulimit -n/ };
  for (const work of [
    `starve(); return await encoder.embed(good[1].path)`,
    `starve(); return await loadManifest(data)`,
  ]) {
    const { code, message } = await starved(work);
    t.is(code, expected.code, message);
    t.regex(message, expected.message);
  }
});

test('no video of a data set is listed as bad for it', async (t) => {
  const { code, message } = await starved(
    `starve();
     const { extractFeatures } = await featuresModule;
     const loader = loadEngine().createLoader({ threads: 2, cacheBytes: 0 });
     const planClips = (row) => encoder.planFile(row.path, 1, 1);
     return extractFeatures(good, { loader, planClips, embedders: [encoder.embedder()] });`,
  );
  t.is(code, 'ERR_VSSL_TOO_MANY_FILES', message);
});
