import { availableParallelism } from 'node:os';
import {
  abortReason,
  checkCount,
  checkFits,
  checkOptions,
  checkRate,
  isFloat32Array,
  LIMITS,
  requireOptions,
} from '../checks.js';
import { planEvaluationClips } from '../data/clip-plan.js';
import { FactsIndex } from '../data/facts-index.js';
import { INPUT_KINDS, type VideoFacts } from '../data/plan.js';
import type { VideoRow } from '../data/rows.js';
import { invalidArgument, toVsslError, VsslError } from '../errors.js';
import type {
  EngineAddon,
  Floats,
  NativeBatch,
  NativeEncoder,
  NativeLoader,
  NativeMemoryStats,
} from '../native/bindings.js';
import { openEngine } from '../native/load.js';
import { type EncoderDescription, readEncoderFile } from '../weights/encoder-file.js';
import { abortable, abortableStream } from './abortable.js';
import { embedVideos } from './embed-many.js';
import {
  type CreateEncoderOptions,
  checkEmbedOptions,
  chooseDevice,
  type EmbedManyResult,
  type EmbedOptions,
  type EmbedResult,
  type EncoderOptions,
  type InputSize,
  weightsFile,
} from './encoder-options.js';
import { type ClipEmbedder, type ClipViews, type FeatureResult, streamFeatures } from './features.js';
import { type OpenVideo, openVideo } from './open-video.js';
import { readFacts } from './video-facts.js';
import { checkVideo, isBytes, type VideoInput } from './video-input.js';

/** Name of the one view of the plans made here. */
const kView = 'clip';
/** Batches of embedMany hold one video's clips, and at most this many. */
const kBatchClips = 16;

/**
 * A video encoder with its input pipeline: a file or frames in, one vector of `dim` floats out (pooled features, not
 * normalised). One object serves any number of calls at once; they take turns in the network. Dispose of it with
 * `dispose()` or `await using`; calls after that fail with ERR_VSSL_DISPOSED.
 */
export class VideoEncoder {
  /** Length of a vector. */
  readonly dim: number;
  readonly arch: string;
  readonly #description: EncoderDescription;
  readonly #engine: EngineAddon;
  readonly #native: NativeEncoder;
  readonly #loader: NativeLoader;
  readonly #underway = new Set<Promise<unknown>>();
  /** Of the embedMany calls under way. */
  readonly #ending = new Set<AbortController>();
  #disposed: Promise<void> | null = null;

  private constructor(
    engine: EngineAddon,
    native: NativeEncoder,
    loader: NativeLoader,
    description: EncoderDescription,
  ) {
    this.#engine = engine;
    this.#native = native;
    this.#loader = loader;
    this.#description = structuredClone(description);
    this.dim = native.dim;
    this.arch = description.model.arch;
  }

  /**
   * Loads trained weights: a `weights.safetensors` file, or the run folder that holds one. No config is needed.
   * Throws ERR_VSSL_FILE, ERR_VSSL_SAFETENSORS, ERR_VSSL_WEIGHTS, and the errors of loading the engine.
   */
  static async load(path: string, options: EncoderOptions = {}): Promise<VideoEncoder> {
    if (typeof path !== 'string' || path === '')
      throw invalidArgument('path', 'a weights file or a run folder', path);
    checkOptions(options, ['device', 'threads', 'precision']);
    const { description, tensors } = await readEncoderFile(await weightsFile(path));
    const encoder = await VideoEncoder.#open(description, 0, options);
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
    requireOptions(options, ['arch', 'width', 'seed', 'clip', 'input', 'device', 'threads', 'precision']);
    const { arch, width = 1, seed = 0, clip = {}, input = 'rgb', ...rest } = options;
    if (typeof arch !== 'string')
      throw invalidArgument('arch', 'the name of an architecture, such as r3d_18', arch);
    if (typeof width !== 'number' || !Number.isFinite(width) || width <= 0)
      throw invalidArgument('width', 'a number above 0', width);
    checkCount('seed', seed, 0);
    checkOptions(clip, ['frames', 'stride', 'size', 'fps'], 'clip');
    if (!INPUT_KINDS.includes(input))
      throw invalidArgument('input', `one of ${INPUT_KINDS.join(', ')}`, input);
    const { frames = 16, stride = 2, size = 112, fps = null } = clip;
    if (fps !== null) checkRate('clip.fps', fps);
    const description: EncoderDescription = {
      method: 'none',
      encoder: 'encoder',
      model: { arch, width },
      clip: {
        frames: checkCount('clip.frames', frames, 1, LIMITS.frames),
        stride: checkCount('clip.stride', stride, 1, LIMITS.stride),
        size: checkCount('clip.size', size, 8, LIMITS.side),
        fps,
      },
      input,
      mean: [0, 0, 0],
      std: [1, 1, 1],
      shrink: 'auto',
      step: 0,
    };
    const clipBytes = 3 * Float32Array.BYTES_PER_ELEMENT * frames * size * size;
    checkFits('clip', `a clip of ${frames} frames of ${size} x ${size}`, clipBytes);
    return VideoEncoder.#open(description, seed, rest);
  }

