import { weightsFile } from '../embed/open-encoder.js';
import { VsslError } from '../errors.js';
import { loadEvaluationData } from './evaluation-data.js';
import { FeatureExtractor } from './feature-extractor.js';
import type { Measurement, MeasureRequest } from './measure.js';
import { measureShiftProbe } from './shift-probe.js';

/** R^2 of the shift probe; of several folds, the mean. */
export async function measureShift(request: MeasureRequest): Promise<Measurement> {
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
}
