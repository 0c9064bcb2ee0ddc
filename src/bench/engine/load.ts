/** Batches of clips that a loader makes: from videos, from copies of them, from pictures in memory. */
import type { EngineAddon, KernelLimits, NativeLoader, NativeLoadResult } from '../../native/bindings.js';
import { loadEngine } from '../../native/load.js';
import type { BenchCase, BenchInput, Check, LimitKind, Parameters, PeerSpec, Workload } from '../case.js';
import { median } from '../statistics.js';
import { relativeDistance } from '../vectors.js';

/** What a loader is given to make, and what is known of it. */
export interface LoadSource {
  /** Of the batch: views of clips, as the loader takes it. */
  readonly plan: object;
  /** The same pictures with nothing made of them. */
  readonly alone: object;
  /** The same clips, made in another way; `tolerance`: how far they may be from each other, relative to their norm. */
  readonly twin?: {
    readonly what: string;
    readonly plan: object;
    readonly tolerance: number;
  };
  /** Of `memory` sources, whose ids count from 1. */
  readonly pictures?: readonly Pictures[];
  /** What peers read. */
  readonly inputs: Readonly<Record<string, BenchInput>>;
}

/** Uint8 RGB (T, H, W, 3). */
export interface Pictures {
  readonly data: Uint8Array;
  readonly shape: readonly [t: number, h: number, w: number];
}

export interface LoadOptions {
  readonly name: string;
  readonly parameters: Parameters;
  readonly clips: number;
  /** What `plan` or `alone` of the source is timed. Default: plan. */
  readonly call?: 'plan' | 'alone';
  /** Of decoded pictures; the first call fills it. Default 0. */
  readonly cacheBytes?: number;
  readonly limit: Extract<LimitKind, 'decoding alone' | 'widening copy'>;
  /** Floats of the clips. */
  readonly values: number;
  readonly open: () => Promise<LoadSource>;
  readonly peers: readonly PeerSpec[];
}

export function loadCase(options: LoadOptions): BenchCase {
  const { name, parameters, clips, values, limit, peers } = options;
  return {
    ...{ name, kernel: 'loader', parameters, clips, limit, peers },
    prepare: async () => new LoadWorkload(options, loadEngine('cpu'), await options.open()),
    flops: 0,
    bytes: 5 * values, // a byte read and a float written
    verified: 'every clip: again on one thread; of copies and memory, beside the same clips from elsewhere',
  };
}

/** A loader for each number of threads, which a data set that is larger than any cache finds cold. */
class LoadWorkload implements Workload {
  readonly inputs;
  readonly #options: LoadOptions;
  readonly #engine: EngineAddon;
  readonly #source: LoadSource;
  readonly #loaders = new Map<string, NativeLoader>();
  readonly #taken: NativeLoadResult['stats'][] = [];
  #last: NativeLoadResult | null = null;
  #widening: { target: Float32Array; source: Uint8Array } | null = null;

  constructor(options: LoadOptions, engine: EngineAddon, source: LoadSource) {
    this.#options = options;
    this.#engine = engine;
    this.#source = source;
    this.inputs = source.inputs;
  }

  async run(threads: number): Promise<void> {
    const { call = 'plan', cacheBytes = 0 } = this.#options;
    const loaded = await this.#loader(threads, cacheBytes).load(this.#source[call]);
    this.#taken.push(loaded.stats);
    this.#last?.batch.dispose();
    this.#last = loaded;
  }

  outputs(): Record<string, Float32Array> {
    return this.#options.call === 'alone' ? {} : clipsOf(this.#last!);
  }

  async verify(threads: number): Promise<Check[]> {
    const { call = 'plan' } = this.#options;
    const { twin } = this.#source;
    await this.run(threads); // fills the cache
    await this.run(threads);
    const ours = clipsOf(this.#last!);
    const failed = this.#last!.failures.length;
    const again = await this.#clips(this.#source[call]);
    const checks = [
      { what: 'clips that failed', error: failed, tolerance: 0 },
      { what: 'clips, again on one thread', error: furthest(ours, again), tolerance: 0 },
    ];
    if (!twin) return checks;
    const { what, plan, tolerance } = twin;
    return [...checks, { what, error: furthest(ours, await this.#clips(plan)), tolerance }];
  }

  limitSeconds(limits: KernelLimits, threads: number): number | Promise<number> {
    return this.#options.limit === 'widening copy'
      ? this.#widen(limits, threads)
      : this.#decodeAlone(threads);
  }

  async #decodeAlone(threads: number): Promise<number> {
    const loader = this.#loader(threads, 0);
    const start = performance.now();
    const { batch } = await loader.load(this.#source.alone);
    const seconds = (performance.now() - start) / 1000;
    batch.dispose();
    return seconds;
  }

  stages() {
    const taken = this.#taken.splice(0);
    const of = (key: 'decodeSeconds' | 'augmentSeconds') => median(taken.map((stats) => stats[key]));
    return { pictures: of('decodeSeconds'), augmentation: of('augmentSeconds') };
  }

  dispose(): void {
    this.#last?.batch.dispose();
    for (const loader of this.#loaders.values()) loader.dispose();
  }

  /** The clips of a plan, on one thread and without a cache. */
  async #clips(plan: object): Promise<Record<string, Float32Array>> {
    const loaded = await this.#loader(1, 0).load(plan);
    try {
      return clipsOf(loaded);
    } finally {
      loaded.batch.dispose();
    }
  }

  #loader(threads: number, cacheBytes: number): NativeLoader {
    const key = `${threads} ${cacheBytes}`;
    const known = this.#loaders.get(key);
    if (known) return known;
    const made = this.#engine.createLoader({ threads, cacheBytes });
    this.#loaders.set(key, made);
    for (const { data, shape } of this.#source.pictures ?? []) made.addMemoryClip(data, ...shape);
    return made;
  }

  #widen(limits: KernelLimits, threads: number): number {
    const { values } = this.#options;
    this.#widening ??= { target: new Float32Array(values), source: new Uint8Array(values).fill(7) };
    const { target, source } = this.#widening;
    return limits.widenSeconds(target, source, threads);
  }
}

/** Every clip by itself, `VIEW ROW`: one that is wrong is not hidden by the others. */
function clipsOf({ batch }: NativeLoadResult): Record<string, Float32Array> {
  return Object.fromEntries(
    batch.views().flatMap(({ name, shape }) => {
      const floats = batch.toFloat32(name);
      const rows = shape[0]!;
      const each = floats.length / rows;
      return Array.from({ length: rows }, (_, row) => [
        `${name} ${row}`,
        floats.subarray(row * each, (row + 1) * each),
      ]);
    }),
  );
}

function furthest(ours: Record<string, Float32Array>, theirs: Record<string, Float32Array>): number {
  const distances = Object.entries(ours).map(([name, clip]) => relativeDistance(clip, theirs[name] ?? []));
  return Math.max(...distances);
}
