/** What predictVideos may be asked, its defaults, and the checks that come before any work. */
import { resolve } from 'node:path';
import { checkCount, checkOneOf, checkSignal, checkText, LIMITS, requireOptions } from '../checks.js';
import { parseShard, type Shard } from '../data/shard.js';
import type { EncoderOptions } from '../embed/encoder-options.js';
import { invalidArgument, VsslError } from '../errors.js';
import { checkOutFile } from '../weights/atomic-write.js';
import { isReplaceable } from './classifier-file.js';
import type { ClassifierKind } from './fit-classifier.js';
import { formatOf } from './predictions-file.js';

export interface PredictOptions extends EncoderOptions {
  /** Run folder or weights file. With a kept classifier alone it may be left out. */
  readonly weights?: string;
  /** Folder or manifest of the labelled clips; without it `model` is read. */
  readonly train?: string;
  /** Folder, manifest or video file: what gets labels. It may hold the labelled clips as well. */
  readonly data?: string;
  /** File of the predictions, `.csv` or `.jsonl`; written under a temporary name and renamed when whole. */
  readonly out?: string;
  /** File of the classifier (`.safetensors`): written with `train`, read without. */
  readonly model?: string;
  /** `linear` (default): the linear probe. `knn`: votes of the nearest labelled clips. */
  readonly classifier?: ClassifierKind;
  /** Neighbours that vote. Default 5. */
  readonly k?: number;
  /** Windows a video. Default 3; those of a kept classifier. */
  readonly clips?: number;
  /** Crops a window. Default 1; those of a kept classifier. */
  readonly crops?: 1 | 3;
  /** Names so many clips without a label whose labels would help most. Default 0. */
  readonly suggest?: number;
  /** Below this confidence a video gets no label. Default 0. */
  readonly minConfidence?: number;
  /** This part of the data alone, '0/8' to '7/8'. */
  readonly shard?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Options that are checked and have their defaults. */
export interface CheckedPredictOptions {
  readonly weights: string | undefined;
  readonly train: string | undefined;
  readonly data: string | undefined;
  readonly out: string | undefined;
  readonly model: string | undefined;
  readonly kind: ClassifierKind;
  readonly k: number;
  /** As given. */
  readonly clips: number | undefined;
  readonly crops: 1 | 3 | undefined;
  readonly suggest: number;
  readonly minConfidence: number;
  readonly shard: Shard | null;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((done: number, total: number) => void) | undefined;
  readonly encoder: EncoderOptions;
}

const known = (
  'weights train data out model classifier k clips crops suggest minConfidence shard signal onProgress ' +
  'device threads precision'
).split(' ');

/** Throws ERR_VSSL_INVALID_ARGUMENT, and ERR_VSSL_USAGE for options that do not go together. */
export async function checkPredictOptions(options: PredictOptions): Promise<CheckedPredictOptions> {
  requireOptions(options, known);
  const { weights, train, data, out, model, signal, onProgress, device, threads, precision } = options;
  for (const [name, value] of Object.entries({ weights, train, data, model }))
    if (value !== undefined) checkText(name, 'a path', value);
  const { classifier = 'linear', k = 5, clips, crops, suggest = 0, shard } = options;
  checkOneOf('classifier', classifier, ['linear', 'knn']);
  if (clips !== undefined) checkCount('clips', clips, 1, LIMITS.windows);
  if (crops !== undefined) checkOneOf('crops', crops, [1, 3]);
  const checked = {
    ...{ weights, train, data, out, model, kind: classifier, clips, crops, onProgress },
    k: checkCount('k', k),
    suggest: checkCount('suggest', suggest, 0),
    minConfidence: checkConfidence(options.minConfidence),
    shard: shard === undefined ? null : parseShard(shard),
    signal: checkSignal(signal),
    encoder: { device, threads, precision },
  };
  checkTogether(checked);
  await checkFiles(checked);
  return checked;
}

/** From 0 to 1; 0 where nothing is said. */
export function checkConfidence(value: unknown = 0): number {
  if (typeof value === 'number' && value >= 0 && value <= 1) return value;
  throw invalidArgument('minConfidence', 'a number from 0 to 1', value);
}

function checkTogether({ weights, train, data, out, model, suggest, shard }: CheckedPredictOptions): void {
  if (train === undefined && model === undefined)
    throw usage(
      'expected labelled clips (train: a manifest with a label column, or class folders) or a classifier that was kept (model)',
    );
  if (train !== undefined && weights === undefined)
    throw usage('expected an encoder for the labelled clips: a run folder or a weights file');
  if (data === undefined && (train === undefined || model === undefined))
    throw usage(
      'expected data, the videos to label; without it a classifier is made and kept (train and model)',
    );
  if (data === undefined && out !== undefined) throw usage('expected data, the videos that out is to have');
  if (suggest > 0 && (train === undefined || data === undefined))
    throw usage('suggest chooses among the videos of data beside the labelled clips: give train and data');
  if (suggest > 0 && shard !== null) throw usage('suggest chooses among all videos: leave out shard');
}

/** Names that cannot become files, and files that would be lost. */
async function checkFiles({ train, data, out, model }: CheckedPredictOptions): Promise<void> {
  if (out !== undefined) {
    formatOf(out);
    await checkOutFile(out);
    const lost = [train, data].find((spec) => spec !== undefined && namesFile(spec, out));
    if (lost !== undefined)
      throw usage(`${out} is the list that the videos or labels are read from: name another out`);
  }
  if (model === undefined || train === undefined) return;
  await checkOutFile(model, 'model');
  if (!(await isReplaceable(model)))
    throw usage(`${model} holds something else than a classifier, which would be lost: name another model`);
}

/** Whether a specification of data, with or without a query, is that file. */
function namesFile(spec: string, file: string): boolean {
  return [spec, spec.split('?')[0]!].some((path) => resolve(path) === resolve(file));
}

function usage(message: string): VsslError {
  return new VsslError('ERR_VSSL_USAGE', message);
}
