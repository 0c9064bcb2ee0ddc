import { VsslError } from '../errors.js';
import type { KernelLimits } from '../native/bindings.js';
import { watchOthers } from '../native/contention.js';
import type { Workload } from './case.js';
import type { OpenPeer, PeerProcess } from './peer.js';
import { limitTurn, planFor, planTurn, settle, type TurnPlan, takeTurn } from './turn.js';

/** Seconds per call of every turn, a number a round. */
export interface Rounds {
  /** Ours, at the beginning of the round and at its end. */
  readonly first: number[];
  readonly last: number[];
  readonly limit: number[];
  /** For each peer its turn, and ours just before it. */
  readonly peers: readonly { readonly ours: number[]; readonly theirs: number[] }[];
  /** Share of the processors that other processes used meanwhile, where it is known. */
  readonly others?: number;
}

export interface RoundsOptions {
  readonly rounds: number;
  readonly threads: number;
  readonly limits: KernelLimits;
  readonly process: PeerProcess | null;
  readonly peers: readonly OpenPeer[];
  readonly signal?: AbortSignal;
  readonly onRound?: (done: number, total: number) => void;
}

/**
 * Times in alternation, so that whatever else the machine does meets both sides: each round is ours, the limit, then
 * ours and a peer in turn for every peer, and ours again. Only one side runs at a time.
 */
export async function takeRounds(workload: Workload, options: RoundsOptions): Promise<Rounds> {
  const { rounds, threads, limits, process, peers, signal } = options;
  const call = () => workload.run(threads);
  const plan = await planTurn(call);
  const plans: TurnPlan[] = [];
  for (const peer of peers) plans.push(await planPeer(process!, peer));
  const taken = {
    first: [] as number[],
    last: [] as number[],
    limit: [] as number[],
    peers: peers.map(() => ({ ours: [] as number[], theirs: [] as number[] })),
  };
  const ours = () => {
    if (signal?.aborted) throw new VsslError('ERR_VSSL_ABORTED', 'stopped by the user');
    return takeTurn(call, plan);
  };
  const others = watchOthers(process?.pid === undefined ? [] : [process.pid]);
  for (let round = 0; round < rounds; round++) {
    taken.first.push(await ours());
    taken.limit.push(limitTurn(() => workload.limitSeconds(limits, threads)));
    for (const [k, peer] of peers.entries()) {
      taken.peers[k]!.ours.push(await ours());
      await settle();
      taken.peers[k]!.theirs.push(await process!.takeTurn(peer, plans[k]!));
      await settle();
    }
    taken.last.push(await ours());
    options.onRound?.(round + 1, rounds);
  }
  return { ...taken, others: others()?.others };
}

async function planPeer(process: PeerProcess, peer: OpenPeer): Promise<TurnPlan> {
  const first = await process.takeTurn(peer, { repeats: 1, warm: 1 });
  return planFor(Math.min(first, await process.takeTurn(peer, { repeats: 2, warm: 0 })));
}
