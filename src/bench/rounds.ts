import { VsslError } from '../errors.js';
import type { KernelLimits } from '../native/bindings.js';
import { watchOthers } from '../native/contention.js';
import type { Workload } from './case.js';
import { limitTurn, planTurn, settle, takeTurn } from './turn.js';

/** A peer as the rounds see it: each call is a turn and gives its seconds per call. */
export interface PeerTurns {
  take(): Promise<number>;
  /** With the allocator that the process gets when nobody chooses; absent where that is the one chosen. */
  takeByDefault?(): Promise<number>;
}

/** Seconds per call of every turn, a number a round. */
export interface Rounds {
  /** Ours, at the beginning of the round and at its end. */
  readonly first: number[];
  readonly last: number[];
  readonly limit: number[];
  /** For each peer its turn, and ours just after it; by default in the first rounds alone. */
  readonly peers: readonly {
    readonly ours: number[];
    readonly theirs: number[];
    readonly byDefault?: number[];
  }[];
  /** Share of the processors that other processes used meanwhile, where it is known. */
  readonly others?: number;
}

export interface RoundsOptions {
  readonly rounds: number;
  readonly threads: number;
  readonly limits: KernelLimits;
  readonly peers: readonly PeerTurns[];
  /** Of the peers' processes. */
  readonly pids: readonly number[];
  readonly signal?: AbortSignal;
  readonly onRound?: (done: number, total: number) => void;
}

const ROUNDS_BY_DEFAULT = 5;

/**
 * Times in alternation, so that whatever else the machine does meets both sides: each round is ours, the limit, then a
 * peer and ours in turn for every peer. Only one side runs at a time.
 */
export async function takeRounds(workload: Workload, options: RoundsOptions): Promise<Rounds> {
  const { rounds, threads, limits, peers, pids, signal } = options;
  const call = () => workload.run(threads);
  const plan = await planTurn(call);
  const taken = {
    first: [] as number[],
    last: [] as number[],
    limit: [] as number[],
    peers: peers.map(() => ({ ours: [] as number[], theirs: [] as number[], byDefault: [] as number[] })),
  };
  const ours = () => {
    if (signal?.aborted) throw new VsslError('ERR_VSSL_ABORTED', 'stopped by the user');
    return takeTurn(call, plan);
  };
  workload.stages?.(); // those of the calls that planned the turns
  const others = watchOthers(pids);
  for (let round = 0; round < rounds; round++) {
    taken.first.push(await ours());
    taken.limit.push(await takeLimit(() => workload.limitSeconds(limits, threads)));
    for (const [k, peer] of peers.entries()) {
      const of = taken.peers[k]!;
      await settle();
      if (round < ROUNDS_BY_DEFAULT && peer.takeByDefault) of.byDefault.push(await peer.takeByDefault());
      of.theirs.push(await peer.take());
      await settle();
      of.ours.push(await ours());
    }
    taken.last.push(taken.peers.at(-1)?.ours.at(-1) ?? (await ours()));
    options.onRound?.(round + 1, rounds);
  }
  return { ...taken, others: others()?.others };
}

/** A limit that is a promise is a call of its own, long enough to be measured once. */
async function takeLimit(measure: () => number | Promise<number>): Promise<number> {
  const first = measure();
  return typeof first === 'number' ? limitTurn(measure as () => number) : first;
}
