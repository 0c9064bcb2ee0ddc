/** examples/find-duplicates: what it keeps, what it lists, and that it touches nothing. */
import { linkSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { loadManifest } from '#src/data/manifest.js';
import { writeSyntheticVideos } from '#src/index.js';
import { loadEngine } from '#src/native/load.js';
import { scratch, writeTinyWeights } from '../embed/make-videos.js';
import { killExamples, startExample } from './start-example.js';

const { folder, file, remove } = scratch();
test.after.always(() => {
  killExamples();
  remove();
});

/** Films that are made of scenes of four seconds, one after the other. */
async function writeFilms(films: Record<string, readonly number[]>): Promise<void> {
  const { rows } = await loadManifest('synthetic:motion?split=test&count=3&seconds=4');
  const { height, width, times } = rows[0]!.facts!;
  const engine = loadEngine();
  const scenes = await Promise.all(
    rows.map(({ source }) => engine.renderSynthetic(source, Array.from(times), height, width)),
  );
  for (const [name, parts] of Object.entries(films)) {
    const pixels = Buffer.concat(parts.map((part) => scenes[part]!));
    await engine.writeVideo(file(name), pixels, [parts.length * times.length, height, width], { fps: 25 });
  }
}

/** The same clips in other sizes and lengths: they are functions of their number. */
const write = (query: string, out: string) =>
  writeSyntheticVideos({ data: `synthetic:motion?${query}`, out: file(out) });

test.before(async () => {
  await writeTinyWeights(file('weights.safetensors'));
  await write('count=10&seconds=6', 'a');
  await write('count=1&seconds=6&pixels=96', "b/it's larger");
  await write('count=1&seconds=4.6', 'b/cut');
  mkdirSync(file('c'));
  await writeFilms({ 'c/excerpt.mp4': [0], 'c/first film.mp4': [0, 1], 'c/second film.mp4': [2, 0] });
  writeFileSync(file('b/bad.mp4'), 'no video');
  symlinkSync(file('a/up/train_00003.mp4'), file('b/link.mp4'));
  linkSync(file('a/down/train_00002.mp4'), file('b/another name.mp4'));
});

interface Copy {
  readonly path: string;
  readonly width: number;
  readonly kbps: number;
}
interface Report {
  readonly threshold: number;
  readonly groups: readonly { readonly keep: Copy; readonly others: readonly Copy[] }[];
  readonly failures: readonly { readonly path: string }[];
}

const inFolder = (path: string) => path.slice(folder.length + 1);

test.serial(
  'copies and pieces are listed, the best is kept, links are no copies, and nothing is touched',
  async (t) => {
    const all = () =>
      readdirSync(folder, { recursive: true }).filter((name) => /^[abc]\b/.test(String(name)));
    const before = all();
    const [json, list] = [file('report.json'), file('list')];
    const folders = ['a', 'b', 'c'].map(file);
    const args = [
      file('weights.safetensors'),
      ...folders,
      '--threshold',
      '0.55',
      '--json',
      json,
      '--list',
      list,
    ];
    const app = startExample('find-duplicates/find-duplicates.mjs', ...args);
    t.is(await app.end, 0, app.said());
    const { groups, failures, threshold } = JSON.parse(readFileSync(json, 'utf8')) as Report;
    const found = groups.map(({ keep, others }) => [keep, ...others].map(({ path }) => inFolder(path)));
    t.deepEqual(
      [...found].sort(),
      [
        ["b/it's larger/right/train_00000.mp4", 'a/right/train_00000.mp4', 'b/cut/right/train_00000.mp4'],
        // the other film has it too, and is no copy of the first
        ['c/first film.mp4', 'c/excerpt.mp4'],
      ],
      app.said(),
    );
    t.deepEqual([groups.map(({ keep }) => keep.width).sort(), threshold], [[64, 96], 0.55]);
    t.deepEqual(
      failures.map(({ path }) => inFolder(path)),
      ['b/bad.mp4'],
    );
    const others = groups.flatMap((group) => group.others.map(({ path }) => path));
    t.deepEqual(readFileSync(list, 'utf8').split('\0'), [...others, '']);
    t.regex(app.said(), /^keep {3}96x96 {2}6\.0 s {2}\d+ kbit\/s {2}.*right\/train_00000\.mp4$/m);
    t.regex(app.said(), /^3 copies of 2 videos, \d\.\d MB; nothing was deleted$/m);
    t.deepEqual(all(), before);
  },
);

test.serial(
  'an index that is kept makes the next look a quick one; what is wrong is said in a line',
  async (t) => {
    const run = (...args: string[]) => startExample('find-duplicates/find-duplicates.mjs', ...args);
    const first = run(file('weights.safetensors'), file('c'), '--db', file('db'));
    const wrong = run(file('weights.safetensors'), file('nowhere'));
    const nothing = run(file('weights.safetensors'));
    t.deepEqual([await first.end, await wrong.end, await nothing.end], [0, 1, 2], first.said());
    t.regex(first.said(), /3 of 3 in/);
    t.regex(wrong.said(), /^cannot read the data .*nowhere/);
    const again = run(file('weights.safetensors'), file('c'), '--db', file('db'));
    t.is(await again.end, 0, again.said());
    t.notRegex(again.said(), / of 3 in/);
  },
);
