// How well `search` and `duplicates` find what they look for. Pieces of 3 to 10 s of long videos, re-encoded: is the right
// video first, and the place right? And clips with four copies each (re-encoded, resized, cropped by 10 %, cut to a third):
// precision and recall, beside difference hashes of pictures. Writes benchmarks/results/search.json and the tables of
// docs/search.md. What is in the work folder is not made again: a call that was stopped goes on, and a new folder begins anew.
//
//   node benchmarks/search.mjs DATA_ROOT [--only search|duplicates] [--work DIR]    --only prints and writes nothing
//   node benchmarks/search.mjs --small [--work DIR]          few drawn videos and an untrained encoder: prints JSON alone
//   node benchmarks/search.mjs --table [--check]
//
// DATA_ROOT holds the folders ut-interaction, msr20-render, asl24 and sprites5, each with a manifest.csv.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { commit, fillPage, markdown, root } from './page.mjs';
import { percent } from './percent.mjs';

const file = join(root, 'benchmarks/results/search.json');
const PRESET = 'cvrl-tiny';
const STEPS = 200;
/** Of each set of long videos: three draws of 50. */
const PIECES = 150;
const CLIPS = 200;
/** What the promised precision of the threshold that is chosen on the data is. */
const PRECISION = 0.95;
/** Clips of `tuned` fix thresholds, and the encoder is trained on them; of other groups than those of `tested`. */
const CLIP_SETS = [
  { data: 'ut-interaction', tuned: 'set1*', tested: 'set2*', count: 60 },
  { data: 'asl24', tuned: 'jack', tested: 'tom', count: 24 },
  { data: 'msr20-render', tuned: 's01,s03,s05,s07,s09', tested: 's02,s04,s06,s08,s10', count: 58 },
  { data: 'sprites5', tuned: 'c0*,c10,c11,c12,c13,c14,c15,c16,c17', tested: 'c18,c19,c2*,c3*', count: 58 },
];

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    work: { type: 'string', default: join(root, 'runs/search') },
    small: { type: 'boolean' },
    table: { type: 'boolean' },
    check: { type: 'boolean' },
  },
});
const [dataRoot] = positionals;
// lists of videos stand in it, whose paths count from where the list is
const work = resolve(flags.work);

/** What `measure` gives, kept in the work folder. */
async function once(name, measure) {
  const part = join(work, `${name}.json`);
  if (!existsSync(part)) {
    mkdirSync(work, { recursive: true });
    writeFileSync(`${part}.part`, JSON.stringify(await measure()));
    renameSync(`${part}.part`, part);
  }
  console.error(`${name}: done`);
  return JSON.parse(readFileSync(part, 'utf8'));
}

/** `ut-interaction?group=set1*` below the data root. */
const located = (set, groups) => `${join(dataRoot, set, 'manifest.csv')}${groups ? `?group=${groups}` : ''}`;

/** Long videos, an index of them by each encoder, and pieces that are looked for. */
async function searchOne(name, makeVideos) {
  const { cutPieces, findPieces, writeParts } = await import('./find-pieces.mjs');
  const { CLIP, trained, untrained } = await import('./small-encoders.mjs');
  const folder = join(work, name);
  const videos = await makeVideos(join(folder, 'videos'));
  const pieces = await cutPieces(videos, join(folder, 'pieces'), { count: PIECES, seed: 0 });
  const parts = await writeParts(videos, join(folder, 'parts.csv'));
  const run = join(folder, 'run');
  const encoders = {
    trained: () => trained(run, parts, { preset: PRESET, steps: STEPS, seed: 0, input: 'rgb' }),
    untrained: () => untrained(CLIP, videos, 0),
  };
  const found = {};
  for (const [which, open] of Object.entries(encoders))
    found[which] = await once(`search-${name}-${which}`, async () => {
      const encoder = await open();
      const db = join(folder, `${which}.index`);
      const result = await findPieces(encoder, join(folder, 'videos'), pieces, db);
      await encoder.dispose();
      return result;
    });
  return { name, found };
}

async function measureSearch() {
  const { makeDrawnVideos, makeJoinedVideos } = await import('./find-pieces.mjs');
  const data = located('ut-interaction');
  return [
    await searchOne('ut-interaction', (to) =>
      makeJoinedVideos(to, { count: 10, seconds: 44, seed: 0, data }),
    ),
    await searchOne('drawn', (to) => makeDrawnVideos(to, { count: 12, seconds: 60, seed: 0 })),
  ];
}

