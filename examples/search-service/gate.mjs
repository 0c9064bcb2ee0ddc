/** Lets `atOnce` in and `waiting` more stand in line. Whoever comes beyond that is turned away. */
export class Gate {
  #atOnce;
  #waiting;
  #inside = 0;
  #line = [];

  constructor(atOnce, waiting) {
    this.#atOnce = atOnce;
    this.#waiting = waiting;
  }

  get inside() {
    return this.#inside;
  }

  get waiting() {
    return this.#line.length;
  }

  /** True when it is the caller's turn, who then has to leave(); false at once when the line is full. An aborted signal throws its reason. */
  async enter(signal) {
    signal.throwIfAborted();
    if (this.#inside < this.#atOnce) {
      this.#inside++;
      return true;
    }
    if (this.#line.length >= this.#waiting) return false;
    await new Promise((resolve, reject) => {
      const giveUp = () => {
        this.#line.splice(this.#line.indexOf(letIn), 1);
        reject(signal.reason);
      };
      const letIn = () => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#line.push(letIn);
    });
    return true;
  }

  /** The place goes to the first in line. */
  leave() {
    const next = this.#line.shift();
    if (next) next();
    else this.#inside--;
  }
}
