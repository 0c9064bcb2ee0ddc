import { checkCount, LIMITS } from '../checks.js';
import { VsslError } from '../errors.js';
import { loadKernels } from '../native/load.js';
import { type BenchCase, type Check, passed, type Workload } from './case.js';
import { describeMachine } from './machine.js';
import { Peers, type PeersOptions, type RunningPeers } from './open-peers.js';
import { measureExtraMemory } from './peak-memory.js';
import {
  type BenchResult,
  type BenchRow,
  type BenchTopic,
  RESULT_FORMAT,
  RESULT_VERSION,
  type Timing,
} from './result.js';
import { takeRounds } from './rounds.js';
import { timingOf } from './timing.js';

const MOST_RETRIES = 2; // of a noisy row

export interface RunBenchOptions extends PeersOptions {
  /** kernels, when it is not said. */
  readonly what?: BenchTopic;
  readonly cases: readonly BenchCase[];
  /** Rounds of turns, and so pairs with each peer. */
  readonly pairs: number;
  /** Upper bound for both sides; 0: one per physical core. Of several numbers, every case is taken with each. */
  readonly threads: number | readonly number[];
  readonly onRow?: (row: BenchRow) => void;
}

/** What timing a case needs beside its workload. */
interface Setting extends RunBenchOptions {
  readonly one: BenchCase;
  readonly use: number;
  readonly children: Peers;
}

/**
 * Verifies each case (a kernel against its double-precision twin, with its gradient in the small size), and then times
 * it, in turns with the machine's limit and with each peer. A case that is wrong is not timed.
 */
export async function runBench(options: RunBenchOptions): Promise<BenchResult> {
  checkCount('pairs', options.pairs, 1, LIMITS.rounds);
  const asked = typeof options.threads === 'number' ? [options.threads] : options.threads;
  for (const count of asked) checkCount('threads', count, 0, LIMITS.threads);
  const { limits } = loadKernels();
  const threads = [...new Set(asked.map((count) => count || limits.cores()))];
  const children = new Peers(options);
  const stop = () => void children.stop();
  options.signal?.addEventListener('abort', stop);
  const rows: BenchRow[] = [];
  try {
    for (const one of options.cases)
      for (const use of threads) {
        const row = await runCase({ ...options, one, use, children });
        rows.push(row);
        options.onRow?.(row);
      }
  } catch (error) {
    if (options.signal?.aborted)
      throw new VsslError('ERR_VSSL_ABORTED', 'stopped by the user', { cause: error });
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', stop);
    await children.stop();
  }
  return {
    format: RESULT_FORMAT,
    formatVersion: RESULT_VERSION,
    what: options.what ?? 'kernels',
    date: new Date().toISOString(),
    machine: describeMachine(),
    threads: Math.max(...threads),
    pairs: options.pairs,
    rows,
  };
}

/** All checks of a case in its small size, its gradient among them; none where it has no small size. */
export async function checkCase({ small, prepare }: BenchCase, threads: number): Promise<Check[]> {
  if (!small) return [];
  const workload = await prepare(small);
  try {
    const checks = [
      ...(await workload.verify(threads)),
      ...((await workload.checkGradient?.(threads)) ?? []),
    ];
    return checks.map((check) => ({ ...check, what: `small: ${check.what}` }));
  } finally {
    workload.dispose?.();
  }
}

async function runCase(setting: Setting): Promise<BenchRow> {
  const { one, use, onStage } = setting;
  onStage?.(`${one.name}: verifying`);
  const small = await checkCase(one, use);
  const workload = await one.prepare(one.parameters);
  try {
    const checks = [...small, ...(await workload.verify(use))];
    const known = { ...one, ...workload.work?.() };
    const { name, kernel, parameters, flops, bytes, clips, verified } = known;
    const wrong = !checks.every(passed);
    const row = { name, kernel, parameters, flops, bytes, clips, threads: use, verified, checks, wrong };
    return wrong ? row : { ...row, ...(await measure({ ...setting, one: known }, workload)) };
  } finally {
    await setting.children.stop();
    workload.dispose?.();
  }
}

async function measure(setting: Setting, workload: Workload) {
  const { one, use, children, signal } = setting;
  const extraMemoryBytes = one.measureMemory ? await measureExtraMemory(one, use, signal) : undefined;
  const opened = await children.open(one, workload, use);
  let timing = await timeCase(setting, workload, opened);
  // whether a row is noisy does not depend on its ratios, so another try favours neither side
  for (let again = 0; timing.noisy && again < MOST_RETRIES; again++)
    timing = await timeCase(setting, workload, opened);
  return { timing, extraMemoryBytes };
}

/** With the peers; when one of them fails on the way, without them, and they are listed with the reason. */
async function timeCase(setting: Setting, workload: Workload, opened: RunningPeers): Promise<Timing> {
  const { one, use, children, pairs, signal, onStage } = setting;
  const { limits } = loadKernels();
  try {
    const rounds = await takeRounds(workload, {
      rounds: Math.min(pairs, one.roundsAtMost ?? pairs),
      threads: use,
      limits,
      peers: opened.ready,
      pids: children.pids,
      signal,
      onRound: (done, total) => onStage?.(`${one.name}: round ${done} of ${total}`),
    });
    const limit =
      one.limit === 'bf16 multiply-adds' && !limits.bf16Rate(0.001, 1) ? 'fp32 multiply-adds' : one.limit;
    return timingOf({ ...one, limit }, rounds, opened, workload.stages?.());
  } catch (error) {
    if (signal?.aborted || opened.ready.length === 0) throw error;
    const reason = `failed while it was timed: ${(error as Error).message}`;
    const gone = opened.ready.map(({ spec }) => ({ spec, reason }));
    const absent = [...opened.absent, ...gone];
    return timeCase(setting, workload, { ready: [], absent });
  }
}
