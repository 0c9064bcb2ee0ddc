/** What a claim may compare: each measure gives one number of a run's frozen features, higher is better. */
import { type EncoderOptions, weightsFile } from '../embed/encoder-options.js';
import { VsslError } from '../errors.js';
import type { Claim } from '../methods/method.js';
import { type EvaluationResult, evaluate } from './evaluate.js';
import { type DataOptions, loadEvaluationData } from './evaluation-data.js';
import { type ExtractorOptions, FeatureExtractor } from './feature-extractor.js';
import { measureShiftProbe } from './shift-probe.js';

export interface MeasureRequest
  extends DataOptions,
    EncoderOptions,
    Pick<ExtractorOptions, 'signal' | 'onProgress'> {
  /** Run folder with the trained encoder. */
  readonly run: string;
}

export interface Measurement extends Pick<EvaluationResult<unknown>, 'warnings' | 'failures'> {
  readonly value: number;
  /** The least difference that means something: what one test video more or less makes. */
  readonly resolution: number;
}

export interface Measure {
  /** For tables, with the unit: `linear probe, %`. */
  readonly title: string;
  /** Factor on values that are shown. */
  readonly scale: number;
  /** Whether the videos have to be labelled. */
  readonly labels: boolean;
  readonly run: (request: MeasureRequest) => Promise<Measurement>;
}

const knn: Measure = {
  title: 'kNN accuracy, %',
  scale: 100,
  labels: true,
  async run(request) {
    const { trained, warnings, failures } = await evaluate({ ...request, protocol: 'knn' });
    return { value: trained.accuracy, resolution: 1 / trained.count, warnings, failures };
  },
};

const linear: Measure = {
  title: 'linear probe accuracy, %',
  scale: 100,
  labels: true,
  async run(request) {
    const { trained, warnings, failures } = await evaluate({ ...request, protocol: 'linear' });
    return { value: trained.accuracy, resolution: 1 / trained.count, warnings, failures };
  },
};

/** Among videos of the same label: what hangs on a run's own augmentation would ask each arm another question. */
const retrieval: Measure = {
  title: 'retrieval R@1 (same label), %',
  scale: 100,
  labels: true,
  async run(request) {
    const { trained, warnings, failures } = await evaluate({ ...request, protocol: 'retrieval' });
    if (trained.label === undefined)
      throw new VsslError(
        'ERR_VSSL_DATA',
        'retrieval by label needs labelled videos; this data has no labels',
      );
    const { recall, queries } = trained.label;
    return { value: recall[1]!, resolution: 1 / queries, warnings, failures };
  },
};

/** Of several folds, the mean. */
const shiftProbe: Measure = {
  title: 'shift probe, R²',
  scale: 1,
  labels: false,
  async run(request) {
    const data = await loadEvaluationData(request);
    if (data.splits.length === 0)
      throw new VsslError('ERR_VSSL_USAGE', 'the shift probe needs train and test, or data with folds');
    const extractor = await FeatureExtractor.open(await weightsFile(request.run), data, request);
    try {
      let sum = 0;
      for (const { train, test } of data.splits) {
        const probe = await measureShiftProbe({
          loader: extractor.loader,
          embedder: extractor.encoder.embedder(),
          format: extractor.encoder.description,
          rows: data.rows,
          getFacts: (row) => extractor.facts.get(row),
          train,
          test,
          signal: request.signal,
          onFailure: (failure) => extractor.note([failure]),
        });
        sum += probe.r2 / data.splits.length;
      }
      const tested = data.splits.reduce((count, { test }) => count + test.length, 0);
      const { warnings, failures } = extractor;
      return { value: sum, resolution: 1 / tested, warnings, failures };
    } finally {
      await extractor.close();
    }
  },
};

/** By the name that a claim gives. */
export const MEASURES: Readonly<Record<Claim['measure'], Measure>> = {
  knn,
  linear,
  retrieval,
  'shift-probe': shiftProbe,
};
