import { checkBoolean, checkCount, checkOptions, checkText } from '../checks.js';
import { planEvaluationClips } from '../data/clip-plan.js';
import type { VideoFacts } from '../data/plan.js';
import type { VideoRow } from '../data/rows.js';
import { checkGrid, type WindowGrid } from '../data/windows.js';
import { toVsslError } from '../errors.js';
import type {
  Floats,
  NamedTensor,
  NativeBatch,
  NativeEncoder,
  NativeMemoryStats,
} from '../native/bindings.js';
import { packageVersion } from '../native/load.js';
import { writeError } from '../weights/atomic-write.js';
import { encoderDigest } from '../weights/encoder-digest.js';
import { type EncoderDescription, readEncoderFile, writeEncoderFile } from '../weights/encoder-file.js';
import { abortable } from './abortable.js';
import { type EmbedStages, embedVideo, embedVideos } from './embed-many.js';
import { embedWindows, type WindowsResult } from './embed-windows.js';
import {
  type CheckedEmbedOptions,
  type CreateEncoderOptions,
  checkClips,
  checkEmbedOptions,
  checkWait,
  describeNew,
  type EmbedManyResult,
  type EmbedOptions,
  type EmbedResult,
  type EmbedRowsOptions,
  type EncoderOptions,
  type InputSize,
  type Precision,
} from './encoder-options.js';
import { type ClipEmbedder, type ClipViews, type FeatureResult, streamFeatures } from './features.js';
import { Lifetime } from './lifetime.js';
import { type OpenEncoder, openEncoder, weightsFile } from './open-encoder.js';
import { openFile } from './open-video.js';
import { openFacts } from './video-facts.js';
import { checkVideos, type VideoInput } from './video-input.js';

/** Name of the one view of the plans made here. */
const kView = 'clip';
/** Batches of embedMany hold one video's clips, and at most this many. */
const kBatchClips = 16;
/** Bytes of decoded pictures that are kept while windows are embedded: neighbours are decoded from the same key frame. */
const kWindowCacheBytes = 2 ** 28;

/**
 * A video encoder with its input pipeline: a file or frames in, one vector of `dim` floats out (pooled features, not
 * normalised). One object serves any number of calls at once; they take turns in the network. Dispose of it with
 * `dispose()` or `await using`; calls after that fail with ERR_VSSL_DISPOSED.
 */
export class VideoEncoder {
  /** Length of a vector. */
  readonly dim: number;
  readonly arch: string;
  /** In which embed and embedMany compute. */
  readonly precision: Precision;
  readonly #description: EncoderDescription;
  readonly #native: NativeEncoder;
  readonly #sources: Omit<OpenEncoder, 'native' | 'precision'>;
  readonly #life: Lifetime;

