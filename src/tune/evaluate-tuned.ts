/** Evaluations that train: fine-tuning and the attentive probe, begun with given weights and tested with several views. */
import { join, resolve } from 'node:path';
import { throwIfAborted } from '../checks.js';
import type { ResolvedConfig } from '../config/schema.js';
import { weightsFile } from '../embed/open-encoder.js';
import { noneUsable, type UnusableVideo, unusableVideo, warnOfLostClips } from '../embed/unusable.js';
import { evaluate } from '../eval/evaluate.js';
import { type EvaluationData, labelledRows, loadEvaluationData } from '../eval/evaluation-data.js';
import { EVALUATION_FORMAT_VERSION, type EvaluationResult } from '../eval/evaluation-result.js';
import { rankScores } from '../eval/metrics.js';
import { type ClassificationScore, type Prediction, scorePredictions } from '../eval/protocols.js';
import { evaluationKey, resultFile } from '../eval/result-file.js';
import { packageVersion } from '../native/load.js';
import { train } from '../train/train.js';
import { writeResultFile } from '../weights/atomic-write.js';
import { type EncoderDescription, readEncoderDescription } from '../weights/encoder-file.js';
import { testClassifier } from './test-classifier.js';
import { type TrainingSet, trainingSets } from './training-sets.js';
import { checkTunedOptions, type TunedEvaluationOptions } from './tune-options.js';
import { tunedConfig } from './tuned-config.js';
import { untrainedWeights } from './untrained-weights.js';

/**
 * Trains on the labels of each split, beginning with the given weights, and tests with `windows` x `crops` views of each
 * video. Runs that are there are gone on with, so a stopped call loses nothing. Throws what train and evaluate throw.
 */
export async function evaluateTuned(
  options: TunedEvaluationOptions,
): Promise<EvaluationResult<ClassificationScore>> {
  const start = performance.now();
  const { weights, settings, beside } = checkTunedOptions(options);
  const { protocol } = options;
  const path = await weightsFile(weights);
  const description = await readEncoderDescription(path);
  const data = await loadEvaluationData(options);
  const rows = labelledRows(data);
  const all = { ...settings, ...beside };
  const key = evaluationKey({ protocol, weights, step: description.step, data, settings: all });
  const file = await resultFile(options, key);
  const runs = resolve(options.runs ?? join(options.run!, `eval-${protocol}-${key}`));
  const tuning = new Tuning(options, data, description, rows, runs);
  const trained = await tuning.score('trained', path);
  const random = beside.baseline && (await tuning.score('random', await tuning.untrained()));
  const floors = beside.floors ? await tuning.floors(path) : undefined;
  const { method, step, model, clip, input } = description;
  const { train: from, test, data: both, folds } = options;
  const result = {
    formatVersion: EVALUATION_FORMAT_VERSION,
    packageVersion,
    protocol,
    key,
    encoder: {
      weights,
      method,
      step,
      arch: model.arch,
      width: model.width,
      dim: tuning.classes,
      clip,
      input,
    },
    data: {
      train: from,
      test,
      data: both,
      folds,
      videos: data.rows.length,
      used: tuning.used,
      labels: data.labels,
    },
    settings,
    trained,
    ...(random ? { random: { seed: beside.baselineSeed, ...random } } : {}),
    ...(floors ? { floors } : {}),
    failures: tuning.failures,
    warnings: tuning.warnings,
    seconds: (performance.now() - start) / 1000,
  };
  if (file !== undefined) await writeResultFile(file, `${JSON.stringify(result, null, 2)}\n`);
  return { ...result, file } as EvaluationResult<ClassificationScore>;
}

/** The runs of one call. */
class Tuning {
  readonly failures: UnusableVideo[] = [];
  readonly warnings: string[];
  used = 0;
  readonly #sets: readonly TrainingSet[];
  #number = 0;

  constructor(
    readonly options: TunedEvaluationOptions,
    readonly data: EvaluationData,
    readonly description: EncoderDescription,
    readonly rows: readonly number[],
    readonly runs: string,
  ) {
    this.warnings = [...data.warnings];
    this.#sets = trainingSets(options, data);
  }

