import { VsslError } from '../errors.js';
import { loadKernels } from '../native/load.js';
import { type BenchCase, type Check, type PeerSpec, passed, type Workload } from './case.js';
import { describeMachine } from './machine.js';
import { measureExtraMemory } from './peak-memory.js';
import { type OpenPeer, PeerProcess } from './peer.js';
import {
  type BenchResult,
  type BenchRow,
  type PeerResult,
  RESULT_FORMAT,
  RESULT_VERSION,
  type Timing,
} from './result.js';
import { type Rounds, takeRounds } from './rounds.js';
import { estimate, median, ratios } from './statistics.js';
import { relativeDistance } from './vectors.js';

export interface RunBenchOptions {
  readonly cases: readonly BenchCase[];
  /** Rounds of turns, and so pairs with each peer. */
  readonly pairs: number;
  /** Upper bound for both sides; 0: one per physical core. */
  readonly threads: number;
  /** The interpreter that runs the peers; null: ours alone. */
  readonly python: string | null;
  /** Folder with peer modules, before the package's own. */
  readonly peerModules?: string;
  readonly signal?: AbortSignal;
  readonly onStage?: (text: string) => void;
  readonly onRow?: (row: BenchRow) => void;
  /** What the peers print. */
  readonly onPeerLog?: (line: string) => void;
}

const SAME = [0.9, 1.1] as const;
const MOST_OTHERS = 0.1;

/**
 * Verifies each case against its double-precision twin, checks its gradient in the small size, and then times it, in
 * turns with the machine's limit and with each peer. A case that is wrong is not timed.
 */
export async function runBench(options: RunBenchOptions): Promise<BenchResult> {
  const { limits } = loadKernels();
  const threads = options.threads || limits.cores();
  const peers = new Peers(options);
  const stop = () => void peers.stop();
  options.signal?.addEventListener('abort', stop);
  const rows: BenchRow[] = [];
  try {
    for (const one of options.cases) {
      const row = await runCase(one, threads, peers, options);
      rows.push(row);
      options.onRow?.(row);
    }
  } catch (error) {
    if (options.signal?.aborted)
      throw new VsslError('ERR_VSSL_ABORTED', 'stopped by the user', { cause: error });
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', stop);
    await peers.stop();
  }
  return {
    format: RESULT_FORMAT,
    formatVersion: RESULT_VERSION,
    what: 'kernels',
    date: new Date().toISOString(),
    machine: describeMachine(),
    threads,
    pairs: options.pairs,
    rows,
  };
}

/** All checks of a case: the small size with its gradient, then `parameters`. */
export async function checkCase(one: BenchCase, threads: number): Promise<Check[]> {
  const small = one.prepare(one.small);
  return [...(await small.verify(threads)), ...(await small.checkGradient(threads))].map((check) => ({
    ...check,
    what: `small: ${check.what}`,
  }));
}

async function runCase(
  one: BenchCase,
  threads: number,
  peers: Peers,
  { pairs, signal, onStage }: RunBenchOptions,
): Promise<BenchRow> {
  const { name, kernel, parameters, flops, bytes, verified } = one;
  onStage?.(`${name}: verifying`);
  const small = await checkCase(one, threads);
  const workload = one.prepare(parameters);
  const checks = [...small, ...(await workload.verify(threads))];
  const wrong = !checks.every(passed);
  const row = { name, kernel, parameters, flops, bytes, verified, checks, wrong };
  if (wrong) return row;
  const extraMemoryBytes = one.measureMemory ? await measureExtraMemory(one, threads, signal) : undefined;
  onStage?.(`${name}: making the peers ready`);
  const opened = await peers.open(one, workload, threads);
  const rounds = await takeRounds(workload, {
    rounds: Math.min(pairs, one.roundsAtMost ?? pairs),
    threads,
    limits: loadKernels().limits,
    process: peers.process,
    peers: opened.ready.map(({ peer }) => peer),
    signal,
    onRound: (done, total) => onStage?.(`${name}: round ${done} of ${total}`),
  });
  await peers.close(opened.ready.map(({ peer }) => peer));
  return { ...row, timing: timingOf(one, rounds, opened), extraMemoryBytes };
}

