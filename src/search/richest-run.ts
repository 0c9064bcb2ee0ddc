/** The run of neighbours whose gains have the largest sum, found while they come one after the other. */
export class RichestRun {
  /** First and last of the run; -1: none has a sum above the least. */
  from = -1;
  to = -1;
  sum: number;
  #begin: number;
  #running = 0;

  /** `begin`: number of the first that comes. */
  constructor(begin: number, least: number) {
    this.#begin = begin;
    this.sum = least;
  }

  add(i: number, gain: number): void {
    if (this.#running < 0) this.restart(i);
    this.#running += gain;
    if (this.#running > this.sum) [this.from, this.to, this.sum] = [this.#begin, i, this.#running];
  }

  /** No run goes on over what lies before `begin`. */
  restart(begin: number): void {
    this.#begin = begin;
    this.#running = 0;
  }
}
