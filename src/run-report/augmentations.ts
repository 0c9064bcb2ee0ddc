/** What augmentation does to clips: whole pictures, and the views that the run makes of them, from its own plans. */
import { isRecord } from '../config/raw.js';
import { plainAugment } from '../data/augment/draw-augment.js';
import { loadManifest } from '../data/manifest.js';
import type { BatchPlan, ClipPlan, FrameAugment } from '../data/plan.js';
import { BatchPlanner } from '../data/planner.js';
import { Quarantine } from '../data/quarantine.js';
import { bareRow } from '../data/rows.js';
import { sourceName } from '../data/source-key.js';
import { readFacts } from '../embed/video-facts.js';
import { toVsslError } from '../errors.js';
import { resolveConfig, type TrainConfig } from '../methods/config.js';
import { getMethod } from '../methods/registry.js';
import type { EngineAddon, NativeLoader } from '../native/bindings.js';
import { showClip, type ThumbnailOrReason } from '../report/thumbnails.js';
import type { ReadRun } from './read-run.js';

/** A view, and the whole picture that it was cut from. */
export interface ShownView {
  readonly name: string;
  /** What was done, in words. */
  readonly done: readonly string[];
  /** Of the first frame: x0, y0, x1, y1 in fractions of the picture. */
  readonly crop: FrameAugment['crop'];
  readonly after: ThumbnailOrReason;
}

export interface ShownSample {
  readonly path: string;
  readonly before: ThumbnailOrReason;
  readonly views: readonly ShownView[];
}

/** Of a run, as many as one looks at. */
const SAMPLES = 4;
const FRAMES = 8;
const LARGEST = 112;
const QUALITY = 6;

/** The first samples of a run. Empty, and why in `warnings`, where their views cannot be made again. */
export async function showAugmentations(
  run: ReadRun,
  engine: EngineAddon,
  loader: NativeLoader,
  warnings: string[],
): Promise<ShownSample[]> {
  try {
    const plan = run.plan ?? (await planAgain(run, engine));
    const samples: ShownSample[] = [];
    for (let sample = 0; sample < SAMPLES; sample++) {
      const clips = clipsOf(plan, sample);
      if (clips.length > 0) samples.push(await showSample(clips, engine, loader));
    }
    return samples;
  } catch (error) {
    warnings.push(`no views of ${run.name}: ${toVsslError(error).message}`);
    return [];
  }
}

/** Plans are a function of the configuration: a sample's does not hang on how many are planned. */
async function planAgain({ config, totalSteps }: ReadRun, engine: EngineAddon): Promise<BatchPlan> {
  const resolved = resolveConfig(config as unknown as TrainConfig);
  const method = getMethod(resolved.method);
  const manifest = await loadManifest(String(resolved.data.path));
  const planner = new BatchPlanner({
    config: { ...resolved, train: { ...resolved.train, batch: Math.min(SAMPLES, resolved.train.batch) } },
    totalSteps: totalSteps ?? 1,
    manifest,
    getFacts: (row) => readFacts(engine, row),
    quarantine: new Quarantine(),
    planViews: (context) => method.planViews(context, resolved),
  });
  return (await planner.planBatch(0)).batch.plan;
}

interface NamedClip {
  readonly name: string;
  readonly clip: ClipPlan;
}

/** Views of a sample that are clips. A file that somebody wrote may hold anything. */
export function clipsOf({ views }: BatchPlan, sample: number): NamedClip[] {
  return views.flatMap(({ name, clips, rows }) => {
    const clip = clips?.[rows ? rows.indexOf(sample) : sample];
    return isRecord(clip) && isRecord(clip.source) && Array.isArray(clip.times) && Array.isArray(clip.augment)
      ? [{ name: String(name), clip: clip as unknown as ClipPlan }]
      : [];
  });
}

