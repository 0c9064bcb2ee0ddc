// Copies of videos as other people make them: a part of one, cropped, at another size, rate, codec and quality; and long
// videos joined of short ones. All by the package's own loader and writer.
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { plainAugment } from '../dist/esm/data/augment/draw-augment.js';
import { PLAN_VERSION } from '../dist/esm/data/plan.js';
import { drawSyntheticSource } from '../dist/esm/data/synthetic.js';
import { readFacts, videoRow } from '../dist/esm/embed/video-facts.js';
import { loadEngine } from '../dist/esm/native/load.js';

const engine = loadEngine();
const loader = engine.createLoader({ threads: 2, cacheBytes: 2 ** 28 });
/** Pictures that are made at once: more of them take memory, and longer. */
const AT_ONCE = 16;

/** Encoders that every FFmpeg has, with the suffix of a file that takes them. */
export const CODECS = [
  { codec: 'mpeg4', suffix: 'mp4' },
  { codec: 'mjpeg', suffix: 'avi' },
  { codec: 'mpeg2video', suffix: 'mkv' },
];

/** The whole of it, as `crop` of a clip plan has it. */
export const WHOLE = [0, 0, 1, 1];

/** What a video is: its source, seconds from its first picture to the end of its last, and size as displayed. */
export async function lookInto(path) {
  const row = await videoRow(path);
  const { times, end, width, height } = await readFacts(engine, row);
  return { source: row.source, first: times[0], seconds: end - times[0], width, height };
}

/** Pictures of a video at seconds from its beginning, as bytes (T, H, W, 3). */
export async function picturesOf(video, seconds, form) {
  const parts = [];
  for (let at = 0; at < seconds.length; at += AT_ONCE)
    parts.push(await somePictures(video, seconds.slice(at, at + AT_ONCE), form));
  return Buffer.concat(parts);
}

async function somePictures({ source, first = 0 }, seconds, { width, height, crop = WHOLE, shrink = 1 }) {
  const clip = {
    ...{ source, modality: 'rgb', times: seconds.map((at) => first + at), height, width, shrink },
    ...{ augment: [plainAugment(crop)], input: 'rgb', mean: [0, 0, 0], std: [1, 1, 1] },
  };
  const views = [{ name: 'pictures', clips: [clip] }];
  const { batch, failures } = await loader.load({ version: PLAN_VERSION, views });
  try {
    if (failures[0]) throw new Error(`${failures[0].path}: ${failures[0].reason}`);
    const floats = batch.toFloat32('pictures');
    const bytes = new Uint8Array(floats.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = 255 * floats[i] + 0.5;
    return bytes;
  } finally {
    batch.dispose();
  }
}

/** Middles of the pictures of so many seconds, at a rate. */
export function momentsOf(start, seconds, fps) {
  return Array.from({ length: Math.max(1, Math.round(seconds * fps)) }, (_, i) => start + (i + 0.5) / fps);
}

/** Under its name only when it is whole: a call that was stopped makes it again. */
async function writeWhole(path, pictures, { width, height, fps, codec = 'mpeg4', quality = 3 }) {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = join(dirname(path), `.part-${basename(path)}`);
  const shape = [pictures.length / (3 * width * height), height, width];
  await engine.writeVideo(temporary, pictures, shape, { fps, codec, quality });
  renameSync(temporary, path);
}

/** A part of a video as a file of its own. */
export async function recut(from, to, { start = 0, seconds, fps, ...form }) {
  if (existsSync(to)) return;
  const video = await lookInto(from);
  const moments = momentsOf(start, seconds ?? video.seconds - start, fps);
  await writeWhole(to, await picturesOf(video, moments, form), { fps, ...form });
}

/** One file of several shots, each shown for so many seconds: a video, or a drawn source. */
export async function joined(shots, to, { fps, ...form }) {
  if (existsSync(to)) return;
  const parts = [];
  for (const { video, seconds } of shots)
    parts.push(
      video.source.kind === 'synthetic'
        ? await engine.renderSynthetic(video.source, momentsOf(0, seconds, fps), form.height, form.width)
        : await picturesOf(video, momentsOf(0, seconds, fps), { ...form, crop: fitCrop(video, form) }),
    );
  await writeWhole(to, Buffer.concat(parts), { fps, ...form });
}

/** The largest part in the middle that has the form of the wanted picture. */
function fitCrop({ width, height }, form) {
  const wide = Math.min(1, (height * form.width) / form.height / width);
  const high = Math.min(1, (width * form.height) / form.width / height);
  return [(1 - wide) / 2, (1 - high) / 2, (1 + wide) / 2, (1 + high) / 2];
}

/** Shot `index` of the procedural motion set. */
export function drawnShot(seed, index, split) {
  return { source: drawSyntheticSource(seed, index, { split }).source };
}