  /** An untrained encoder that takes the same input as `description` says: the baseline of an evaluation. */
  static async createLike(
    description: EncoderDescription,
    options: EncoderOptions & { readonly seed?: number } = {},
  ): Promise<VideoEncoder> {
    checkOptions(options, ['device', 'threads', 'precision', 'seed']);
    const { seed = 0, ...rest } = options;
    return VideoEncoder.#open({ ...description, method: 'none', step: 0 }, checkCount('seed', seed, 0), rest);
  }

  static async #open(
    description: EncoderDescription,
    seed: number,
    options: EncoderOptions,
  ): Promise<VideoEncoder> {
    const { device = 'auto', threads, precision = 'fp32' } = options;
    if (!['auto', 'cpu', 'cuda'].includes(device))
      throw invalidArgument('device', "'auto', 'cpu' or 'cuda'", device);
    if (precision !== 'fp32' && precision !== 'bf16')
      throw invalidArgument('precision', "'fp32' or 'bf16'", precision);
    if (threads !== undefined) checkCount('threads', threads, 1, LIMITS.threads);
    const engine = await openEngine();
    if (threads !== undefined) engine.setThreads(threads);
    const where = chooseDevice(engine, device);
    const spec = { ...description.model, seed, device: where, precision, channelsLast: true };
    const caller = new Error();
    const native = await engine.createEncoder(spec).catch((error: unknown) => {
      throw toVsslError(error, caller);
    });
    const loader = engine.createLoader({ threads: threads ?? availableParallelism(), cacheBytes: 0 });
    return new VideoEncoder(engine, native, loader, description);
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
    return this.#run(async () => {
      const checked = checkEmbedOptions(options, ['details']);
      if (options.details !== undefined && typeof options.details !== 'boolean')
        throw invalidArgument('details', 'true or false', options.details);
      // tracked by itself: after an abort it goes on for a while, and dispose() has to wait for it
      const { signal } = checked;
      const result = await abortable(this.#track(this.#first(checkVideo(video), checked)), signal);
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
    const { windows, crops, maxBytes, signal } = checkEmbedOptions(options);
    if (!isIterable(videos) || isBytes(videos))
      throw invalidArgument('videos', 'an iterable or async iterable of videos', videos);
    this.#checkAlive();
    const ending = new AbortController();
    const end = () => ending.abort(signal && abortReason(signal));
    signal?.addEventListener('abort', end, { once: true });
    this.#ending.add(ending);
    try {
      const stream = embedVideos(videos, {
        loader: this.#loader,
        open: (video, stop) => this.#openVideo(video, maxBytes, stop),
        planClips: ({ row, facts }) => this.planRow(row, facts, windows, crops),
        embedder: this.embedder(),
        batchClips: kBatchClips,
        signal: ending.signal,
      });
      for await (const result of abortableStream(stream, ending.signal)) {
        yield result;
        this.#checkAlive();
      }
    } catch (error) {
      // the consumer may dispose of the encoder between two vectors; what was read ahead then fails in its own way
      this.#checkAlive();
      throw isNativeError(error) ? toVsslError(error) : error;
    } finally {
      signal?.removeEventListener('abort', end);
      this.#ending.delete(ending);
    }
  }

  /**
   * Vectors of the rows of a data set, in order; like embedMany, but clips of several videos share batches of 16,
   * which is faster when a video has few clips.
   */
  async *embedRows(
    rows: Iterable<VideoRow> | AsyncIterable<VideoRow>,
    options: EmbedOptions = {},
  ): AsyncGenerator<FeatureResult<VideoRow>, void, undefined> {
    const { windows, crops, signal } = checkEmbedOptions(options);
    this.#checkAlive();
    const facts = await FactsIndex.open({
      readFacts: (row) => readFacts(this.#engine, row),
      cacheFile: null,
      generation: '',
    });
    yield* streamFeatures(rows, {
      loader: this.#loader,
      planClips: async (row) => this.planRow(row, await facts.get(row), windows, crops),
      embedders: [this.embedder()],
      batchClips: kBatchClips,
      signal,
    });
  }

  /**
   * The network alone: clips (N, 3, T, H, W), contiguous fp32, to (N, dim), in fp32 and eval mode, with no input
   * transform.
   */
  forward(
    clips: Float32Array,
    shape: readonly [n: number, channels: 3, t: number, h: number, w: number],
  ): Promise<Floats> {
    return this.#run(() => {
      if (!Array.isArray(shape) || shape.length !== 5)
        throw invalidArgument('shape', '[N, 3, T, H, W]', shape);
      for (const extent of shape) checkCount('shape', extent);
      if (shape[1] !== 3) throw invalidArgument('shape[1]', '3 channels', shape[1]);
      const size = shape.reduce((a, b) => a * b, 1);
      if (!isFloat32Array(clips) || clips.length !== size)
        throw invalidArgument('clips', `a Float32Array of ${size} values`, clips);
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
    this.#checkAlive();
    return this.#native.stats();
  }

  /** Frees the network and the decoder once calls under way are done; new calls fail. Any number of times. */
  dispose(): Promise<void> {
    for (const ending of this.#ending) ending.abort(disposedError());
    this.#disposed ??= Promise.allSettled([...this.#underway]).then(() => {
      this.#native.dispose();
      this.#loader.dispose();
    });
    return this.#disposed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /**
   * BatchNorm statistics become the averages over the batches (view `clip`) that `batches` yields; an untrained
   * encoder needs it to be a fair baseline.
   */
  calibrate(batches: AsyncIterable<NativeBatch>): Promise<void> {
    return this.#run(async () => {
      await this.#native.calibrateBegin();
      for await (const batch of batches) await this.#native.calibrate(batch, kView);
      await this.#native.calibrateEnd();
    });
  }

  /** Clips of a video file as embed cuts them, for a pipeline of one's own. */
  async planFile(path: string, windows: number, crops: 1 | 3): Promise<ClipViews> {
    if (typeof path !== 'string') throw invalidArgument('video', 'a path', path);
    const { row, facts } = await this.#openVideo(path, 1, undefined);
    return this.planRow(row, facts, windows, crops);
  }

  /** Clips of a row of a data set, as embed cuts them. */
  planRow(row: VideoRow, facts: VideoFacts, windows: number, crops: 1 | 3): ClipViews {
    const { source, start, end } = row;
    return {
      [kView]: planEvaluationClips({ source, facts, format: this.#description, windows, crops, start, end }),
    };
  }

  /** This encoder as a stage of streamFeatures; reads the view `clip`. */
  embedder(): ClipEmbedder {
    return { embed: (batch) => this.#run(() => this.#native.embed(batch, kView)) };
  }

  async #first(
    video: VideoInput,
    { windows, crops, maxBytes, signal }: ReturnType<typeof checkEmbedOptions>,
  ): Promise<EmbedResult> {
    const { row, facts, close } = await this.#openVideo(video, maxBytes, signal);
    try {
      // not this.embedder(): a call that began before dispose() is finished
      const embedders = [{ embed: (batch: NativeBatch) => this.#native.embed(batch, kView) }];
      for await (const result of streamFeatures([row], {
        loader: this.#loader,
        planClips: async () => this.planRow(row, facts, windows, crops),
        embedders,
        batchClips: kBatchClips,
        separate: true,
        signal,
      })) {
        if ('error' in result) throw result.error;
        return { vector: result.vectors[0]!, warnings: [...facts.warnings, ...result.warnings] };
      }
      throw new VsslError('ERR_VSSL_INTERNAL', 'no vector was made');
    } finally {
      close();
    }
  }

  #openVideo(video: VideoInput, maxBytes: number, signal: AbortSignal | undefined): Promise<OpenVideo> {
    const { fps } = this.#description.clip;
    return openVideo(video, { engine: this.#engine, loader: this.#loader, fps, maxBytes, signal });
  }

  /** Runs a call as one of those that dispose() waits for; errors gain a code and the caller's stack. */
  async #run<T>(call: () => Promise<T>): Promise<T> {
    this.#checkAlive();
    const caller = new Error();
    try {
      return await this.#track((async () => call())());
    } catch (error) {
      // the reason of an aborted signal is the caller's own and comes through as it is
      throw isNativeError(error) ? toVsslError(error, caller) : error;
    }
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#underway.add(work);
    const leave = () => this.#underway.delete(work);
    work.then(leave, leave);
    return work;
  }

  #checkAlive(): void {
    if (this.#disposed) throw disposedError();
  }
}

function disposedError(): VsslError {
  return new VsslError('ERR_VSSL_DISPOSED', 'this encoder was disposed of: load or create another');
}

function isIterable(value: unknown): value is object {
  return (
    typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value)
  );
}

function isNativeError(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return !(error instanceof VsslError) && typeof code === 'string' && code.startsWith('ERR_VSSL_');
}
