/** What `bench loader` loads: a data set, its copies, and the plans of one batch of each. */
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchInput } from '../bench/case.js';
import type { LoadSource, Pictures } from '../bench/engine/load.js';
import { panOverTexture } from '../bench/engine/textures.js';
import { plainAugment } from '../data/augment/draw-augment.js';
import { formatCsv } from '../data/format-csv.js';
import { loadManifest } from '../data/manifest.js';
import type { BatchPlan, ClipPlan, ClipView } from '../data/plan.js';
import { BatchPlanner } from '../data/planner.js';
import { Quarantine } from '../data/quarantine.js';
import { openFacts } from '../embed/video-facts.js';
import { VsslError } from '../errors.js';
import { loadConfig } from '../methods/config.js';
import { getMethod } from '../methods/registry.js';
import type { EngineAddon } from '../native/bindings.js';
import { openEngine } from '../native/load.js';
import { prepare } from '../prepare/prepare.js';

/** Sizes of the batch, and of the videos that are made where none are given. */
export interface LoaderBenchSizes {
  readonly videos: number;
  readonly frames: number;
  readonly size: number;
  readonly pictures: number;
  readonly height: number;
  readonly width: number;
}

/** Of the copies, and no less than the pictures that are made. */
const SHORT_SIDE = 256;

/** A raw copy rounds colours to 8 bits; JPEG rounds frequencies as well, and halves chroma once more. */
const RAW_TOLERANCE = 0.02;
const JPEG_TOLERANCE = 0.15;

/** Made when they are first asked for. */
export class BenchFiles {
  readonly sizes: LoaderBenchSizes;
  readonly #data: string | null;
  #folder: Promise<string> | null = null;
  #manifest: Promise<string> | null = null;
  readonly #copies = new Map<string, Promise<string>>();

  constructor(data: string | null, sizes: LoaderBenchSizes) {
    this.#data = data;
    this.sizes = sizes;
  }

  async videos(): Promise<LoadSource> {
    const plan = await this.#plan(await this.#videoManifest());
    return { plan, alone: withNothingMade(plan), inputs: await peerInputs(await openEngine(), plan) };
  }

  /** Beside the clips of the videos, whose rows are the same in number and order and so get the same draws. */
  async copy(format: 'raw' | 'jpeg'): Promise<LoadSource> {
    const plan = await this.#plan(await this.#copy(format));
    const twin = {
      what: 'clips, beside those of the videos',
      plan: await this.#plan(await this.#videoManifest()),
      tolerance: format === 'raw' ? RAW_TOLERANCE : JPEG_TOLERANCE,
    };
    return { plan, alone: withNothingMade(plan), twin, inputs: await peerInputs(await openEngine(), plan) };
  }

  /** The pictures of each clip lie in memory. */
  async memory(): Promise<LoadSource> {
    const packed = await this.#plan(await this.#copy('raw'));
    const pictures: Pictures[] = [];
    const place = async (clip: ClipPlan): Promise<ClipPlan> => {
      pictures.push(await readPictures(clip));
      const times = clip.times.map((_, t) => t);
      return { ...clip, source: { kind: 'memory', id: pictures.length, fps: 1 }, times };
    };
    const plan = await mapClips(packed, place);
    const twin = { what: 'clips, beside those of the raw copy', plan: packed, tolerance: 0 };
    const inputs = await peerInputs(await openEngine(), plan);
    pictures.forEach(({ data, shape }, i) => {
      inputs[`pictures ${i + 1}`] = { data, shape: [...shape, 3] };
    });
    return { plan, alone: withNothingMade(plan), twin, pictures, inputs };
  }

  async remove(): Promise<void> {
    if (this.#folder) await rm(await this.#folder, { recursive: true, force: true });
  }

  async #plan(data: string): Promise<BatchPlan> {
    const { videos, frames, size } = this.sizes;
    const clip = [`data.clip.frames=${frames}`, 'data.clip.stride=2', `data.clip.size=${size}`];
    const values = ['data.clip.fps=null', 'data.input=rgb', 'data.normalize.mean=[0.45,0.45,0.45]'];
    const std = 'data.normalize.std=[0.225,0.225,0.225]';
    const config = loadConfig({
      preset: 'cvrl-tiny',
      set: [...clip, ...values, std, `train.batch=${videos}`],
    });
    const method = getMethod(config.method);
    const facts = await openFacts(await openEngine());
    const planner = new BatchPlanner({
      ...{ config, totalSteps: 1, manifest: await loadManifest(data), quarantine: new Quarantine() },
      planViews: (context) => method.planViews(context, config),
      getFacts: (row) => facts.get(row),
    });
    return (await planner.planBatch(0)).batch.plan;
  }

