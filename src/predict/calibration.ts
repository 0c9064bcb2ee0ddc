/** What confidences are worth, on clips whose labels are known. */

/** Bins of the expected calibration error, as in Guo et al. 2017. */
const BINS = 15;

export interface Calibration {
  readonly clips: number;
  readonly accuracy: number;
  /** Mean confidence; that of well-calibrated predictions is their accuracy. */
  readonly confidence: number;
  /**
   * Expected calibration error: predictions are put into 15 bins by their confidence, and the distance between confidence
   * and accuracy in each is averaged by its number of predictions. Of few clips it is too large by chance.
   */
  readonly expectedCalibrationError: number;
}

/** Of predictions with their confidences, and whether each was right. */
export function scoreConfidences(
  predictions: readonly { readonly confidence: number; readonly right: boolean }[],
): Calibration {
  const bins = Array.from({ length: BINS }, () => ({ confidence: 0, right: 0 }));
  for (const { confidence, right } of predictions) {
    const bin = bins[Math.min(BINS - 1, Math.floor(confidence * BINS))]!;
    bin.confidence += confidence;
    bin.right += right ? 1 : 0;
  }
  const clips = predictions.length;
  const mean = (of: (bin: (typeof bins)[number]) => number) =>
    bins.reduce((sum, bin) => sum + of(bin), 0) / Math.max(1, clips);
  return {
    clips,
    accuracy: mean(({ right }) => right),
    confidence: mean(({ confidence }) => confidence),
    expectedCalibrationError: mean(({ confidence, right }) => Math.abs(confidence - right)),
  };
}
