/** Training from tar shards is training from the files in them: same steps, same weights, same resume. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { loadManifest } from '#src/data/manifest.js';
import { embedToFile } from '#src/embed/embed-to-file.js';
import { VideoEncoder } from '#src/embed/video-encoder.js';
import { evaluate } from '#src/eval/evaluate.js';
import { checkVideos } from '#src/prepare/check-videos.js';
import { indexVideos } from '#src/search/index-videos.js';
import { searchVideos } from '#src/search/search-videos.js';
import { writeGallery } from '#src/search/write-gallery.js';
import { isAlive } from '../helpers/is-alive.js';
import { comparable, killWhen, resumeAndCompare, runToEnd, start } from '../helpers/killed-run.js';
import { END_MARK, writeTar } from '../helpers/make-tar.js';
import { makeTinyVideos, readLines, tinyConfig } from '../helpers/tiny-run.js';

const root = await mkdtemp(join(tmpdir(), 'vssl-shards-'));
const main = fileURLToPath(import.meta.resolve('#src/cli/main.js'));
const { folder } = await makeTinyVideos(9);
const shards = join(root, 'shards');
const data = `tar:${shards}/clips-{000..001}.tar`;
const cache = join(root, 'cache');
const piped = `pipe?cache=${cache}:cat ${shards}/clips-{000..001}.tar`;
const config = join(root, 'config.json');
const runAt = (name: string, from = data) => ({ config, data: from, out: join(root, name) });
const unbroken = join(root, 'unbroken');
const weightsOf = (out: string) => readFileSync(join(out, 'weights.safetensors'));
const labelOf = (name: string) => (/[02468]\.mp4$/.test(name) ? 'even' : 'odd');

test.after.always(() => rm(root, { recursive: true, force: true }));

test.before('shards of the same videos, in the order of the folder', async (t) => {
  await mkdir(shards);
  await writeFile(config, JSON.stringify(tinyConfig({ train: { steps: 11, checkpointEvery: 4 } })));
  const { rows } = await loadManifest(folder);
  const members = await Promise.all(
    rows.map(async ({ path }) => {
      const name = basename(path);
      const text = { name: name.replace(/mp4$/, 'cls'), body: labelOf(name) };
      return [text, { name, body: await readFile(path) }];
    }),
  );
  await writeTar(join(shards, 'clips-000.tar'), members.slice(0, 6).flat());
  await writeTar(join(shards, 'clips-001.tar'), members.slice(6).flat());
  await runToEnd(t, runAt('unbroken'));
});

test.serial('the bytes of a run on the files themselves', async (t) => {
  await runToEnd(t, runAt('files', folder));
  t.true(weightsOf(join(root, 'files')).equals(weightsOf(unbroken)));
  const [fromShards, fromFiles] = await Promise.all([unbroken, join(root, 'files')].map(comparable));
  t.deepEqual(fromShards!.steps, fromFiles!.steps);
  const told = (records: Record<string, unknown>[]) =>
    records.map(({ path, code, reason, step, epoch }) => ({
      name: basename(String(path)),
      code,
      reason,
      step,
      epoch,
    }));
  t.deepEqual(told(fromShards!.quarantine), told(fromFiles!.quarantine));
  t.true(fromShards!.quarantine.some(({ path }) => path === `${shards}/clips-000.tar/v00-garbage.mp4`));
  // what is known of videos is found once
  const kept = await readLines(join(unbroken, 'video-index.jsonl'));
  t.true(kept.length >= 9);
  t.true(kept.every(({ part }) => part !== undefined));
});

test.serial('killed in mid-epoch', async (t) => {
  let lines = 0;
  t.true(await killWhen(runAt('killed'), (name) => name === 'metrics.jsonl' && ++lines === 6));
  await resumeAndCompare(t, runAt('killed'), unbroken);
});

test.serial('from commands: killed, and resumed without what was fetched', async (t) => {
  const whole = runAt('piped-whole', piped);
  await runToEnd(t, whole);
  let lines = 0;
  t.true(await killWhen(runAt('piped', piped), (name) => name === 'metrics.jsonl' && ++lines === 6));
  await rm(cache, { recursive: true });
  await resumeAndCompare(t, runAt('piped', piped), whole.out);
  t.true(weightsOf(whole.out).equals(weightsOf(unbroken)));
});

test.serial('from stdin', async (t) => {
  const all = join(root, 'all.tar');
  const bytes = await Promise.all(['000', '001'].map((i) => readFile(join(shards, `clips-${i}.tar`))));
  await writeFile(all, Buffer.concat([bytes[0]!.subarray(0, -END_MARK.length), bytes[1]!]));
  const out = join(root, 'stdin');
  const args = ['train', '--config', config, '--data', '-', '--out', out, '--json'];
  const input = await open(all);
  const child = spawn(process.execPath, [main, ...args], { stdio: [input.fd, 'ignore', 'inherit'] });
  t.deepEqual(await once(child, 'exit'), [0, null]);
  await input.close();
  t.true(weightsOf(out).equals(weightsOf(unbroken)));
});

test.serial('Ctrl-C while a command runs', async (t) => {
  const pid = join(root, 'pid');
  const { child, ended } = start(
    runAt('stopped', `pipe:echo $$ > ${pid}.part; mv ${pid}.part ${pid}; exec sleep 1000`),
  );
  while (!existsSync(pid)) await delay(20);
  child.kill('SIGINT');
  t.is((await ended).code, 130);
  const group = Number(await readFile(pid, 'utf8'));
  for (let i = 0; i < 250 && isAlive(group); i++) await delay(20); // it was told to end a moment ago
  t.false(isAlive(group));
  t.false(existsSync(join(root, 'stopped')), 'no run was begun');
});

test.serial('a shard that was cut since is refused, with the way out', async (t) => {
  const cut = join(root, 'cut');
  await mkdir(cut);
  const bytes = await readFile(join(shards, 'clips-000.tar'));
  await writeFile(join(cut, 'clips-000.tar'), bytes.subarray(0, bytes.length - 20_000));
  const { code, stderr } = await start(runAt('of-cut', `tar:${cut}`)).ended;
  t.is(code, 4);
  t.regex(stderr, /clips-000\.tar ends in the middle, in '.*mp4'.*damaged=skip.*ERR_VSSL_DATA/s);
});

test.serial('check, embed, eval, index and search', async (t) => {
  const checked = await checkVideos({ data });
  t.deepEqual([checked.ok, checked.warning, checked.unusable], [9, 1, 1]);
  const [files, members] = [join(root, 'files.jsonl'), join(root, 'members.jsonl')];
  await embedToFile({ weights: unbroken, data: folder, out: files, clips: 1 });
  await embedToFile({ weights: unbroken, data, out: members, clips: 1 });
  const vectors = await Promise.all([files, members].map(readLines));
  t.deepEqual(
    vectors[1]!.map(({ vector }) => vector),
    vectors[0]!.map(({ vector }) => vector),
  );
  t.deepEqual(
    vectors[1]!.map(({ label }) => label),
    vectors[0]!.map(({ path }) => labelOf(String(path))),
  );
  const { data: used } = await evaluate({
    protocol: 'knn',
    weights: unbroken,
    train: data,
    test: data,
    k: 1,
  });
  t.deepEqual(used.labels, ['even', 'odd']);
  // a video is asked for by the path that results give
  const path = String(vectors[1]![2]!.path);
  t.is(path, `${shards}/clips-000.tar/${basename(String(vectors[0]![2]!.path))}`);
  await using encoder = await VideoEncoder.load(unbroken);
  const alone = await encoder.embed(path, { clips: 1 });
  t.deepEqual(alone, await encoder.embed(String(vectors[0]![2]!.path), { clips: 1 }));
  const db = join(root, 'videos.index');
  // fp32: after so few steps all vectors are nearly the same, and rounding them would decide who is nearest
  t.is((await indexVideos({ weights: unbroken, data, db, type: 'fp32' })).added, 10);
  t.is((await indexVideos({ weights: unbroken, data, db })).unchanged, 10);
  const { hits } = await searchVideos({ db, clip: path, top: 2 });
  t.is(hits[0]!.path, path);
  const html = join(root, 'hits.html');
  await writeGallery(html, [{ title: 'hits', query: null, places: hits }], { title: '', summary: '' });
  const page = await readFile(html, 'utf8');
  t.false(page.includes('cannot open'));
  t.is(page.match(/data:image\/jpeg/g)?.length, hits.length);
});
