/** The typed contract of what the two addons export. native/binding implements it; nothing else in src calls C++. */

/** The same off the event loop. */
type Async<Call extends (...args: never[]) => unknown> = (
  ...args: Parameters<Call>
) => Promise<ReturnType<Call>>;

/** vssl_kernels.node: no libtorch, no libav. */
export interface KernelsAddon {
  readonly kernelApiVersion: number;
  isa(): { detected: string[]; selected: string };
  ntXent(
    embeddings: Float32Array,
    gradient: Floats | null,
    rows: number,
    dim: number,
    temperature: number,
    normalize: boolean,
    precision: 'fp32' | 'bf16',
    threads: number,
  ): { loss: number; gradTemperature: number };
  ntXentAsync(
    ...args: Parameters<KernelsAddon['ntXent']>
  ): Promise<{ loss: number; gradTemperature: number }>;
  readonly limits: KernelLimits;
  readonly reference: KernelReference;
  readonly MomentumQueue: new (
    capacity: number,
    dim: number,
    decay: number,
    decayOn: 'logit' | 'weight',
    ageUnit: 'enqueue' | 'key',
    init: 'random' | 'empty',
    seed: number,
    ids: boolean,
  ) => NativeMomentumQueue;
  /** Frames x pixels to keep x pixels; back when `inverse`. Writes to `out`. */
  dct(
    clip: Float32Array | Uint8Array,
    out: Floats,
    frames: number,
    pixels: number,
    inverse: boolean,
    keep: number,
    threads: number,
  ): void;
  dctAsync: Async<KernelsAddon['dct']>;
  dctMotion(
    clip: Float32Array | Uint8Array,
    out: Floats,
    frames: number,
    pixels: number,
    dropLow: number,
    output: 'signal' | 'energy',
    threads: number,
  ): void;
  dctMotionAsync: Async<KernelsAddon['dctMotion']>;
  frameDifference(
    clip: Float32Array | Uint8Array,
    out: Floats,
    frames: number,
    pixels: number,
    threads: number,
  ): void;
  frameDifferenceAsync: Async<KernelsAddon['frameDifference']>;
  emaUpdate(target: Float32Array, source: Float32Array, size: number, momentum: number): void;
  emaUpdateAsync: Async<KernelsAddon['emaUpdate']>;
  /** min(k, rows) of each query to `indices` and `scores`. `scales`: one for each row. */
  topkDot(
    queries: Float32Array,
    rows: Float32Array | Uint16Array | Int8Array,
    scales: Float32Array | null,
    indices: Indices,
    scores: Floats,
    type: 'fp32' | 'fp16' | 'bf16' | 'int8',
    dim: number,
    k: number,
    threads: number,
  ): void;
  topkDotAsync: Async<KernelsAddon['topkDot']>;
  /** dlopen with global symbols; lets a prebuilt engine find libtorch without LD_LIBRARY_PATH. */
  preload(path: string): void;
  /** dlopen off the event loop, with local symbols: what loads the library later finds it in place. */
  preloadAsync(path: string): Promise<void>;
}

/** Ceilings of this machine on the instruction-set path in use (native/kernels/limits.h). threads 0: one per core. */
export interface KernelLimits {
  /** Physical cores that this process may use. */
  cores(): number;
  /** FLOP/s of fp32 multiply-adds on registers, measured for about `seconds`. */
  fmaRate(seconds: number, threads: number): number;
  /** The same of bf16 pairs with fp32 accumulation; 0 where the path has no such instruction. */
  bf16Rate(seconds: number, threads: number): number;
  /** Seconds that reading an array once takes. */
  readSeconds(source: ArrayBufferView, threads: number): number;
  /** Seconds that one copy past the caches takes. */
  copySeconds(target: Float32Array, source: Float32Array, threads: number): number;
  /** The same from bytes to floats. */
  widenSeconds(target: Float32Array, source: Uint8Array, threads: number): number;
  /** Seconds that target = scale a + (1 - scale) b takes; `target` may be `a`. */
  triadSeconds(
    target: Float32Array,
    a: Float32Array,
    b: Float32Array,
    scale: number,
    threads: number,
  ): number;
}