interface ReadyPeer {
  readonly spec: PeerSpec;
  readonly peer: OpenPeer;
  readonly distance: number;
}

interface OpenedPeers {
  readonly ready: readonly ReadyPeer[];
  readonly absent: readonly { readonly spec: PeerSpec; readonly reason: string }[];
}

/** What the rounds say. A peer whose threads wait for each other suffers more from other processes than we do. */
export function timingOf(one: BenchCase, rounds: Rounds, { ready, absent }: OpenedPeers): Timing {
  const { others } = rounds;
  const sameOverSame = estimate(ratios(rounds.last, rounds.first));
  const same = sameOverSame.median >= SAME[0] && sameOverSame.median <= SAME[1];
  const noisy = !same || (others ?? 0) > MOST_OTHERS;
  const unlessNoisy = (values: number[]) => (noisy ? undefined : estimate(values));
  const work = one.limit.endsWith('multiply-adds') ? one.flops : one.bytes;
  const timed = ready.map(({ spec, peer, distance }, k): PeerResult => {
    const { ours, theirs } = rounds.peers[k]!;
    return {
      name: spec.name,
      status: 'run',
      version: peer.version,
      seconds: median(theirs),
      ratio: unlessNoisy(ratios(theirs, ours)),
      distance,
    };
  });
  const missing = absent.map(
    ({ spec, reason }): PeerResult => ({ name: spec.name, status: 'not run', reason }),
  );
  return {
    rounds: rounds.first.length,
    seconds: median(rounds.first),
    sameOverSame,
    others,
    noisy,
    limit: {
      kind: one.limit,
      perSecond: work / median(rounds.limit),
      fraction: unlessNoisy(ratios(rounds.limit, rounds.first)),
    },
    peers: one.peers.flatMap(({ name }) => [...timed, ...missing].filter((peer) => peer.name === name)),
  };
}

/** The child that runs the peers: started when first needed, and again when one of them took it down. */
class Peers {
  process: PeerProcess | null = null;
  readonly #options: RunBenchOptions;

  constructor(options: RunBenchOptions) {
    this.#options = options;
  }

  /** Makes a case's peers ready and compares what they give with what ours gave last. */
  async open(one: BenchCase, workload: Workload, threads: number): Promise<OpenedPeers> {
    const { python, peerModules: modules, onPeerLog: onLog, onStage } = this.#options;
    const ready: ReadyPeer[] = [];
    const absent: { spec: PeerSpec; reason: string }[] = [];
    for (const spec of python === null ? [] : one.peers) {
      onStage?.(`${one.name}: making ${spec.name} ready`);
      if (!this.process?.alive) {
        await this.process?.stop();
        this.process = new PeerProcess({ python: python!, modules, onLog });
      }
      try {
        const peer = await this.process.open(spec, one.parameters, workload.inputs, threads);
        if ('unavailable' in peer) {
          absent.push({ spec, reason: peer.unavailable });
          continue;
        }
        const distance = furthest(await this.process.outputs(peer), workload.outputs());
        if (distance <= spec.tolerance) ready.push({ spec, peer, distance });
        else {
          await this.process.close(peer);
          absent.push({
            spec,
            reason: `gives something else: off by ${distance.toExponential(1)}, ${spec.tolerance} allowed`,
          });
        }
      } catch (error) {
        if (this.#options.signal?.aborted) throw error;
        absent.push({ spec, reason: (error as Error).message });
        // those that were ready have gone with the child
        if (!this.process.alive)
          for (const { spec: gone } of ready.splice(0))
            absent.push({ spec: gone, reason: `ended by ${spec.name}` });
      }
    }
    return { ready, absent };
  }

  async close(peers: readonly OpenPeer[]): Promise<void> {
    for (const peer of peers) await this.process?.close(peer);
  }

  async stop(): Promise<void> {
    await this.process?.stop();
  }
}

/** Of all outputs; NaN when one is missing. */
function furthest(
  theirs: Readonly<Record<string, Float32Array>>,
  ours: Readonly<Record<string, Float32Array>>,
): number {
  const distances = Object.entries(ours).map(([name, values]) =>
    relativeDistance(theirs[name] ?? [], values),
  );
  return Math.max(0, ...distances);
}
