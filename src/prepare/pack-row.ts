/** One video of `prepare`: its pictures, and their flow, decoded stretch by stretch into files of their own. */
import { createHash } from 'node:crypto';
import { mkdir, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { encodeName } from '../data/file-names.js';
import { neighbourTimes } from '../data/motion-clip.js';
import {
  type CopyFormat,
  countFields,
  FLOW_SUFFIX,
  JPEG_SUFFIX,
  PACKED_SUFFIX,
  type PackedShape,
  packedSource,
} from '../data/packed.js';
import type { ClipPlan, VideoFacts } from '../data/plan.js';
import type { VideoRow } from '../data/rows.js';
import { clipTimes, makeClock } from '../data/samplers/clock.js';
import { chooseShrink } from '../data/shrink.js';
import { sourceStamps } from '../data/source-key.js';
import { evenTimes, readFacts } from '../embed/video-facts.js';
import { VsslError } from '../errors.js';
import type { EngineAddon, NativeLoader } from '../native/bindings.js';
import { type WriteOperations, writeFileAtomic } from '../weights/atomic-write.js';
import { plainClip } from './plain-clip.js';
import { encodeStretches, readStretches, STRETCH, stretchesOf, toBytes, toHalves } from './stretches.js';

/** What the folder of a copy is begun with: all of its videos have the same. */
export interface PackSettings {
  readonly shortSide: number;
  readonly fps: number | null;
  readonly format: CopyFormat;
  /** Of JPEG, 1 (best) to 31; null of raw pictures. */
  readonly quality: number | null;
}

/** The parts of the engine that a copy is made with. */
export type Packer = Pick<EngineAddon, 'indexVideo' | 'createVideoWriter'>;

/** A finished video. */
export interface Entry extends PackedShape {
  /** Of the row. */
  readonly id: string;
  /** Another stamp means another video. */
  readonly stamp: string;
  /** Files, relative to the copy's folder. */
  readonly path: string;
  readonly flow: string | null;
  /** Of all of its files. */
  readonly bytes: number;
  /** Settings it was made with. */
  readonly shortSide: number;
  readonly rate: number | null;
}

export interface PackJob {
  readonly row: VideoRow;
  readonly out: string;
  readonly settings: PackSettings;
  readonly flow: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly operations?: WriteOperations | undefined;
}

/** Writes the video's files, unless `before` says that they are there. */
export async function packRow(
  engine: Packer,
  loader: NativeLoader,
  job: PackJob,
  before: Entry | undefined,
): Promise<{ entry: Entry; made: boolean }> {
  const { row, out, settings, flow } = job;
  const stamp = await stampOf(row);
  const kept = before?.stamp === stamp && (await isWhole(out, before)) ? before : undefined;
  if (kept && (!flow || kept.flow !== null)) return { entry: kept, made: false };

  const path = kept?.path ?? fileName(row, settings.format);
  const { bytes, ...shape } = kept ?? (await packPictures(engine, loader, job, path));
  const flowPath = flow ? path.slice(0, -PACKED_SUFFIX.length) + FLOW_SUFFIX : null;
  if (flowPath !== null) await packFlow(loader, job, join(out, path), shape, join(out, flowPath));
  const { frames, height, width, fps } = shape;
  const { shortSide, fps: rate } = settings;
  const made = { id: row.id, stamp, path, flow: flowPath, frames, height, width, fps };
  const all = bytes + (flowPath === null ? 0 : flowSizeOf(shape));
  return { entry: { ...made, bytes: all, shortSide, rate }, made: true };
}

/** What the file of the pictures holds, and its bytes. */
async function packPictures(
  engine: Packer,
  loader: NativeLoader,
  job: PackJob,
  path: string,
): Promise<PackedShape & { readonly bytes: number }> {
  const { row, out, settings, operations } = job;
  const facts = await readFacts(engine, row);
  const clock = makeClock(facts, { start: row.start, end: row.end, fps: settings.fps });
  const size = sizeFor(facts, settings.shortSide);
  const shape = { frames: clock.frames, ...size, fps: 1 / clock.period };
  const shrink = chooseShrink('auto', facts.width, facts.height, Math.min(size.height, size.width));
  const frame = plainClip(row.source, size, shrink);
  function* plans(): Generator<ClipPlan> {
    for (let i = 0; i < clock.frames; i += STRETCH)
      yield { ...frame, times: clipTimes(clock, i, Math.min(STRETCH, clock.frames - i), 1) };
  }
  const file = join(out, path);
  await mkdir(dirname(file), { recursive: true });
  const pictures = readStretches(loader, plans(), toBytes, job.signal);
  if (settings.format === 'raw') {
    await checkRoom(job, shape, sizeOf(shape) + (job.flow ? flowSizeOf(shape) : 0));
    await writeFileAtomic(file, pictures, operations);
  } else {
    const options = { codec: 'mjpeg', fps: shape.fps, quality: settings.quality ?? undefined };
    const openWriter = () => engine.createVideoWriter(size.height, size.width, options);
    const onFirst = (ratio: number) => checkRoom(job, shape, ratio * sizeOf(shape));
    await writeFileAtomic(file, encodeStretches(openWriter, pictures, onFirst), operations);
  }
  return { ...shape, bytes: (await stat(file)).size };
}

/** Refuses a copy that its disk has no room for, before it is filled: a rate may ask for any number of frames. */
async function checkRoom({ out, row: { path } }: PackJob, shape: PackedShape, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(out);
  if (bytes <= bavail * bsize) return;
  const gigabytes = (n: number) => `${Number((n / 2 ** 30).toPrecision(3))} GB`;
  const { frames, height, width, fps } = shape;
  throw new VsslError(
    'ERR_VSSL_WRITE',
    `the copy of ${path} needs ${gigabytes(bytes)} (${frames} frames of ${width} x ${height}, ${Number(fps.toPrecision(3))} a second) ` +
      `and the disk of ${out} has room for ${gigabytes(bavail * bsize)}; take a smaller --short-side or a lower --fps`,
    { details: { path, out, bytes, frames } },
  );
}

async function packFlow(
  loader: NativeLoader,
  job: PackJob,
  packed: string,
  shape: PackedShape,
  file: string,
): Promise<void> {
  const source = packedSource(packed, shape);
  const { times, next } = neighbourTimes(factsOfPacked(packed, shape));
  const nexts = stretchesOf(next);
  const plans = stretchesOf(times).map(
    (part, i): ClipPlan => ({
      ...plainClip(source, shape),
      modality: 'flow',
      times: part,
      next: nexts[i] as number[],
    }),
  );
  await writeFileAtomic(file, readStretches(loader, plans, toHalves, job.signal), job.operations);
}

/** What training clips of the packed file are planned by. */
function factsOfPacked(path: string, { frames, height, width, fps }: PackedShape): VideoFacts {
  return { path, codec: 'packed', width, height, warnings: [], ...evenTimes(frames, fps) };
}

/** Height and width with the wanted short side; never larger than the video. */
function sizeFor({ width, height }: VideoFacts, shortSide: number): { height: number; width: number } {
  const scale = Math.min(1, shortSide / Math.min(width, height));
  return { height: Math.round(height * scale), width: Math.round(width * scale) };
}

/** clips/3f/wave_01-3fa2b4c6d8.rgb8: readable, and different for rows that differ. */
function fileName({ id }: VideoRow, format: CopyFormat): string {
  const hash = createHash('sha256').update(encodeName(id)).digest('hex').slice(0, 12);
  const last = id.split('/').at(-1) ?? '';
  const readable = last.replace(/[^A-Za-z0-9._-]+/g, '_').slice(0, 60);
  return `clips/${hash.slice(0, 2)}/${readable}-${hash}${format === 'raw' ? PACKED_SUFFIX : JPEG_SUFFIX}`;
}

/** Of all that the row says of its video, and of the size and time of its files. */
async function stampOf({ source, start, end, facts }: VideoRow): Promise<string> {
  const files = await sourceStamps(source);
  const given = facts && { ...facts, times: Array.from(facts.times) };
  return createHash('sha256')
    .update(JSON.stringify({ source, start, end, facts: given, files }))
    .digest('hex');
}

/** Whether the files of an entry have the sizes that they should have. */
async function isWhole(out: string, entry: Entry): Promise<boolean> {
  const has = async (path: string, bytes: number) =>
    (await stat(join(out, path)).catch(() => null))?.size === bytes;
  const flow = entry.flow === null ? 0 : flowSizeOf(entry);
  return (
    (await has(entry.path, entry.bytes - flow)) && (entry.flow === null || (await has(entry.flow, flow)))
  );
}

function sizeOf({ frames, height, width }: PackedShape): number {
  return frames * height * width * 3;
}

function flowSizeOf({ frames, height, width }: PackedShape): number {
  return countFields(frames) * height * width * 4;
}