/** The slow double-precision twins of the kernels (native/kernels/reference.h). */
export interface KernelReference {
  ntXent(
    embeddings: Float64Array,
    gradient: Float64Array | null,
    rows: number,
    dim: number,
    temperature: number,
    normalize: boolean,
  ): { loss: number; gradTemperature: number };
  infoNce(
    queries: Float64Array,
    keys: Float64Array,
    gradient: Float64Array | null,
    rows: number,
    dim: number,
    queueKeys: Float64Array,
    ages: Float64Array,
    decay: number,
    decayOn: 'logit' | 'weight',
    temperature: number,
    normalize: boolean,
    ids: Float64Array | null,
    queueIds: Float64Array | null,
  ): number;
  dct(
    out: Float64Array,
    clip: Float64Array,
    frames: number,
    pixels: number,
    keep: number,
    inverse: boolean,
  ): void;
  dctMotion(
    out: Float64Array,
    clip: Float64Array,
    frames: number,
    pixels: number,
    dropLow: number,
    output: 'signal' | 'energy',
  ): void;
  frameDifference(out: Float64Array, clip: Float64Array, frames: number, pixels: number): void;
  emaUpdate(target: Float64Array, source: Float64Array, momentum: number): void;
  topkDot(
    indices: Int32Array,
    scores: Float64Array,
    queries: Float64Array,
    rows: Float64Array,
    dim: number,
    k: number,
  ): void;
}

/** Keys in native memory. Disposed by garbage collection, or at once by dispose(). */
export interface NativeMomentumQueue {
  enqueue(keys: Float32Array, rows: number, ids: Float64Array | null): void;
  enqueueAsync(keys: Float32Array, rows: number, ids: Float64Array | null): Promise<void>;
  infoNce(
    queries: Float32Array,
    keys: Float32Array,
    gradient: Floats | null,
    rows: number,
    temperature: number,
    normalize: boolean,
    precision: 'fp32' | 'bf16',
    threads: number,
    ids: Float64Array | null,
  ): number;
  infoNceAsync: Async<NativeMomentumQueue['infoNce']>;
  length(): number;
  /** Slot of the next key. */
  next(): number;
  copyKeys(into: Float32Array): void;
  copyAges(into: Float32Array): void;
  copyIds(into: Float64Array): void;
  restore(
    keys: Float32Array,
    ages: Float32Array,
    length: number,
    next: number,
    ids: Float64Array | null,
  ): void;
  dispose(): void;
}

/**
 * Floats over an ArrayBuffer, as every array is that this package makes. Typed arrays name their buffer since TypeScript
 * 5.7; written in this way, older versions read it as a plain Float32Array.
 */
export type Floats = ReturnType<Float32ArrayConstructor['of']>;

/** The same of whole numbers. */
export type Indices = ReturnType<Int32ArrayConstructor['of']>;

