import type { BenchCase, Stages } from './case.js';
import type { OpenedPeers } from './open-peers.js';
import type { PeerResult, Timing } from './result.js';
import type { Rounds } from './rounds.js';
import { estimate, median, ratios } from './statistics.js';

const SAME = [0.9, 1.1] as const;
const MOST_OTHERS = 0.1;

/** What the rounds say. A peer whose threads wait for each other suffers more from other processes than we do. */
export function timingOf(
  one: BenchCase,
  rounds: Rounds,
  { ready, absent }: OpenedPeers,
  stages?: Stages,
): Timing {
  const { others } = rounds;
  const sameOverSame = estimate(ratios(rounds.last, rounds.first));
  const same = sameOverSame.median >= SAME[0] && sameOverSame.median <= SAME[1];
  const noisy = !same || (others ?? 0) > MOST_OTHERS;
  const unlessNoisy = (values: number[]) => (noisy ? undefined : estimate(values));
  const timed = ready.map(({ spec, peer, distance, allocator }, k): PeerResult => {
    const { ours, theirs, byDefault = [] } = rounds.peers[k]!;
    return {
      name: spec.name,
      status: 'run',
      version: peer.version,
      allocator,
      seconds: median(theirs),
      ratio: unlessNoisy(ratios(theirs, ours)),
      ...(byDefault.length > 0 && {
        byDefault: { seconds: median(byDefault), ratio: unlessNoisy(ratios(byDefault, ours)) },
      }),
      distance,
      note: peer.note,
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
      perSecond: workOf(one) / median(rounds.limit),
      fraction: unlessNoisy(ratios(rounds.limit, rounds.first)),
    },
    ...(stages && { stages }),
    peers: one.peers.flatMap(({ name }) => [...timed, ...missing].filter((peer) => peer.name === name)),
  };
}

/** What the limit counts of one call. */
function workOf({ limit, flops, bytes, clips }: BenchCase): number {
  if (limit === 'network passes' || limit.startsWith('decoding')) return clips ?? 1;
  return limit.endsWith('multiply-adds') || limit === 'bare convolutions' ? flops : bytes;
}
