/** Whether other programs take the processors from a run, and what that costs it. */
import { watchOthers } from '../native/contention.js';

/** Of all processors, in use by others while (nearly) none is free. */
const CROWDED = 0.2;
const FREE = 0.1;
const QUIET = 0.05;

export class Crowding {
  readonly #warn: (message: string) => void;
  #look = watchOthers([]);
  /** Of the quickest stretch of steps without others. */
  #quietSeconds: number | null = null;
  #told = false;

  /** `warn` is called once, at the first stretch that others have shared. */
  constructor(warn: (message: string) => void) {
    this.#warn = warn;
  }

  /** Share of the processors that others used since the last call, while steps took so long each. */
  note(stepSeconds: number): number | undefined {
    const crowd = this.#look();
    this.#look = watchOthers([]);
    if (!crowd) return undefined;
    const { others, idle } = crowd;
    if (others < QUIET) this.#quietSeconds = Math.min(stepSeconds, this.#quietSeconds ?? stepSeconds);
    if (others > CROWDED && idle < FREE && !this.#told) {
      this.#told = true;
      this.#warn(this.#describe(others, stepSeconds));
    }
    return others;
  }

  #describe(others: number, stepSeconds: number): string {
    const quiet = this.#quietSeconds;
    const cost =
      quiet === null
        ? ''
        : `; a step takes ${(stepSeconds / quiet).toFixed(1)} times as long as without them (${stepSeconds.toFixed(2)} s)`;
    return (
      `other programs use ${Math.round(100 * others)} % of the processors, and none is free${cost}. ` +
      'metrics.jsonl tells their share as othersShare'
    );
  }
}
