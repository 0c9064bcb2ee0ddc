// Clips, each with four copies, among which `index.duplicates` looks for what is the same, by pictures and by vectors; and the
// same by difference hashes.
// A threshold is fixed on other clips, of other groups, which have copies as well: where precision and recall of their pairs
// are highest together (F1).
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadManifest } from '../dist/esm/data/manifest.js';
import { Rng } from '../dist/esm/data/rng.js';
import { indexVideos, VideoIndex } from '../dist/esm/index.js';
import { hashVideo, likenessOf } from './dhash.mjs';
import { drawnShot, joined, lookInto, recut } from './recut.mjs';

/** Pieces of clips of two seconds are short: windows stand closer than in an index of films. */
const EVERY = 0.5;
export const KINDS = ['re-encoded', 'resized', 'cropped by 10 %', 'a third'];

/** Clips of the procedural motion set, 3 to 6 s. */
export async function makeDrawnClips(folder, { count, seed, split }) {
  const paths = [];
  for (let i = 0; i < count; i++) {
    const seconds = new Rng('clips', seed, i).uniform(3, 6);
    const path = join(folder, `clip${i}.mp4`);
    const shots = [{ video: drawnShot(seed, i, split), seconds }];
    await joined(shots, path, { width: 96, height: 96, fps: 25, quality: 3 });
    paths.push(path);
  }
  return paths;
}

/** So many clips of each set: `{ data: '.../manifest.csv?group=a*', count }`. */
export async function chooseClips(sets, seed) {
  const paths = [];
  for (const { data, count } of sets) {
    const { rows } = await loadManifest(data);
    paths.push(...new Rng('clips of', seed).shuffle(rows.map(({ path }) => path)).slice(0, count));
  }
  return paths;
}

const even = (value) => 2 * Math.max(8, Math.round(value / 2));

/** How a copy of each kind is made. */
function formOf(kind, { width, height, seconds }, rng) {
  const form = { width: even(width), height: even(height), fps: [24, 25, 30][rng.int(3)], quality: 8 };
  switch (kind) {
    case 're-encoded':
      return { ...form, codec: 'mpeg2video', quality: 16 };
    case 'resized':
      return { ...form, width: even(0.6 * width), height: even(0.6 * height) };
    case 'cropped by 10 %': {
      const [x, y] = [rng.uniform(0, 0.1), rng.uniform(0, 0.1)];
      return { ...form, crop: [x, y, x + 0.9, y + 0.9] };
    }
    default:
      return { ...form, start: rng.uniform(0, (2 / 3) * seconds), seconds: seconds / 3 };
  }
}

/** Every clip and its copies: a family each, the clip itself of kind 'original'. */
export async function makeFamilies(clips, folder) {
  const videos = [];
  for (const [family, path] of clips.entries()) {
    videos.push({ path, family, kind: 'original' });
    const video = await lookInto(path);
    for (const [i, kind] of KINDS.entries()) {
      const form = formOf(kind, video, new Rng('copies', family, i));
      const copy = join(folder, `family${family}-${i}.${form.codec === 'mpeg2video' ? 'mkv' : 'mp4'}`);
      await recut(path, copy, form);
      videos.push({ path: copy, family, kind });
    }
  }
  return videos;
}

/** A manifest of these files. */
export function writeList(file, paths) {
  writeFileSync(file, `path\n${paths.join('\n')}\n`);
  return file;
}

/** Pairs that `index.duplicates` gives, by number of their videos. */
export async function pairsOfIndex(encoder, videos, db, options) {
  const list = writeList(
    `${db}.csv`,
    videos.map(({ path }) => path),
  );
  await indexVideos({ weights: encoder, data: list, db, windows: { every: EVERY } });
  const numbers = new Map(videos.map(({ path }, i) => [path, i]));
  const index = await VideoIndex.open(db);
  try {
    const began = performance.now();
    const { pairs, threshold, expectedPrecision } = await index.duplicates(options);
    const seconds = (performance.now() - began) / 1000;
    const numbered = pairs.map(({ first, second, similarity }) => ({
      ...{ a: numbers.get(first.path), b: numbers.get(second.path), similarity },
    }));
    return { threshold, expectedPrecision, seconds, pairs: numbered };
  } finally {
    await index.close();
  }
}

/** The same of hashes: pairs that are alike at all, as most are not. */
export async function pairsOfHashes(videos, file, average) {
  if (!existsSync(file)) {
    const hashes = [];
    for (const { path } of videos) hashes.push([...(await hashVideo(path))]);
    writeFileSync(file, JSON.stringify(hashes));
  }
  const hashes = JSON.parse(readFileSync(file, 'utf8')).map((words) => Uint32Array.from(words));
  const pairs = [];
  for (let b = 0; b < hashes.length; b++)
    for (let a = 0; a < b; a++) {
      const similarity = likenessOf(hashes[a], hashes[b], average);
      if (similarity > 0.6) pairs.push({ a, b, similarity });
    }
  return { pairs };
}

/** Precision and recall of the pairs from a likeness on; recall of each kind is that of a clip and its copy. */
export function score(videos, pairs, threshold) {
  const found = pairs.filter(({ similarity }) => similarity >= threshold);
  const right = found.filter(({ a, b }) => videos[a].family === videos[b].family);
  const families = new Set(videos.map(({ family }) => family)).size;
  const perFamily = ((KINDS.length + 1) * KINDS.length) / 2;
  const isOf = (kind, { a, b }) => {
    const kinds = [videos[a].kind, videos[b].kind];
    return kinds.includes('original') && kinds.includes(kind);
  };
  return {
    threshold,
    found: found.length,
    right: right.length,
    duplicates: families * perFamily,
    families,
    kinds: KINDS.map((kind) => right.filter((pair) => isOf(kind, pair)).length),
  };
}

const f1 = ({ found, right, duplicates }) => (2 * right) / (found + duplicates);

/** The likeness from which on F1 is highest. */
export function bestThreshold(videos, pairs) {
  const falling = [...pairs].sort((x, y) => y.similarity - x.similarity);
  const { duplicates } = score(videos, [], 1);
  let best = { threshold: 1, f1: -1 };
  let right = 0;
  for (const [i, { a, b, similarity }] of falling.entries()) {
    if (videos[a].family === videos[b].family) right++;
    if (falling[i + 1]?.similarity === similarity) continue;
    const value = f1({ found: i + 1, right, duplicates });
    if (value > best.f1) best = { threshold: similarity, f1: value };
  }
  return best;
}
