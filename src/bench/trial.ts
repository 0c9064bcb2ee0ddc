import type { Allocator } from './allocators.js';
import type { OpenPeer, PeerProcess } from './peer.js';
import { median } from './statistics.js';
import { planFor, settle, type TurnPlan } from './turn.js';

/** A peer made ready in the process of one allocator. */
export interface Candidate {
  readonly allocator: Allocator;
  readonly process: PeerProcess;
  readonly peer: OpenPeer;
}

/** A candidate that can take turns, and how fast it was in the trial. */
export interface TriedPeer extends Candidate {
  readonly plan: TurnPlan;
  /** Of one call. */
  readonly seconds: number;
}

const ROUNDS = 3;
const LONG = 2; // seconds of a call, of which fewer tell enough
const ROUNDS_OF_LONG = 2;

/** Takes turns with each candidate, a few rounds of them. One that fails is left out; `failed` is told why. */
export async function tryCandidates(
  candidates: readonly Candidate[],
  failed: (candidate: Candidate, error: Error) => void,
): Promise<TriedPeer[]> {
  const running = await keep(candidates, failed, async (one) => ({
    ...one,
    plan: await planPeer(one),
    times: [] as number[],
  }));
  let left = running;
  for (let round = 0; round < ROUNDS && left.length > 1; round++) {
    const long = left.some(({ times }) => times.some((seconds) => seconds > LONG));
    if (long && round >= ROUNDS_OF_LONG) break;
    left = await keep(left, failed, async (one) => {
      await settle();
      one.times.push(await one.process.takeTurn(one.peer, one.plan));
      return one;
    });
  }
  return left.map(({ times, ...one }) => ({ ...one, seconds: median(times) }));
}

async function keep<One extends Candidate, Made>(
  candidates: readonly One[],
  failed: (candidate: Candidate, error: Error) => void,
  work: (candidate: One) => Promise<Made>,
): Promise<Made[]> {
  const made: Made[] = [];
  for (const one of candidates)
    try {
      made.push(await work(one));
    } catch (error) {
      failed(one, error as Error);
    }
  return made;
}

async function planPeer({ process, peer }: Candidate): Promise<TurnPlan> {
  const first = await process.takeTurn(peer, { repeats: 1, warm: 1 });
  return planFor(
    first > LONG ? first : Math.min(first, await process.takeTurn(peer, { repeats: 2, warm: 0 })),
  );
}

/** The fastest; the first of those that are equally fast. */
export function fastest<One extends { readonly seconds: number }>(tried: readonly One[]): One | undefined {
  return tried.reduce<One | undefined>(
    (best, one) => (best && best.seconds <= one.seconds ? best : one),
    undefined,
  );
}
