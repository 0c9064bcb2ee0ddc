/** What an evaluation works with: the encoders, one loader for all of them, and the features that they give. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type ClipFormat, planEvaluationClips } from '../data/clip-plan.js';
import type { FactsIndex } from '../data/facts-index.js';
import type { ClipPlan } from '../data/plan.js';
import type { VideoRow } from '../data/rows.js';
import type { EncoderOptions } from '../embed/encoder-options.js';
import { type ExtractedFeatures, extractFeatures } from '../embed/extract-features.js';
import type { ClipEmbedder, ClipViews, FeatureOptions } from '../embed/features.js';
import { noneUsable, type UnusableVideo, unusableVideo, warnOfLostClips } from '../embed/unusable.js';
import { VideoEncoder } from '../embed/video-encoder.js';
import { openFacts } from '../embed/video-facts.js';
import type { VsslError } from '../errors.js';
import type { EngineAddon, NativeLoader } from '../native/bindings.js';
import { openEngine } from '../native/load.js';
import { calibrateEncoder } from './calibrate.js';
import type { EvaluationData } from './evaluation-data.js';
import { type FeatureMatrix, selectRows } from './feature-matrix.js';
import { floorEmbedder, splitFloors } from './floor-embedder.js';
import type { FloorName } from './floors.js';
import { type Augmentation, planInstancePair } from './instance-windows.js';
import { EVALUATION_PRECISION } from './precision.js';
import { type Stage, type StagedFeatures, wholeStage } from './staged-features.js';

export interface ExtractorOptions extends EncoderOptions {
  /** Run folder, whose index of video files is shared. */
  readonly run?: string;
  /** Windows of each video whose vectors are averaged. Default 3. */
  readonly windows?: number;
  /** Crops of each window. Default 1, the centre. */
  readonly crops?: 1 | 3;
  /** Frames of a clip; more than in training are read with the same stride. Default: as in training. */
  readonly frames?: number;
  /** Cells of time, height and width whose means are put side by side. Default 1, 1, 1: the mean of all. */
  readonly pool?: PoolGrid;
  /** `random`: also the same architecture untrained, with BatchNorm statistics of the training videos. */
  readonly baseline?: 'random';
  /** Seed of the baseline's weights. Default 0. */
  readonly baselineSeed?: number;
  /** Also what raw pixels achieve (see floors.ts). */
  readonly floors?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: {
    readonly stage: string;
    readonly done: number;
    readonly total: number;
  }) => void;
}

/** Cells that a feature map is cut into: time, height, width. */
export type PoolGrid = readonly [time: number, height: number, width: number];

/** One matrix for each representation, all over the same rows. */
export interface Representations {
  readonly trained: FeatureMatrix;
  readonly random?: FeatureMatrix;
  readonly floors?: Readonly<Record<FloorName, FeatureMatrix>>;
}

/** What an evaluation works with: encoders, loader, data, and what was found wrong on the way. */
export class FeatureExtractor {
  readonly failures: UnusableVideo[] = [];
  readonly warnings: string[];
  /** Of the clips: that of the weights, with as many frames as are asked for. */
  readonly format: ClipFormat;
  readonly #options: ExtractorOptions;
  readonly #embedders: readonly ClipEmbedder[];
  readonly #saved: StagedFeatures | null;

