import { checkCount, LIMITS } from '../checks.js';
import { VsslError } from '../errors.js';
import { loadKernels } from '../native/load.js';
import { type BenchCase, type Check, passed, type Workload } from './case.js';
import { describeMachine } from './machine.js';
import { type OpenedPeers, Peers, type PeersOptions } from './open-peers.js';
import { measureExtraMemory } from './peak-memory.js';
import { type BenchResult, type BenchRow, RESULT_FORMAT, RESULT_VERSION, type Timing } from './result.js';
import { takeRounds } from './rounds.js';
import { timingOf } from './timing.js';

const MOST_RETRIES = 2; // of a noisy row

export interface RunBenchOptions extends PeersOptions {
  readonly cases: readonly BenchCase[];
  /** Rounds of turns, and so pairs with each peer. */
  readonly pairs: number;
  /** Upper bound for both sides; 0: one per physical core. */
  readonly threads: number;
  readonly onRow?: (row: BenchRow) => void;
}

/**
 * Verifies each case against its double-precision twin, checks its gradient in the small size, and then times it, in
 * turns with the machine's limit and with each peer. A case that is wrong is not timed.
 */
export async function runBench(options: RunBenchOptions): Promise<BenchResult> {
  checkCount('pairs', options.pairs, 1, LIMITS.rounds);
  checkCount('threads', options.threads, 0, LIMITS.threads);
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
  options: RunBenchOptions,
): Promise<BenchRow> {
  const { name, kernel, parameters, flops, bytes, verified } = one;
  options.onStage?.(`${name}: verifying`);
  const small = await checkCase(one, threads);
  const workload = one.prepare(parameters);
  const checks = [...small, ...(await workload.verify(threads))];
  const wrong = !checks.every(passed);
  const row = { name, kernel, parameters, flops, bytes, verified, checks, wrong };
  if (wrong) return row;
  const extraMemoryBytes = one.measureMemory
    ? await measureExtraMemory(one, threads, options.signal)
    : undefined;
  const opened = await peers.open(one, workload, threads);
  let timing = await timeCase(one, workload, threads, peers, opened, options);
  // whether a row is noisy does not depend on its ratios, so another try favours neither side
  for (let again = 0; timing.noisy && again < MOST_RETRIES; again++)
    timing = await timeCase(one, workload, threads, peers, opened, options);
  await peers.close(opened);
  return { ...row, timing, extraMemoryBytes };
}

/** With the peers; when one of them fails on the way, without them, and they are listed with the reason. */
async function timeCase(
  one: BenchCase,
  workload: Workload,
  threads: number,
  peers: Peers,
  opened: OpenedPeers,
  options: RunBenchOptions,
): Promise<Timing> {
  const { pairs, signal, onStage } = options;
  const { limits } = loadKernels();
  try {
    const rounds = await takeRounds(workload, {
      rounds: Math.min(pairs, one.roundsAtMost ?? pairs),
      threads,
      limits,
      process: peers.process,
      peers: opened.ready.map(({ peer }) => peer),
      signal,
      onRound: (done, total) => onStage?.(`${one.name}: round ${done} of ${total}`),
    });
    const limit =
      one.limit === 'bf16 multiply-adds' && !limits.bf16Rate(0.001, 1) ? 'fp32 multiply-adds' : one.limit;
    return timingOf({ ...one, limit }, rounds, opened);
  } catch (error) {
    if (signal?.aborted || opened.ready.length === 0) throw error;
    const reason = `failed while it was timed: ${(error as Error).message}`;
    const gone = opened.ready.map(({ spec }) => ({ spec, reason }));
    const absent = [...opened.absent, ...gone];
    return timeCase(one, workload, threads, peers, { ready: [], absent }, options);
  }
}
