// Pieces of long videos, re-encoded, looked for in an index of the videos by `searchVideos`: is the right video first, and
// does the place begin where the piece was cut?
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadManifest } from '../dist/esm/data/manifest.js';
import { Rng } from '../dist/esm/data/rng.js';
import { indexVideos, searchVideos } from '../dist/esm/index.js';
import { CODECS, drawnShot, joined, lookInto, recut } from './recut.mjs';

/** Seconds from one window of the index to the next, by which a start may be off. */
const EVERY = 1;
const LONG_FORM = { width: 160, height: 120, fps: 25, quality: 3 };

/** Shots of 1.5 to 4.5 s of the procedural motion set, until a video is long enough. */
export async function makeDrawnVideos(folder, { count, seconds, seed }) {
  const rng = new Rng('long videos', seed);
  const videos = [];
  let next = 0;
  for (let i = 0; i < count; i++) {
    const shots = [];
    for (let sum = 0; sum < seconds; sum += shots.at(-1).seconds)
      shots.push({ video: drawnShot(seed, next++, 'long'), seconds: rng.uniform(1.5, 4.5) });
    videos.push(join(folder, `video${i}.mp4`));
    await joined(shots, videos.at(-1), { ...LONG_FORM, width: 96, height: 96 });
  }
  return videos;
}

/** Real clips one after another, in an order of their own, until a video is long enough. */
export async function makeJoinedVideos(folder, { count, seconds, seed, data }) {
  const { rows } = await loadManifest(data);
  const paths = new Rng('joined videos', seed).shuffle(rows.map(({ path }) => path));
  const videos = [];
  for (let i = 0; i < count; i++) {
    const shots = [];
    for (let sum = 0; sum < seconds && paths.length > 0; sum += shots.at(-1).seconds) {
      const video = await lookInto(paths.pop());
      shots.push({ video, seconds: video.seconds });
    }
    videos.push(join(folder, `video${i}.mp4`));
    await joined(shots, videos.at(-1), LONG_FORM);
  }
  return videos;
}

/** Parts of 3 to 10 s at random, each in a form of its own. */
export async function cutPieces(videos, folder, { count, seed }) {
  const pieces = [];
  for (let i = 0; i < count; i++) {
    const rng = new Rng('pieces', seed, i);
    const of = videos[rng.int(videos.length)];
    const whole = await lookInto(of);
    const seconds = rng.uniform(3, 10);
    const start = rng.uniform(0, whole.seconds - seconds);
    const { codec, suffix } = CODECS[rng.int(CODECS.length)];
    const factor = rng.uniform(0.6, 1.3);
    const form = {
      ...{ codec, quality: 5 + rng.int(10), fps: [24, 25, 30][rng.int(3)] },
      width: 2 * Math.round((factor * whole.width) / 2),
      height: 2 * Math.round((factor * whole.height) / 2),
    };
    const path = join(folder, `piece${i}.${suffix}`);
    await recut(of, path, { start, seconds, ...form });
    pieces.push({ path, of, start });
  }
  return pieces;
}

/** A list of parts of 3 s of each video, to train on: two clips of one part show much the same. */
export async function writeParts(videos, file) {
  const lines = [];
  for (const path of videos) {
    const { seconds } = await lookInto(path);
    for (let start = 0; start + 3 <= seconds; start += 1.5) lines.push(`${path},${start},${start + 3}`);
  }
  writeFileSync(file, `path,start,end\n${lines.join('\n')}\n`);
  return file;
}

/** Where each piece was found. */
export async function findPieces(encoder, data, pieces, db) {
  mkdirSync(db, { recursive: true });
  const { windows } = await indexVideos({ weights: encoder, data, db, windows: { every: EVERY } });
  const found = [];
  let seconds = 0;
  for (const { path, of, start } of pieces) {
    const result = await searchVideos({ db, clip: path, weights: encoder, top: 1 });
    const [hit] = result.hits;
    const right = hit?.path === of;
    seconds += result.seconds;
    found.push({ right, near: right && Math.abs(hit.start - start) <= EVERY });
  }
  return {
    windows,
    pieces: found.length,
    right: found.filter(({ right }) => right).length,
    near: found.filter(({ near }) => near).length,
    seconds: seconds / found.length,
  };
}
