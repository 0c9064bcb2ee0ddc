/** What a claim may compare: a measure gives one number of a run's frozen features, higher is better. */
import type { EncoderOptions } from '../embed/encoder-options.js';
import type { DataOptions } from './evaluation-data.js';

export interface MeasureRequest extends DataOptions, EncoderOptions {
  /** Run folder with the trained encoder. */
  readonly run: string;
  readonly signal?: AbortSignal;
}

export interface Measurement {
  readonly value: number;
  /** The least difference that means something: what one test video more or less makes. */
  readonly resolution: number;
  /** Standard error of the value that comes of which videos happen to be tested; default 0. */
  readonly noise?: number;
  readonly warnings: readonly string[];
  /** Videos that could not be used. */
  readonly failures: readonly { readonly path: string; readonly code: string; readonly reason: string }[];
}

export interface Measure {
  /** What a claim calls it: letters, digits and '-'. Part of the name of the file that keeps its value beside a run. */
  readonly name: string;
  /** For tables, with the unit: `linear probe, %`. */
  readonly title: string;
  /** Factor on values that are shown. Default 1. */
  readonly scale?: number;
  /** Two arms that differ by less count as equal: in the measure's own unit, chosen before anything is measured. Default 0. */
  readonly margin?: number;
  /** Whether the videos have to be labelled. Default false. */
  readonly labels?: boolean;
  /** Kept values of another version are taken again: raise it when the same run would give another value. */
  readonly version?: number;
  readonly run: (
    request: MeasureRequest,
  ) => Promise<Pick<Measurement, 'value' | 'resolution'> & Partial<Measurement>>;
}