/** Clips and copies, those that fix a threshold and those that are tested. */
async function makeClips(name) {
  const { chooseClips, makeDrawnClips, makeFamilies } = await import('./find-duplicates.mjs');
  const both = {};
  for (const half of ['tuned', 'tested']) {
    const folder = join(work, `clips-${name}-${half}`);
    const clips =
      name === 'drawn'
        ? await makeDrawnClips(folder, { count: CLIPS, seed: 0, split: half })
        : await chooseClips(
            CLIP_SETS.map((set) => ({ data: located(set.data, set[half]), count: set.count })),
            0,
          );
    both[half] = { clips, videos: await makeFamilies(clips, join(folder, 'copies')) };
  }
  return both;
}

/** Precision and recall of one way to find pairs: `pairsOf(half, videos, options)`. */
async function measurePairs({ tuned, tested }, pairsOf) {
  const { bestThreshold, score } = await import('./find-duplicates.mjs');
  const others = await pairsOf('tuned', tuned.videos);
  const { threshold, f1 } = bestThreshold(tuned.videos, others.pairs);
  const { pairs, seconds } = await pairsOf('tested', tested.videos);
  return { ...score(tested.videos, pairs, threshold), f1OfOthers: f1, seconds };
}

/**
 * With one encoder, by pictures or by its vectors alone: with the threshold of the other clips, and with that which is chosen
 * on the data.
 */
async function measureEncoder(name, which, encoder, both, compare) {
  const { pairsOfIndex, score } = await import('./find-duplicates.mjs');
  const db = (half) => join(work, `${name}-${which}-${half}.index`);
  const all = { compare, threshold: 1e-6 };
  const fixed = await measurePairs(both, (half, videos) => pairsOfIndex(encoder, videos, db(half), all));
  const { videos } = both.tested;
  const own = await pairsOfIndex(encoder, videos, db('tested'), { compare, precision: PRECISION });
  const chosen = { ...score(videos, own.pairs, own.threshold), expectedPrecision: own.expectedPrecision };
  return { fixed, chosen };
}

async function measureDuplicates() {
  const { writeList, pairsOfHashes } = await import('./find-duplicates.mjs');
  const { SHORT_CLIP: clip, trained, untrained } = await import('./small-encoders.mjs');
  const results = [];
  for (const name of ['real', 'drawn']) {
    const both = await makeClips(name);
    const { clips } = both.tuned;
    const list = writeList(join(work, `${name}-train.csv`), clips);
    const run = join(work, `clips-${name}-run`);
    const ways = [];
    const add = async (way, measure) =>
      ways.push({ way, ...(await once(`duplicates-${name}-${way}`, measure)) });
    const encoders = {
      trained: () => trained(run, list, { preset: PRESET, steps: STEPS, seed: 0, input: 'rgb', clip }),
      untrained: () => untrained(clip, clips, 0),
    };
    for (const compare of ['pictures', 'vectors'])
      for (const [which, open] of Object.entries(encoders))
        await add(`${compare}-${which}`, async () => {
          const encoder = await open();
          const measured = await measureEncoder(name, which, encoder, both, compare);
          await encoder.dispose();
          return measured;
        });
    for (const average of ['mean', 'median'])
      await add(`dhash-${average}`, async () => {
        const kept = (half) => join(work, `hashes-${name}-${half}.json`);
        const fixed = await measurePairs(both, (half, videos) => pairsOfHashes(videos, kept(half), average));
        return { fixed };
      });
    results.push({ name, ways });
  }
  return results;
}

