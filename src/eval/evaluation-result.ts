/** What an evaluation gives, and what is written of it. */
import type { UnusableVideo } from '../embed/unusable.js';
import type { EncoderDescription } from '../weights/encoder-file.js';
import type { DataOptions } from './evaluation-data.js';
import type { Protocol } from './evaluation-options.js';
import type { FloorName } from './floors.js';
import type { FactorScore } from './scores.js';

/** Version of the results that are written. */
export const EVALUATION_FORMAT_VERSION = 1;

export interface EvaluationResult<Score> {
  readonly formatVersion: typeof EVALUATION_FORMAT_VERSION;
  readonly packageVersion: string;
  readonly protocol: Protocol | 'finetune' | 'attentive';
  /** Stands for protocol, weights, videos, labels, splits and settings: two results of one key answer one question. */
  readonly key: string;
  readonly encoder: {
    readonly weights: string;
    readonly method: string;
    readonly step: number;
    readonly arch: string;
    readonly width: number;
    readonly dim: number;
    readonly clip: EncoderDescription['clip'];
    readonly input: string;
  };
  readonly data: DataOptions & {
    readonly videos: number;
    readonly used: number;
    readonly labels: readonly string[];
  };
  readonly settings: Readonly<Record<string, unknown>>;
  readonly trained: Score;
  readonly random?: Score & { readonly seed: number };
  readonly floors?: Readonly<Record<FloorName, Score>>;
  /** With `factors`. */
  readonly factors?: readonly FactorScore[];
  readonly failures: readonly UnusableVideo[];
  readonly warnings: readonly string[];
  readonly seconds: number;
  /** Where the result was written, with `run` or `out`. */
  readonly file?: string;
}
