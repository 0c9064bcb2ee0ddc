import { setTimeout as sleep } from 'node:timers/promises';

type Call = () => void | Promise<void>;

/** How a turn is timed: so many calls in a row, after `warm` that are not counted. */
export interface TurnPlan {
  readonly repeats: number;
  /**
   * Short calls find in the caches what they find in a loop; whoever ran before has thrown it out. One call does not
   * bring back arrays that nearly fill the last cache, a turn's worth does.
   */
  readonly warm: number;
}

const SHORTEST_TURN = 0.05;
const WARM_BELOW = 0.05;
const ESTIMATES = 5;
const LONG = 1; // known well enough from one call

/** Calls until the time is known well enough to say how many calls make a turn. */
export async function planTurn(call: Call): Promise<TurnPlan> {
  const times: number[] = [];
  do times.push(await secondsOf(call, 1));
  while (times.length < ESTIMATES && times.at(-1)! < (times.length < 2 ? LONG : WARM_BELOW));
  return planFor(Math.min(...times));
}

export function planFor(secondsPerCall: number): TurnPlan {
  const repeats = Math.max(1, Math.ceil(SHORTEST_TURN / Math.max(secondsPerCall, 1e-7)));
  return { repeats, warm: secondsPerCall < WARM_BELOW ? repeats : 0 };
}

/** Seconds per call of one turn. */
export async function takeTurn(call: Call, { repeats, warm }: TurnPlan): Promise<number> {
  if (warm > 0) await secondsOf(call, warm);
  return (await secondsOf(call, repeats)) / repeats;
}

/**
 * Mean of a turn's measurements: `measure` gives the seconds it found. The first is not counted: after a long call the
 * threads may share a core for some milliseconds, until the system spreads them.
 */
export function limitTurn(measure: () => number): number {
  const found: number[] = [];
  measure();
  const start = performance.now();
  do found.push(measure());
  while (performance.now() - start < 1000 * SHORTEST_TURN);
  return found.reduce((sum, seconds) => sum + seconds, 0) / found.length;
}

/** Until the threads of the side that ran sleep: ours look for work for 50 us, those of OpenMP for some milliseconds. */
export async function settle(): Promise<void> {
  await sleep(10);
}

async function secondsOf(call: Call, repeats: number): Promise<number> {
  const start = performance.now();
  for (let k = 0; k < repeats; k++) {
    const pending = call();
    if (pending) await pending;
  }
  return (performance.now() - start) / 1000;
}
