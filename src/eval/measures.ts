/** What a claim may compare: each measure gives one number of a run's frozen features, higher is better. */
import type { EncoderOptions } from '../embed/encoder-options.js';
import { VsslError } from '../errors.js';
import type { Claim } from '../methods/method.js';
import type { BenchOptions } from './bench.js';
import { evaluate } from './evaluate.js';
import type { DataOptions } from './evaluation-data.js';

export interface MeasureRequest
  extends DataOptions,
    EncoderOptions,
    Pick<BenchOptions, 'signal' | 'onProgress'> {
  /** Run folder with the trained encoder. */
  readonly run: string;
}

export interface Measurement {
  readonly value: number;
  /** The least difference that means something: what one test video more or less makes. */
  readonly resolution: number;
}

export interface Measure {
  /** For tables, with the unit: `linear probe, %`. */
  readonly title: string;
  /** Factor on values that are shown. */
  readonly scale: number;
  readonly run: (request: MeasureRequest) => Promise<Measurement>;
}

const knn: Measure = {
  title: 'kNN accuracy, %',
  scale: 100,
  async run(request) {
    const { trained } = await evaluate({ ...request, protocol: 'knn' });
    return { value: trained.accuracy, resolution: 1 / trained.count };
  },
};

const linear: Measure = {
  title: 'linear probe accuracy, %',
  scale: 100,
  async run(request) {
    const { trained } = await evaluate({ ...request, protocol: 'linear' });
    return { value: trained.accuracy, resolution: 1 / trained.count };
  },
};

/** Among videos of the same label: what hangs on a run's own augmentation would ask each arm another question. */
const retrieval: Measure = {
  title: 'retrieval R@1 (same label), %',
  scale: 100,
  async run(request) {
    const { trained } = await evaluate({ ...request, protocol: 'retrieval' });
    if (trained.label === undefined)
      throw new VsslError(
        'ERR_VSSL_DATA',
        'retrieval by label needs labelled videos; this data has no labels',
      );
    return { value: trained.label.recall[1]!, resolution: 1 / trained.label.queries };
  },
};

/** By the name that a claim gives. */
export const MEASURES: Readonly<Record<Claim['measure'], Measure>> = { knn, linear, retrieval };