/** A tensor in the safetensors sense. `data` is little endian and contiguous. */
export interface NamedTensor {
  readonly name: string;
  readonly dtype: 'F32' | 'F64' | 'F16' | 'BF16' | 'I64' | 'I32' | 'U8' | 'BOOL';
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** A plan source of kind 'member'. */
export interface NativeMember {
  readonly kind: 'member';
  readonly path: string;
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

export interface NativeVideoIndex {
  codec: string;
  width: number;
  height: number;
  /** How decoded pictures are brought upright: first mirrored left to right, then turned clockwise by 0, 90, 180 or 270. */
  mirrored: boolean;
  rotation: number;
  sampleAspect: number;
  times: Float64Array;
  keys: Int32Array;
  end: number;
  warnings: string[];
}

export interface NativeClipFailure {
  view: number;
  sample: number;
  path: string;
  code: string;
  reason: string;
  /** Seconds into the source; -1 when it does not apply. */
  where: number;
}

export interface NativeView {
  name: string;
  dtype: 'float32' | 'int64';
  /** (rows, ...): of clips (rows, frames, height, width, 3). */
  shape: number[];
  /** The sample of each row, ascending; null where every sample has one. */
  rows: number[] | null;
}

/** Clips and arrays in native memory. Disposed by garbage collection, or at once by dispose(). */
export interface NativeBatch {
  views(): NativeView[];
  side(): NativeView[];
  /** A copy of a view or side array of float32; ERR_VSSL_INVALID_ARGUMENT for one of another type. */
  toFloat32(name: string): Floats;
  /** The same of int64. */
  toInt64(name: string): BigInt64Array;
  dispose(): void;
}

export interface NativeLoadResult {
  batch: NativeBatch;
  failures: NativeClipFailure[];
  stats: {
    decodedFrames: number;
    cacheHits: number;
    cacheMisses: number;
    decodeSeconds: number;
    augmentSeconds: number;
    /** Pictures of clips that could not be decoded, each shown as an earlier one. */
    standIns: number;
  };
}

export interface NativeLoader {
  /** `plan` is a BatchPlan. Rejects only when the plan itself is wrong or the loader is disposed. */
  load(plan: object, into?: NativeBatch): Promise<NativeLoadResult>;
  addMemoryClip(frames: Uint8Array, t: number, h: number, w: number): number;
  removeMemoryClip(id: number): void;
  /** An encoded file in memory for sources of kind `bytes`, empty at first. */
  addMemoryFile(): number;
  /** Copies the bytes to its end, at once. Throws when it was indexed or loaded from, or removed. */
  appendMemoryFile(id: number, bytes: Uint8Array): void;
  indexMemoryFile(id: number): Promise<NativeVideoIndex>;
  removeMemoryFile(id: number): void;
  dispose(): void;
}

/** A part of a file: `bytes` have their place at byte `at` of it. */
export interface NativeFilePart {
  at: number;
  bytes: Uint8Array;
}

/** A MOV file that is encoded a stretch at a time. Each call gives what is now to be written of it. */
export interface NativeVideoWriter {
  /** Uint8 RGB (t, h, w, 3), t of at least 1. */
  add(frames: Uint8Array): Promise<NativeFilePart[]>;
  /** The rest, after at least one frame; some parts go back to the beginning. */
  finish(): Promise<NativeFilePart[]>;
  dispose(): void;
}

export interface NativeStepResult {
  losses: Record<string, number>;
  gradNorm: number;
  /** false: the step was not applied; the state is what it was before the call. */
  finite: boolean;
  /** fp16 alone: not applied, because the scaled gradient went beyond its range; the scale is smaller now. */
  overflow: boolean;
  forwardSeconds: number;
  lossSeconds: number;
  backwardSeconds: number;
  optimizerSeconds: number;
  /** With several ranks: what their exchanges took, waiting for the others included. */
  exchangeSeconds: number;
  /** Those of them that the loss made. */
  lossExchangeSeconds: number;
  /** Sent by this rank. */
  exchangeBytes: number;
}

export interface NativeMemoryStats {
  liveTensors: number;
  hostBytes: number;
  deviceBytes: number;
}

export interface NativeSession {
  /** `hyper`: lr and the other numbers that the method reads. */
  step(batch: NativeBatch, hyper: Readonly<Record<string, number>>): Promise<NativeStepResult>;
  /**
   * What a loader packed of a batch that a step will read, on its way to the GPU beside whatever runs there. May be left
   * out.
   */
  prepare(batch: NativeBatch): Promise<void>;
  exportState(): Promise<NamedTensor[]>;
  importState(state: readonly NamedTensor[]): Promise<void>;
  /** Rank 0's state becomes that of all ranks, which all call this. */
  shareState(): Promise<void>;
  encoderNames(): string[];
  exportEncoder(name: string): Promise<NamedTensor[]>;
  /**
   * Weights to begin training from, into an encoder and its momentum copies. Names, shapes and dtypes must match exactly,
   * else ERR_VSSL_WEIGHTS.
   */
  loadWeights(encoder: string, weights: readonly NamedTensor[]): Promise<void>;
  /** ModelSpec with which createEncoder makes the same architecture. */
  encoderSpec(name: string): Record<string, unknown>;
  embed(batch: NativeBatch, view: string, encoder: string): Promise<Floats>;
  /** As they were when the last call ended; never waits for one that runs. */
  stats(): NativeMemoryStats;
  /** Frees it once calls under way are done, off the event loop. */
  dispose(): void;
}

/** Where a rank finds the others (native/engine/collectives/process_ranks.h). */
export interface NativeRanksSpec {
  rank: number;
  size: number;
  /** Of rank 0. */
  address: string;
  port: number;
  /** The store is there already, of a launcher. */
  served: boolean;
  /** What tells this run's keys from others' in the same store. */
  run: string;
  /** Each has connections of its own. */
  channel: string;
  /** Seconds that a rank waits for the others. */
  timeout: number;
}

/** Processes that train together, for what they tell each other beside the steps. All make the same calls in one order. */
export interface NativeRanks {
  /** A text of each rank, in rank order. ERR_VSSL_RANKS when one is lost. */
  exchange(text: string): Promise<string[]>;
  /** Tells the others why this rank goes. */
  leave(reason: string): Promise<void>;
  dispose(): void;
}

/** One convolution of a network, run alone. */
export interface NativeConvolutionTime {
  /** (N, C, T, H, W) */
  input: number[];
  output: number[];
  /** (T, H, W) */
  kernel: number[];
  /** Multiplications and additions. */
  flops: number;
  seconds: number;
}

export interface NativeEncoder {
  readonly dim: number;
  weights(): Promise<NamedTensor[]>;
  loadWeights(weights: readonly NamedTensor[]): Promise<void>;
  calibrateBegin(): Promise<void>;
  calibrate(batch: NativeBatch, view: string): Promise<void>;
  calibrateEnd(): Promise<void>;
  /** `grid`: the feature map in cells of time, height and width, dim x cells numbers a clip; default its mean. */
  embed(
    batch: NativeBatch,
    view: string,
    grid?: readonly [time: number, height: number, width: number],
  ): Promise<Floats>;
  /**
   * What embed() takes at least: each convolution that the network makes for the clips of this view, alone on an input
   * of its size.
   */
  timeConvolutions(batch: NativeBatch, view: string): Promise<NativeConvolutionTime[]>;
  /** Raw network in fp32 and eval mode; `shape` is (N, 3, T, H, W). */
  forward(clips: Float32Array, shape: readonly [number, number, number, number, number]): Promise<Floats>;
  stats(): NativeMemoryStats;
  dispose(): void;
}

export interface NativeArchitecture {
  name: string;
  /** Of its model spec, beside arch and width. */
  keys: string[];
  leastClip: { frames: number; size: number };
  width: [least: number, most: number];
}

export interface NativeLinearFit {
  /** (testRows, classes) */
  scores: Float32Array;
  trainAccuracy: number;
  loss: number;
  iterations: number;
}

/** vssl_engine.node: libtorch, and libav when built with it. */
export interface EngineAddon {
  readonly engineApiVersion: number;
  info(): {
    torchVersion: string;
    cudaBuilt: boolean;
    cudaAvailable: boolean;
    /** Why not available. */
    cudaReason: string;
    /** Versions of CUDA and cuDNN, in the build for CUDA; else empty. */
    cudaVersion: string;
    cudnnVersion: string;
    /** Names of the GPUs: cuda:0, cuda:1... */
    cudaDevices: string[];
    cpuCapability: string;
    bf16Fast: boolean;
    threads: number;
    /** '' when built without. */
    libavVersion: string;
    /** Where optical flow can be computed; else '', and flowFault says why not. */
    flowVersion: string;
    flowFault: string;
  };
  architectures(): NativeArchitecture[];
  /** The methods of this engine and the source file of each. */
  methods(): { name: string; file: string }[];
  /** What `input` of a clip plan may be. */
  inputKinds(): string[];
  setThreads(threads: number): void;
  /** The process is about to end with this code: see native/binding/engine_exit.h. Main thread only. */
  leaving(code: number): void;
  /** '' when well, else what is wrong with this libtorch on the device. Default cpu. */
  selfTest(device?: 'cpu' | 'cuda'): Promise<string>;
  /** Of a file, or of a member of a tar file. `whole`: reads every packet, also of a container that lists them. */
  indexVideo(video: string | NativeMember, whole?: boolean): Promise<NativeVideoIndex>;
  /** `packs`: clips of pictures stay decoded samples, which a session or encoder on a GPU makes floats of there. */
  createLoader(options: { threads: number; cacheBytes: number; packs?: boolean }): NativeLoader;
  /** Waits until all ranks are there. */
  joinRanks(spec: NativeRanksSpec): Promise<NativeRanks>;
  createSession(spec: object): Promise<NativeSession>;
  createEncoder(spec: object): Promise<NativeEncoder>;
  fitLinear(
    train: Float32Array,
    labels: Int32Array,
    test: Float32Array,
    dim: number,
    classes: number,
    options: { weightDecay?: number; maxIterations?: number; normalize?: boolean; tolerance?: number },
  ): Promise<NativeLinearFit>;
  /** frames: uint8 RGB (t, h, w, 3). */
  writeVideo(
    path: string,
    frames: Uint8Array,
    shape: readonly [t: number, h: number, w: number],
    options: { fps?: number; codec?: string; quality?: number; gop?: number },
  ): Promise<void>;
  /** The same into the parts of a MOV file, of which the caller takes care. */
  createVideoWriter(
    h: number,
    w: number,
    options: { fps?: number; codec?: string; quality?: number; gop?: number },
  ): NativeVideoWriter;
  /** A JPEG file of a picture, uint8 RGB (h, w, 3). quality: 1 (best) to 31. */
  encodeJpeg(rgb: Uint8Array, h: number, w: number, quality: number): Promise<Uint8Array>;
  /** uint8 RGB (times.length, h, w, 3) of a synthetic source. */
  renderSynthetic(source: object, times: readonly number[], h: number, w: number): Promise<Uint8Array>;
}