async function showSample(
  clips: readonly NamedClip[],
  engine: EngineAddon,
  loader: NativeLoader,
): Promise<ShownSample> {
  const views: ShownView[] = [];
  for (const { name, clip } of clips)
    views.push({
      ...{ name, done: inWords(clip), crop: clip.augment[0]!.crop },
      after: await attempt(() => showClip(engine, loader, shownForm(clip), QUALITY, unitOf(clip))),
    });
  const { clip } = clips[0]!;
  const path = sourceName(clip.source);
  const before = await attempt(async () => {
    const { width, height } = await sizeOf(clip, engine);
    const scale = LARGEST / height;
    const whole = { ...shownForm(clip), modality: 'rgb', augment: [plainAugment([0, 0, 1, 1])] } as const;
    const { next: _next, flow: _flow, background: _background, ...rgb } = whole;
    const size = { height: LARGEST, width: Math.max(16, Math.min(4 * LARGEST, Math.round(width * scale))) };
    return await showClip(engine, loader, { ...rgb, ...size, shrink: 1 }, QUALITY);
  });
  return { path, before, views };
}

async function attempt(show: () => Promise<ThumbnailOrReason>): Promise<ThumbnailOrReason> {
  return await show().catch((error) => ({ reason: toVsslError(error).message }));
}

async function sizeOf({ source }: ClipPlan, engine: EngineAddon): Promise<{ width: number; height: number }> {
  if (source.kind === 'synthetic') return { width: Number(source.width), height: Number(source.height) };
  return await readFacts(engine, bareRow('clip', sourceName(source), source));
}

/** Some frames of a clip in plain colours, no larger than a page shows them. */
function shownForm(clip: ClipPlan): ClipPlan {
  const length = clip.times.length;
  const count = Math.min(FRAMES, length);
  const kept = Array.from({ length: count }, (_, i) => Math.floor((i * length) / count));
  const pick = <T>(all: readonly T[]) => (all.length === 1 ? all : kept.map((i) => all[i]!));
  const scale = Math.min(1, LARGEST / Math.max(clip.height, clip.width));
  return {
    ...clip,
    times: kept.map((i) => clip.times[i]!),
    ...(clip.next && { next: kept.map((i) => clip.next![i]!) }),
    ...(clip.background && {
      background: { ...clip.background, times: kept.map((i) => clip.background!.times[i]!) },
    }),
    height: Math.max(1, Math.round(clip.height * scale)),
    width: Math.max(1, Math.round(clip.width * scale)),
    // blur is in pixels of the clip
    augment: pick(clip.augment).map((one) => ({
      ...one,
      blur: one.blur * scale,
      blurRadius: one.blur > 0 ? Math.max(1, Math.round(one.blurRadius * scale)) : one.blurRadius,
    })),
    ...{ input: 'rgb', mean: [0, 0, 0], std: [1, 1, 1] },
  };
}

/** Pixels a frame that flow shows as full colour. */
const FULL_FLOW = 8;

function unitOf({ modality }: ClipPlan): (value: number) => number {
  if (modality === 'difference') return (value) => 0.5 + value / 2;
  if (modality === 'flow') return (value) => 0.5 + value / (2 * FULL_FLOW);
  return (value) => value;
}

/** What was done to the first frame, and whether to each another. */
export function inWords({ modality, augment, times, background }: ClipPlan): string[] {
  const { crop, flip, color, gray, blur, solarize } = augment[0]!;
  const [x0, y0, x1, y1] = crop;
  const share = Math.round(100 * (x1 - x0) * (y1 - y0));
  const amount = (value: number) => Number(value.toFixed(2));
  return [
    `${times[0]?.toFixed(1)} to ${times.at(-1)?.toFixed(1)} s`,
    ...(modality === 'rgb' ? [] : [modality]),
    `${share} % of the picture`,
    ...(flip ? ['mirrored'] : []),
    ...(background ? ['background of another video'] : []),
    ...color.map(({ op, value }) =>
      op === 'hue' ? `hue turned by ${amount(360 * value)}°` : `${op} ×${amount(value)}`,
    ),
    ...(gray ? ['grey'] : []),
    ...(blur > 0 ? [`blurred, σ ${amount(blur)}`] : []),
    ...(solarize === null ? [] : ['solarised']),
    ...(augment.length > 1 ? ['each frame another way'] : []),
  ];
}
