/** What became of the requests, as text that Prometheus reads. By hand, because it is forty lines; prom-client does more. */

/** What a search can come to. All of them are shown from the start, so that a rate can be taken of the first one. */
export const OUTCOMES = [
  ...[
    'answered',
    'busy',
    'unavailable',
    'too_large',
    'too_slow',
    'not_a_video',
    'bad_request',
    'hung_up',
    'failed',
  ],
];
/** Upper bounds of the histogram, in seconds. */
const BOUNDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export class Metrics {
  #outcomes = new Map(OUTCOMES.map((outcome) => [outcome, 0]));
  #within = BOUNDS.map(() => 0);
  #seconds = 0;

  /** A search has ended. Times of those that were answered make the histogram: a refusal takes none. */
  count(outcome, seconds) {
    this.#outcomes.set(outcome, this.#outcomes.get(outcome) + 1);
    if (outcome !== 'answered') return;
    this.#seconds += seconds;
    for (const [i, bound] of BOUNDS.entries()) if (seconds <= bound) this.#within[i]++;
  }

  /** Seconds that an answer takes. */
  get mean() {
    return this.#seconds / Math.max(1, this.#outcomes.get('answered'));
  }

  /** `gauges`: what is so at this moment, by name. */
  text(gauges) {
    const answered = this.#outcomes.get('answered');
    return [
      '# HELP searches_total Searches that have ended, by what became of them.',
      '# TYPE searches_total counter',
      ...[...this.#outcomes].map(([outcome, count]) => `searches_total{outcome="${outcome}"} ${count}`),
      '# HELP search_seconds From the head of a request to its answer, waiting and upload included.',
      '# TYPE search_seconds histogram',
      ...BOUNDS.map((bound, i) => `search_seconds_bucket{le="${bound}"} ${this.#within[i]}`),
      `search_seconds_bucket{le="+Inf"} ${answered}`,
      `search_seconds_sum ${this.#seconds}`,
      `search_seconds_count ${answered}`,
      ...Object.entries(gauges).flatMap(([name, value]) => [`# TYPE ${name} gauge`, `${name} ${value}`]),
      '',
    ].join('\n');
  }
}
