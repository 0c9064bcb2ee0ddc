/** examples/watch-folder: a line for each video that comes, and no second one, however it was stopped. */
import { mkdirSync, readFileSync, renameSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { searchVideos } from '#src/index.js';
import { scratch, writeSquareVideo, writeTinyWeights } from '../embed/make-videos.js';
import { writeTinyClassifier } from '../predict/make-classifier.js';
import { killExamples, startExample } from './start-example.js';

const { file, remove } = scratch();
const inbox = file('inbox');
const jsonl = file('labels.jsonl');

test.before(async () => {
  mkdirSync(inbox);
  await writeTinyWeights(file('weights.safetensors'));
  await writeTinyClassifier(file('classifier.safetensors'), file('weights.safetensors'));
});
test.after.always(() => {
  killExamples();
  remove();
});

const start = () =>
  startExample('watch-folder/watch-folder.mjs', file('classifier.safetensors'), inbox, file('db'), jsonl);

/** Into the folder at once and as a whole, and not as if it were still written to. */
function arrive(name: string): string {
  const old = new Date(Date.now() - 60_000);
  utimesSync(file(name), old, old);
  renameSync(file(name), `${inbox}/${name}`);
  return `${inbox}/${name}`;
}

async function bring(name: string, seed: number): Promise<string> {
  await writeSquareVideo(file(name), (t) => [(7 * seed + t) % 36, (2 * t) % 48], {
    frames: 60,
    color: [70 * seed, 230, 255 - 60 * seed],
  });
  return arrive(name);
}

interface Line {
  readonly path: string;
  readonly label: string;
  readonly confidence: number;
  readonly nearest: { readonly path: string; readonly start: number; readonly similarity: number } | null;
}

/** Every line is whole. */
function linesOf(): Line[] {
  const all = readFileSync(jsonl, 'utf8');
  return all
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

test.serial(
  'a folder that is empty at first; good files and a bad one come; it stops when it is told to',
  async (t) => {
    const watch = start();
    await watch.line(/^watching .*; 0 videos/);
    const first = await bring('a.avi', 0);
    await watch.line(/^(left|right) \(\d+ %\) {2}.*a\.avi$/);
    const second = await bring('b.avi', 1);
    writeFileSync(file('bad.mp4'), 'no video');
    arrive('bad.mp4');
    await watch.line(/^(left|right) .*b\.avi$/);
    if (!watch.said().includes('left out')) await watch.line(/^left out: .*bad\.mp4/);
    watch.kill('SIGTERM');
    t.is(await watch.end, 0, watch.said());
    const lines = linesOf();
    t.deepEqual(
      lines.map(({ path, nearest }) => [path, nearest?.path]),
      [
        [first, undefined],
        [second, first],
      ],
    );
    for (const { label, confidence } of lines)
      t.true(['left', 'right'].includes(label) && confidence > 0.5 && confidence <= 1);
  },
);

test.serial(
  'started again, it goes on with what came meanwhile, and with a line that was cut off',
  async (t) => {
    const third = await bring('c.avi', 2);
    // as a kill leaves it that came in the middle of a line
    truncateSync(jsonl, readFileSync(jsonl).length - 20);
    const watch = start();
    await watch.line(/; 1 videos/);
    for (const name of ['b', 'c']) {
      const said = new RegExp(`^(left|right) .*${name}\\.avi$`, 'm');
      if (!said.test(watch.said())) await watch.line(said);
    }
    watch.kill('SIGKILL');
    t.is(await watch.end, 'SIGKILL');
    t.deepEqual(
      linesOf()
        .map(({ path }) => path)
        .sort(),
      [`${inbox}/a.avi`, `${inbox}/b.avi`, third],
    );

    const again = start();
    await again.line(/; 3 videos/);
    const fourth = await bring('d.avi', 3);
    await again.line(/^(left|right) .*d\.avi$/);
    again.kill('SIGINT');
    t.is(await again.end, 0, again.said());
    t.is(linesOf().length, 4);
    t.is(linesOf().at(-1)!.path, fourth);
  },
);

test.serial('the index that it keeps is one that can be searched by itself', async (t) => {
  const { hits } = await searchVideos({ db: file('db'), clip: `${inbox}/c.avi`, top: 1 });
  t.is(hits[0]!.path, `${inbox}/c.avi`);
});
