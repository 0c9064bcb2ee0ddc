/** What an evaluation that trains may be asked, and its defaults. */
import {
  checkBoolean,
  checkCount,
  checkOneOf,
  checkSignal,
  checkText,
  LIMITS,
  requireOptions,
} from '../checks.js';
import type { EncoderOptions } from '../embed/encoder-options.js';
import { invalidArgument, VsslError } from '../errors.js';
import type { DataOptions } from '../eval/evaluation-data.js';
import type { TrainEvent } from '../train/events.js';

/** The methods that learn labels, as protocols. */
export const TUNED_PROTOCOLS = ['finetune', 'attentive'] as const;
export type TunedProtocol = (typeof TUNED_PROTOCOLS)[number];

export interface TunedEvaluationOptions extends DataOptions, Pick<EncoderOptions, 'device' | 'threads'> {
  /** finetune: the whole network learns; attentive: a query over its feature map, the network stays. */
  readonly protocol: TunedProtocol;
  /** Run folder whose weights it begins with; the result is written into it. */
  readonly run?: string;
  /** Weights file, instead of a run folder. */
  readonly weights?: string;
  /** Settings of the training. Default PROTOCOL-tiny. Network, clips and input are those of the weights. */
  readonly preset?: string;
  /** `a.b=c`, over the preset. */
  readonly set?: readonly string[];
  /** Of the training. Default 0. */
  readonly seed?: number;
  /** Folder of the runs; what is there is gone on with. Default: in the run folder, by the result's key. */
  readonly runs?: string;
  /** Windows of a test video, whose probabilities are averaged with those of its crops. Default 10. */
  readonly windows?: number;
  /** Crops of a window. Default 3. */
  readonly crops?: 1 | 3;
  /** `random`: also the same training on the same architecture untrained. */
  readonly baseline?: 'random';
  /** Seed of the baseline's weights. Default 0. */
  readonly baselineSeed?: number;
  /** Also what a linear probe of raw pixels achieves. */
  readonly floors?: boolean;
  /** File for the result. */
  readonly out?: string;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: TunedEvent) => void;
}

/** What happens on the way. */
export type TunedEvent =
  | {
      readonly type: 'run';
      readonly number: number;
      readonly total: number;
      readonly name: string;
      readonly folder: string;
    }
  | { readonly type: 'train'; readonly event: TrainEvent }
  | { readonly type: 'test'; readonly done: number; readonly total: number };

const KNOWN = (
  'protocol run weights preset set seed runs windows crops baseline baselineSeed floors out signal onEvent ' +
  'train test data folds device threads'
).split(' ');

/** The options with their defaults, and the path of the weights. Throws ERR_VSSL_USAGE and ERR_VSSL_INVALID_ARGUMENT. */
export function checkTunedOptions(options: TunedEvaluationOptions) {
  const protocol = checkOneOf('protocol', options?.protocol, TUNED_PROTOCOLS);
  requireOptions(options, KNOWN);
  checkSignal(options.signal);
  const { run, weights, preset = `${protocol}-tiny`, set = [], seed = 0 } = options;
  const { windows = 10, crops = 3, baseline, baselineSeed = 0, floors = false } = options;
  if ((run === undefined) === (weights === undefined))
    throw new VsslError('ERR_VSSL_USAGE', 'expected either run (a run folder) or weights (a weights file)');
  if (run === undefined && options.runs === undefined)
    throw new VsslError('ERR_VSSL_USAGE', 'with weights, say where the runs go: runs (--runs DIR)');
  checkText('preset', 'the name of a preset', preset);
  if (!Array.isArray(set)) throw invalidArgument('set', "a list of settings such as 'train.epochs=20'", set);
  checkCount('seed', seed, 0);
  checkCount('windows', windows, 1, LIMITS.windows);
  checkOneOf('crops', crops, [1, 3]);
  if (baseline !== undefined) checkOneOf('baseline', baseline, ['random']);
  checkCount('baselineSeed', baselineSeed, 0);
  checkBoolean('floors', floors);
  return {
    weights: (run ?? weights)!,
    settings: { preset, set, seed, windows, crops },
    beside: { baseline, baselineSeed, floors },
  };
}