  #videoManifest(): Promise<string> {
    this.#manifest ??= this.#data === null ? this.#writeVideos() : this.#chooseVideos(this.#data);
    return this.#manifest;
  }

  #copy(format: 'raw' | 'jpeg'): Promise<string> {
    const known = this.#copies.get(format);
    if (known) return known;
    const made = (async () => {
      const out = join(await this.#open(), format);
      await prepare({ data: await this.#videoManifest(), out, shortSide: SHORT_SIDE, format });
      return out;
    })();
    this.#copies.set(format, made);
    return made;
  }

  #open(): Promise<string> {
    this.#folder ??= mkdtemp(join(tmpdir(), 'vssl-bench-loader-'));
    return this.#folder;
  }

  /** H.264 at libx264's usual rate where the linked FFmpeg has it, else MPEG-4. */
  async #writeVideos(): Promise<string> {
    const { videos, pictures, height, width } = this.sizes;
    const folder = await this.#open();
    const engine = await openEngine();
    const paths = Array.from({ length: videos }, (_, i) => join(folder, `video-${i}.mp4`));
    for (const [i, path] of paths.entries()) {
      const frames = panOverTexture(pictures, { height, width }, i + 1);
      const write = (codec: string) => engine.writeVideo(path, frames, [pictures, height, width], { codec });
      await write('libx264').catch(() => write('mpeg4'));
    }
    return this.#writeManifest(paths.map((path) => ({ path })));
  }

  /** Evenly over the videos of `data`. */
  async #chooseVideos(data: string): Promise<string> {
    const files = (await loadManifest(data)).rows.filter(({ source }) => source.kind === 'file');
    const { videos } = this.sizes;
    if (files.length < videos)
      throw new VsslError(
        'ERR_VSSL_USAGE',
        `--data: expected ${videos} video files or more, ${data} has ${files.length}`,
      );
    const chosen = Array.from({ length: videos }, (_, i) => files[Math.floor((i * files.length) / videos)]!);
    return this.#writeManifest(chosen.map(({ path, start, end }) => ({ path, start, end })));
  }

  async #writeManifest(rows: Parameters<typeof formatCsv>[1]): Promise<string> {
    const manifest = join(await this.#open(), 'videos.csv');
    await writeFile(manifest, formatCsv(['path', 'start', 'end'], rows));
    return manifest;
  }
}

const clipViews = (plan: BatchPlan) => plan.views as readonly ClipView[];

async function mapClips(
  plan: BatchPlan,
  change: (clip: ClipPlan) => Promise<ClipPlan> | ClipPlan,
): Promise<BatchPlan> {
  const views: ClipView[] = [];
  for (const view of clipViews(plan)) {
    const clips: ClipPlan[] = [];
    for (const clip of view.clips) clips.push(await change(clip));
    views.push({ ...view, clips });
  }
  return { ...plan, views };
}

/** The same pictures of the same files, of which one pixel is made: what is left is decoding. */
function withNothingMade(plan: BatchPlan): BatchPlan {
  const views = clipViews(plan).map((view) => ({
    ...view,
    clips: view.clips.map((clip) => ({
      ...clip,
      height: 1,
      width: 1,
      augment: [plainAugment([0, 0, 1, 1])],
    })),
  }));
  return { ...plan, views };
}

/** The pictures of a clip of a raw copy. */
async function readPictures({ source, times }: ClipPlan): Promise<Pictures> {
  if (source.kind !== 'packed') throw new VsslError('ERR_VSSL_INTERNAL', 'expected a clip of a raw copy');
  const { path, height, width, fps, frames } = source;
  const bytes = height * width * 3;
  const data = new Uint8Array(times.length * bytes);
  const file = await open(path);
  try {
    for (const [t, time] of times.entries()) {
      const place = Math.min(frames - 1, Math.floor(time * fps + 1e-6));
      await file.read(data, t * bytes, bytes, place * bytes);
    }
  } finally {
    await file.close();
  }
  return { data, shape: [times.length, height, width] };
}

/** The plan as other libraries need it: which pictures of a file, and from which of them decoding may begin. */
async function peerInputs(engine: EngineAddon, plan: BatchPlan): Promise<Record<string, BenchInput>> {
  const clips: object[] = [];
  for (const { name, clips: all } of clipViews(plan))
    for (const [row, clip] of all.entries())
      clips.push({ ...clip, name: `${name} ${row}`, ...(await picturesOf(engine, clip)) });
  const data = new TextEncoder().encode(JSON.stringify(clips));
  return { plan: { data, shape: [data.length] } };
}

async function picturesOf(engine: EngineAddon, { source, times }: ClipPlan) {
  if (source.kind !== 'file') {
    const { fps } = source as { fps: number };
    return { pictures: times.map((time) => Math.floor(time * fps + 1e-6)) };
  }
  const index = await engine.indexVideo(source.path);
  const seconds = Array.from(index.times);
  const pictures = times.map((time) =>
    Math.max(
      0,
      seconds.findLastIndex((shown) => shown <= time + 1e-6),
    ),
  );
  return { pictures, seconds, keys: Array.from(index.keys) };
}