/** 95 % interval of a share, after Wilson. */
function wilson(hits, count) {
  const z = 1.96;
  const middle = (hits + (z * z) / 2) / (count + z * z);
  const half = (z / (count + z * z)) * Math.sqrt((hits * (count - hits)) / count + (z * z) / 4);
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

function share(hits, count) {
  if (count === 0) return '';
  const [low, high] = wilson(hits, count);
  return `${percent(hits / count)} (${percent(low)} to ${percent(high)})`;
}

const VIDEOS = { drawn: 'drawn', 'ut-interaction': 'UT-Interaction, joined', real: 'four real sets' };

function searchTable(results) {
  const rows = results.flatMap(({ name, found }) =>
    Object.entries(found).map(([which, { pieces, right, near, seconds }]) => [
      ...[VIDEOS[name], which, pieces, share(right, pieces), share(near, pieces)],
      `${(1000 * seconds).toFixed(0)} ms`,
    ]),
  );
  const columns = ['encoder', 'pieces', 'right video first, %', 'start within a window, %', 'a search'];
  return markdown(['videos', ...columns], rows, 2);
}

/** The better of the two hashes on the other clips stands for both. */
function linesOf(ways) {
  const hashes = ways.filter(({ way }) => way.startsWith('dhash'));
  const [best] = hashes.sort((a, b) => b.fixed.f1OfOthers - a.fixed.f1OfOthers);
  return [...ways.filter(({ way }) => !way.startsWith('dhash')), best];
}

/** `pictures-trained` as a reader has it. */
function nameOf(way) {
  const [by, which] = way.split('-');
  return by === 'dhash' ? `dHash, ${which} of pictures` : `${by}, ${which} encoder`;
}

function duplicatesTable(results) {
  const rows = results.flatMap(({ name, ways }) =>
    linesOf(ways).map(({ way, fixed }) => [
      ...[VIDEOS[name], nameOf(way)],
      share(fixed.right, fixed.found),
      share(fixed.right, fixed.duplicates),
      ...fixed.kinds.map((found) => percent(found / fixed.families)),
    ]),
  );
  const kinds = ['re-encoded', 'resized', 'cropped by 10 %', 'a third'];
  return markdown(['clips', 'by', 'precision, %', 'recall, %', ...kinds], rows, 2);
}

function chosenTable(results) {
  const rows = results.flatMap(({ name, ways }) =>
    ways
      .filter(({ chosen }) => chosen)
      .map(({ way, chosen }) => [
        ...[VIDEOS[name], nameOf(way), percent(PRECISION)],
        chosen.expectedPrecision === null ? '' : percent(chosen.expectedPrecision),
        share(chosen.right, chosen.found),
        share(chosen.right, chosen.duplicates),
      ]),
  );
  return markdown(['clips', 'by', 'asked for', 'expected', 'precision, %', 'recall, %'], rows, 2);
}

function tables({ search, duplicates, cpu, commit }) {
  return [
    `**A piece of 3 to 10 s, looked for**\n\n${searchTable(search)}`,
    `**Pairs of ${CLIPS} clips and four copies of each**, threshold fixed on other clips\n\n${duplicatesTable(duplicates)}`,
    `**The same, with the threshold that \`duplicates\` chooses**\n\n${chosenTable(duplicates)}`,
    `(In brackets 95 % intervals after Wilson. ${cpu}, commit ${commit}.)\n`,
  ].join('\n\n');
}

/** 12 pieces of 4 videos, found by an untrained encoder: a test of the search, not of what is learned. */
async function measureSmall() {
  const { cutPieces, findPieces, makeDrawnVideos } = await import('./find-pieces.mjs');
  const { CLIP, untrained } = await import('./small-encoders.mjs');
  const folder = join(work, 'videos');
  const videos = await makeDrawnVideos(folder, { count: 4, seconds: 24, seed: 0 });
  const pieces = await cutPieces(videos, join(work, 'pieces'), { count: 12, seed: 0 });
  const encoder = await untrained(CLIP, videos, 0);
  console.log(JSON.stringify(await findPieces(encoder, folder, pieces, join(work, 'index'))));
  await encoder.dispose();
}

async function measure() {
  if (dataRoot === undefined)
    throw new Error('expected the folder of the real sets: node benchmarks/search.mjs DATA_ROOT');
  const search = flags.only === 'duplicates' ? [] : await measureSearch();
  const duplicates = flags.only === 'search' ? [] : await measureDuplicates();
  const result = {
    ...{ format: 'vssl-native search', formatVersion: 1, preset: PRESET, steps: STEPS, commit: commit() },
    ...{ cpu: cpus()[0]?.model, threads: cpus().length, date: new Date().toISOString().slice(0, 10) },
    ...{ search, duplicates },
  };
  console.log(tables(result));
  if (!flags.only) writeFileSync(file, `${JSON.stringify(result)}\n`);
}

if (flags.small) await measureSmall();
else if (!flags.table) await measure();
if (flags.table || !(flags.only || flags.small)) {
  const text = existsSync(file)
    ? tables(JSON.parse(readFileSync(file, 'utf8')))
    : '(No result has been committed yet: `node benchmarks/search.mjs DATA_ROOT`.)\n';
  fillPage('docs/search.md', 'search', text, flags.check);
}