  private constructor({ native, precision, ...sources }: OpenEncoder, description: EncoderDescription) {
    this.#native = native;
    this.#sources = sources;
    this.#description = structuredClone(description);
    this.dim = native.dim;
    this.arch = description.model.arch;
    this.precision = precision;
    this.#life = new Lifetime(() => {
      native.dispose();
      sources.loader.dispose();
    }, 'this encoder was disposed of: load or create another');
  }

  /**
   * Loads trained weights: a `weights.safetensors` file, or the run folder that holds one. No config is needed.
   * Throws ERR_VSSL_FILE, ERR_VSSL_SAFETENSORS, ERR_VSSL_WEIGHTS, and the errors of loading the engine.
   */
  static async load(path: string, options: EncoderOptions = {}): Promise<VideoEncoder> {
    checkText('path', 'a weights file or a run folder', path);
    checkOptions(options, ['device', 'threads', 'precision']);
    const { description, tensors } = await readEncoderFile(await weightsFile(path));
    const encoder = new VideoEncoder(await openEncoder(description.model, 0, options), description);
    try {
      await encoder.#native.loadWeights(tensors);
    } catch (error) {
      await encoder.dispose();
      throw toVsslError(error);
    }
    return encoder;
  }

  /** An untrained encoder with weights drawn from `seed`. Throws ERR_VSSL_INVALID_ARGUMENT. */
  static async create(options: CreateEncoderOptions): Promise<VideoEncoder> {
    const { description, seed, rest } = describeNew(options);
    return new VideoEncoder(await openEncoder(description.model, seed, rest), description);
  }

  /** An untrained encoder that takes the same input as `description` says: the baseline of an evaluation. */
  static async createLike(
    description: EncoderDescription,
    options: EncoderOptions & { readonly seed?: number } = {},
  ): Promise<VideoEncoder> {
    checkOptions(options, ['device', 'threads', 'precision', 'seed']);
    const { seed = 0, ...rest } = options;
    const open = await openEncoder(description.model, checkCount('seed', seed, 0), rest);
    return new VideoEncoder(open, { ...description, method: 'none', step: 0 });
  }

  /**
   * The vector of a video: the mean over its windows (and crops). With `details`, also what was wrong with the video.
   * Throws ERR_VSSL_VIDEO_* for a video that cannot be used, ERR_VSSL_TOO_LARGE for bytes beyond `maxBytes`,
   * ERR_VSSL_STREAM when a stream fails (its error is the cause), and the signal's reason when it is aborted.
   */
  embed(video: VideoInput, options: EmbedOptions & { readonly details: true }): Promise<EmbedResult>;
  embed(video: VideoInput, options?: EmbedOptions & { readonly details?: false }): Promise<Floats>;
  embed(
    video: VideoInput,
    options?: EmbedOptions & { readonly details?: boolean },
  ): Promise<Floats | EmbedResult>;
  embed(
    video: VideoInput,
    options: EmbedOptions & { readonly details?: boolean } = {},
  ): Promise<Floats | EmbedResult> {
    return this.#life.run(async () => {
      const checked = checkEmbedOptions(options, ['details']);
      if (options.details !== undefined) checkBoolean('details', options.details);
      // not this.embedder(): a call that began before dispose() is finished
      const embedder = { embed: (batch: NativeBatch) => this.#native.embed(batch, kView) };
      // tracked by itself: after an abort it goes on for a while, and dispose() has to wait for it
      const work = this.#life.track(embedVideo(video, this.#stages(checked, embedder)));
      const result = await abortable(work, checked.signal);
      return options.details ? result : result.vector;
    });
  }

  /**
   * Vectors of many videos, in order. Reads no further ahead than a few videos of what the consumer has taken; a video
   * that cannot be used comes as `{ path, index, error }` and ends nothing. An aborted signal throws its reason.
   */
  async *embedMany(
    videos: Iterable<VideoInput> | AsyncIterable<VideoInput>,
    options: EmbedOptions = {},
  ): AsyncGenerator<EmbedManyResult, void, undefined> {
    const checked = checkEmbedOptions(options);
    checkVideos(videos);
    yield* this.#life.stream(
      (signal) => embedVideos(videos, this.#stages({ ...checked, signal }, this.embedder())),
      checked.signal,
    );
  }

  /**
   * Vectors of the rows of a data set, in order; like embedMany, but clips of several videos share batches of 16,
   * which is faster when a video has few clips.
   */
  async *embedRows(
    rows: Iterable<VideoRow> | AsyncIterable<VideoRow>,
    options: EmbedRowsOptions = {},
  ): AsyncGenerator<FeatureResult<VideoRow>, void, undefined> {
    const { windows, crops, signal } = checkEmbedOptions(options, ['maxWaitMs']);
    const maxWaitMs = checkWait(options);
    this.#life.check();
    const facts = await openFacts(this.#sources.engine);
    yield* streamFeatures(rows, {
      loader: this.#sources.loader,
      planClips: async (row) => this.planRow(row, await facts.get(row), windows, crops),
      embedders: [this.embedder()],
      batchClips: kBatchClips,
      maxWaitMs,
      signal,
    });
  }

  /**
   * Vectors of windows of the rows of a data set, a video at a time, in order: each of them the mean over `clips` clips of
   * the window (default 1). A window that cannot be decoded is left out, and a video without any comes as
   * `{ row, index, error }`.
   */
  async *embedWindows(
    rows: Iterable<VideoRow> | AsyncIterable<VideoRow>,
    options: EmbedRowsOptions & { readonly windows: WindowGrid },
  ): AsyncGenerator<WindowsResult, void, undefined> {
    const {
      windows: clips,
      crops,
      signal,
    } = checkEmbedOptions({ ...options, clips: options.clips ?? 1 }, ['windows', 'maxWaitMs']);
    const maxWaitMs = checkWait(options);
    const grid = checkGrid('windows', options.windows);
    this.#life.check();
    const { engine, threads } = this.#sources;
    const facts = await openFacts(engine);
    const loader = engine.createLoader({ threads, cacheBytes: kWindowCacheBytes });
    try {
      yield* embedWindows(rows, {
        ...{ loader, embedders: [this.embedder()], batchClips: kBatchClips, maxWaitMs, signal },
        ...{ getFacts: (row: VideoRow) => facts.get(row), format: this.#description, view: kView },
        ...{ grid, clips, crops },
      });
    } finally {
      loader.dispose();
    }
  }

  /**
   * What the vectors hang on: network, weights and input, as `sha256:` and 64 digits. The precision, which turns a vector
   * by about 1e-5, is no part of it.
   */
  digest(): Promise<string> {
    return this.#life.run(async () => encoderDigest(this.#description, await this.#native.weights()));
  }

  /** Writes a weights file that `load` reads: of an encoder that was created or calibrated here, say. Throws ERR_VSSL_WRITE. */
  save(path: string): Promise<void> {
    return this.#life.run(async () => {
      checkText('path', 'a file to write', path);
      const tensors = await this.#native.weights();
      await writeEncoderFile(path, this.#description, tensors, { package_version: packageVersion }).catch(
        (error) => {
          throw writeError(path, error);
        },
      );
    });
  }

  /** The network's tensors by name: copies. */
  weights(): Promise<NamedTensor[]> {
    return this.#life.run(() => this.#native.weights());
  }

  /**
   * The network alone: clips (N, 3, T, H, W), contiguous fp32, to (N, dim), in fp32 and eval mode, with no input
   * transform.
   */
  forward(
    clips: Float32Array,
    shape: readonly [n: number, channels: 3, t: number, h: number, w: number],
  ): Promise<Floats> {
    return this.#life.run(() => {
      checkClips(clips, shape);
      return this.#native.forward(clips, shape);
    });
  }

  /** Method, architecture, clip geometry, input kind and normalisation, as the weights' metadata gives them: a copy. */
  get description(): EncoderDescription {
    return structuredClone(this.#description);
  }

  /** Of a clip that embed cuts: a copy. */
  get inputSize(): InputSize {
    const { frames, stride, fps, size } = this.#description.clip;
    return { frames, stride, fps, height: size, width: size };
  }

  /** Tensors of this encoder and the bytes that they hold. */
  stats(): NativeMemoryStats {
    this.#life.check();
    return this.#native.stats();
  }

  /** Frees the network and the decoder once calls under way are done; new calls fail. Any number of times. */
  dispose(): Promise<void> {
    return this.#life.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /**
   * BatchNorm statistics become the averages over the batches (view `clip`) that `batches` yields; an untrained
   * encoder needs it to be a fair baseline.
   */
  calibrate(batches: AsyncIterable<NativeBatch>): Promise<void> {
    return this.#life.run(async () => {
      await this.#native.calibrateBegin();
      for await (const batch of batches) await this.#native.calibrate(batch, kView);
      await this.#native.calibrateEnd();
    });
  }

  /** Clips of a video file as embed cuts them, for a pipeline of one's own. */
  async planFile(path: string, windows: number, crops: 1 | 3): Promise<ClipViews> {
    checkText('video', 'a path', path);
    const { row, facts } = await openFile(path, this.#sources.engine);
    return this.planRow(row, facts, windows, crops);
  }

  /** Clips of a row of a data set, as embed cuts them. */
  planRow(row: VideoRow, facts: VideoFacts, windows: number, crops: 1 | 3): ClipViews {
    const { source, start, end } = row;
    return {
      [kView]: planEvaluationClips({ source, facts, format: this.#description, windows, crops, start, end }),
    };
  }

  /**
   * This encoder as a stage of streamFeatures; reads the view `clip`. `pool`: cells of time, height and width whose means
   * stand side by side, dim x cells numbers in all, in the place of the mean of the whole feature map.
   */
  embedder(pool?: readonly [time: number, height: number, width: number]): ClipEmbedder {
    return { embed: (batch) => this.#life.run(() => this.#native.embed(batch, kView, pool)) };
  }

  #stages({ windows, crops, maxBytes, signal }: CheckedEmbedOptions, embedder: ClipEmbedder): EmbedStages {
    return {
      ...this.#sources,
      ...{ fps: this.#description.clip.fps, maxBytes, signal, embedder, batchClips: kBatchClips },
      planClips: ({ row, facts }) => this.planRow(row, facts, windows, crops),
    };
  }
}