  get classes(): number {
    return Math.max(...this.#sets.map(({ labels }) => labels.length));
  }

  /** Trains from `init` on each split, and tests. null: from no weights. */
  async score(name: 'trained' | 'random', init: string | null): Promise<ClassificationScore> {
    const parts: Prediction[] = [];
    const tested: number[] = [];
    for (const [i, set] of this.#sets.entries()) {
      throwIfAborted(this.options.signal);
      const folder = join(this.runs, this.#sets.length > 1 ? `${name}-${i}` : name);
      await this.#train(set, folder, init, `${name}, split '${set.split.name}'`);
      const part = await this.#test(set, folder, tested.length);
      tested.push(...part.rows);
      parts.push(part);
    }
    if (tested.length === 0) throw noneUsable(this.rows.length, this.failures);
    this.used = tested.length;
    const { data } = this;
    const labelled = {
      classes: Int32Array.from(tested, (row) => data.classes[row]!),
      labels: data.labels,
      merged: data.merged,
      groups: tested.map((row) => data.rows[row]!.group),
      splits: [],
    };
    return scorePredictions(
      labelled,
      parts.filter(({ test }) => test.length > 0),
    );
  }

  /** Weights that nothing has trained; null where a run makes its own. */
  async untrained(): Promise<string | null> {
    const { protocol, baselineSeed = 0, device, threads, signal } = this.options;
    if (protocol === 'finetune') return null;
    return await untrainedWeights(join(this.runs, 'untrained.safetensors'), this.description, this.data, {
      ...{ seed: baselineSeed, device, threads, signal },
    });
  }

  /** A linear probe of raw pixels on the same videos. */
  async floors(weights: string): Promise<EvaluationResult<ClassificationScore>['floors']> {
    const { train, test, data, folds, windows = 10, device, threads, signal } = this.options;
    const { floors } = await evaluate({
      ...{ protocol: 'linear', weights, floors: true, windows: Math.min(windows, 3) },
      ...{ train, test, data, folds, device, threads, signal },
    } as Parameters<typeof evaluate>[0]);
    return floors as EvaluationResult<ClassificationScore>['floors'];
  }

  async #train(
    { spec, labels }: TrainingSet,
    folder: string,
    init: string | null,
    name: string,
  ): Promise<void> {
    const { signal, onEvent, baseline } = this.options;
    const total = this.#sets.length * (baseline ? 2 : 1);
    onEvent?.({ type: 'run', number: ++this.#number, total, name, folder });
    const config = this.#config(labels.length, init === null);
    const run = train(config, {
      out: folder,
      data: spec,
      ...(signal && { signal }),
      ...(init !== null && { init }),
    });
    for await (const event of run) onEvent?.({ type: 'train', event });
    await run.result;
  }

  #config(classes: number, isBaseline: boolean): ResolvedConfig {
    const { protocol, preset = `${protocol}-tiny`, set = [], device, threads } = this.options;
    const seed = isBaseline ? (this.options.baselineSeed ?? 0) : (this.options.seed ?? 0);
    return tunedConfig(this.description, { protocol, preset, set, seed, classes, device, threads });
  }

  /** Predictions for the test rows of a split, the first of which is row `first` of all that were tested. */
  async #test(
    { split, labels }: TrainingSet,
    folder: string,
    first: number,
  ): Promise<Prediction & { readonly rows: readonly number[] }> {
    const { windows = 10, crops = 3, threads, signal, onEvent } = this.options;
    const { data } = this;
    const rows = split.test.filter((row) => data.classes[row]! >= 0);
    const found = await testClassifier(
      folder,
      rows.map((row) => data.rows[row]!),
      {
        ...{ windows, crops, classes: labels.length, threads, signal },
        onProgress: (done, total) => onEvent?.({ type: 'test', done, total }),
      },
    );
    this.#note(found.failures.map(({ index, error }) => unusableVideo(data.rows[rows[index]!]!.path, error)));
    const lost = found.damaged.map(({ index, lostClips }) => ({
      path: data.rows[rows[index]!]!.path,
      lostClips,
    }));
    this.#warn(...warnOfLostClips(lost));
    const kept = found.kept.map((i) => rows[i]!);
    const scores = amongAll(found.features[0]!.data, kept.length, labels, data.labels);
    return {
      name: split.name,
      train: split.train.filter((row) => data.classes[row]! >= 0).length,
      test: kept.map((_, i) => first + i),
      ranked: rankScores(scores, kept.length, data.labels.length),
      rows: kept,
    };
  }

  #note(failures: readonly UnusableVideo[]): void {
    for (const failure of failures)
      if (!this.failures.some(({ path }) => path === failure.path)) this.failures.push(failure);
  }

  #warn(...messages: readonly string[]): void {
    for (const message of messages) if (!this.warnings.includes(message)) this.warnings.push(message);
  }
}

/** Probabilities of the classes of a run as those of all labels; what it has never seen comes last. */
function amongAll(
  found: Float32Array,
  rows: number,
  own: readonly string[],
  all: readonly string[],
): Float32Array {
  const scores = new Float32Array(rows * all.length).fill(-1);
  const place = own.map((label) => all.indexOf(label));
  for (let row = 0; row < rows; row++)
    for (const [c, to] of place.entries()) scores[row * all.length + to] = found[row * own.length + c]!;
  return scores;
}