  private constructor(
    readonly engine: EngineAddon,
    readonly loader: NativeLoader,
    readonly encoder: VideoEncoder,
    readonly random: VideoEncoder | null,
    readonly data: EvaluationData,
    readonly facts: FactsIndex,
    options: ExtractorOptions,
    saved: StagedFeatures | null,
  ) {
    this.#options = options;
    this.#saved = saved;
    this.warnings = [...data.warnings];
    const { description } = encoder;
    const { frames = description.clip.frames, pool } = options;
    this.format = { ...description, clip: { ...description.clip, frames } };
    this.#embedders = [
      encoder.embedder(pool),
      ...(random ? [random.embedder(pool)] : []),
      ...(options.floors ? [floorEmbedder(this.#pixelView)] : []),
    ];
  }

  /** `saved`: embedded before; nothing is embedded here. */
  static async open(
    weights: string,
    data: EvaluationData,
    options: ExtractorOptions,
    saved: StagedFeatures | null = null,
  ): Promise<FeatureExtractor> {
    const { device, threads, baseline, baselineSeed: seed = 0 } = options;
    const { precision = EVALUATION_PRECISION } = options;
    const engine = await openEngine(device);
    const encoder = await VideoEncoder.load(weights, { device, threads, precision });
    let random: VideoEncoder | null = null;
    try {
      if (baseline && !saved)
        random = await VideoEncoder.createLike(encoder.description, { device, threads, precision, seed });
    } catch (error) {
      await encoder.dispose();
      throw error;
    }
    // windows overlap, and the floors look at the same pictures: a small cache saves decoding twice
    const loader = engine.createLoader({
      threads: threads ?? availableParallelism(),
      cacheBytes: 256 * 2 ** 20,
    });
    const kept = options.run === undefined ? null : join(options.run, 'video-index.jsonl');
    const facts = await openFacts(engine, kept);
    const extractor = new FeatureExtractor(engine, loader, encoder, random, data, facts, options, saved);
    try {
      if (random) {
        extractor.#progress('baseline', 0, 1);
        const rows = data.trainRows.map((row) => data.rows[row]!);
        await calibrateEncoder(
          random,
          loader,
          rows,
          async (row) => (await extractor.#windows(row, 1, 1))[0]!,
          options.signal,
        );
      }
      return extractor;
    } catch (error) {
      await extractor.close();
      throw error;
    }
  }

  /** The windows of `rows` (numbers of data rows), embedded; unusable videos are noted and left out. */
  async extractWindows(rows: readonly number[]): Promise<ExtractedFeatures> {
    const { windows = 3, crops = 1 } = this.#options;
    const extracted = await this.#extract('features', rows, async (row) =>
      this.#withPixels(await this.#windows(this.data.rows[row]!, windows, crops)),
    );
    this.note(extracted.failures.map(({ index, error }) => ({ row: rows[index]!, error })));
    const pathOf = (index: number) => this.data.rows[rows[index]!]!.path;
    this.warnings.push(
      ...warnOfLostClips(
        extracted.damaged.map(({ index, lostClips }) => ({ path: pathOf(index), lostClips })),
      ),
    );
    return extracted;
  }

  /** Mean features over the windows of `rows`, of those that can be used. */
  async windowFeatures(rows: readonly number[]): Promise<{ kept: readonly number[]; of: Representations }> {
    const extracted = await this.extractWindows(rows);
    if (extracted.kept.length === 0) throw noneUsable(rows.length, this.failures);
    return { kept: extracted.kept.map((i) => rows[i]!), of: this.#representations(extracted) };
  }

  /** Both clips of instance retrieval, embedded. */
  async extractPairs(
    rows: readonly number[],
    augment: Augmentation,
    seed: number,
  ): Promise<ExtractedFeatures> {
    const plan = async (row: number) => {
      const video = this.data.rows[row]!;
      const facts = await this.facts.get(video);
      return planInstancePair({ row: video, facts, format: this.format, augment, seed });
    };
    const items = rows.flatMap((row) => [{ row, role: 'gallery' } as const, { row, role: 'query' } as const]);
    const extracted = await this.#extract('instances', items, async ({ row, role }) =>
      this.#withPixels([(await plan(row))[role]]),
    );
    this.note(extracted.failures.map(({ index, error }) => ({ row: items[index]!.row, error })));
    return extracted;
  }

  /** Features of both clips of instance retrieval, for the rows where both could be had, which it names. */
  async pairFeatures(
    rows: readonly number[],
    augment: Augmentation,
    seed: number,
  ): Promise<{ rows: readonly number[]; gallery: Representations; query: Representations }> {
    const extracted = await this.extractPairs(rows, augment, seed);
    const place = new Map(extracted.kept.map((item, at) => [item, at]));
    const both = rows.flatMap((_, i) => (place.has(2 * i) && place.has(2 * i + 1) ? [i] : []));
    if (both.length === 0) throw noneUsable(rows.length, this.failures);
    const pick = (role: 0 | 1) =>
      this.#representations(
        extracted,
        both.map((i) => place.get(2 * i + role)!),
      );
    return { rows: both.map((i) => rows[i]!), gallery: pick(0), query: pick(1) };
  }

  async close(): Promise<void> {
    await this.facts.flush();
    this.loader.dispose();
    await this.encoder.dispose();
    await this.random?.dispose();
  }

  /** The floors read plain pixels: the encoder's own clips when those are just that. */
  get #pixelView(): 'clip' | 'pixels' {
    const { input, mean, std } = this.encoder.description;
    return input === 'rgb' && mean.every((v) => v === 0) && std.every((v) => v === 1) ? 'clip' : 'pixels';
  }

  #withPixels(clips: readonly ClipPlan[]): ClipViews {
    if (!this.#options.floors || this.#pixelView === 'clip') return { clip: clips };
    const pixels = clips.map(
      (clip): ClipPlan => ({ ...clip, input: 'rgb', mean: [0, 0, 0], std: [1, 1, 1] }),
    );
    return { clip: clips, pixels };
  }

  async #windows(row: VideoRow, windows: number, crops: 1 | 3): Promise<ClipPlan[]> {
    const { source, start, end } = row;
    const facts = await this.facts.get(row);
    return planEvaluationClips({
      source,
      facts,
      format: this.format,
      windows,
      crops,
      start,
      end,
    });
  }

  async #extract<T>(stage: Stage, items: readonly T[], planClips: FeatureOptions<T>['planClips']) {
    if (this.#saved) return wholeStage(this.#saved, stage, items.length);
    return await extractFeatures(items, {
      loader: this.loader,
      planClips,
      embedders: this.#embedders,
      signal: this.#options.signal,
      onProgress: (done, total) => this.#progress(stage, done, total),
    });
  }

  #representations(extracted: ExtractedFeatures, rows?: readonly number[]): Representations {
    const matrices = extracted.features.map((matrix) => (rows ? selectRows(matrix, rows) : matrix));
    const floors = this.#options.floors ? matrices.at(-1) : undefined;
    return {
      trained: matrices[0]!,
      random: this.#options.baseline ? matrices[1] : undefined,
      floors: floors && splitFloors(floors, this.format.clip.frames),
    };
  }

  /** Adds to `failures`, each video once. */
  note(failures: readonly { readonly row: number; readonly error: VsslError }[]): void {
    for (const { row, error } of failures) {
      const { path } = this.data.rows[row]!;
      if (!this.failures.some((known) => known.path === path)) this.failures.push(unusableVideo(path, error));
    }
  }

  #progress(stage: string, done: number, total: number): void {
    this.#options.onProgress?.({ stage, done, total });
  }
}
