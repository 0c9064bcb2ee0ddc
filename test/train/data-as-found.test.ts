/** Training on folders as they are found: the run inside its own data. */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { loadManifest } from '#src/data/manifest.js';
import { embedToFile } from '#src/embed/embed-to-file.js';
import { prepare } from '#src/prepare/prepare.js';
import { train } from '#src/train/train.js';
import { encodePng } from '../helpers/png.js';
import { makeTinyVideos, tinyConfig } from '../helpers/tiny-run.js';

const root = await mkdtemp(join(tmpdir(), 'vssl-found-'));
test.after.always(() => rm(root, { recursive: true, force: true }));

const weightsOf = (out: string) => readFile(join(out, 'weights.safetensors'));
const config = tinyConfig({ train: { batch: 3, steps: 6, checkpointEvery: 2 } });

test.serial(
  'a run inside its own data goes on, and other runs and results there change nothing',
  async (t) => {
    const { folder } = await makeTinyVideos(5);
    const inside = join(folder, 'runs/one');
    const outside = join(root, 'outside');
    await train(config, { data: folder, out: outside }).result;
    await train(config, { data: folder, out: inside, maxSteps: 2 }).result;
    await cp(outside, join(folder, 'another'), { recursive: true });
    const weights = join(outside, 'weights.safetensors');
    await embedToFile({ weights, data: folder, out: join(folder, 'vectors.jsonl'), clips: 1 });
    await prepare({ data: folder, out: join(folder, 'copy'), shortSide: 32 });
    const { finished, step } = await train(config, { data: folder, out: inside }).result;
    t.deepEqual([finished, step], [true, 6]);
    t.true((await weightsOf(inside)).equals(await weightsOf(outside)));
    // the data folder as the run folder, too
    await train(config, { data: folder, out: folder, maxSteps: 2 }).result;
    t.true((await train(config, { data: folder, out: folder }).result).finished);
  },
);

test.serial('the run folder may be put between the pictures of a video', async (t) => {
  const folder = join(root, 'pictures');
  await mkdir(folder);
  for (let i = 0; i < 12; i++)
    await writeFile(
      join(folder, `${i}.png`),
      encodePng(40, 40, (x, y) => [x * 6, y * 6, i * 20, 255]),
    );
  const out = join(folder, 'run');
  await train(config, { data: folder, out, maxSteps: 2 }).result;
  t.true((await train(config, { data: folder, out }).result).finished);
  t.deepEqual(
    (await loadManifest(folder)).rows.map(({ id }) => id),
    ['.'],
  );
});
