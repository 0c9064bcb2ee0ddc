/** From a few labelled clips, or a classifier that was made of some, to labels with confidences for a whole data set. */
import { loadManifest } from '../data/manifest.js';
import type { VideoRow } from '../data/rows.js';
import { rowsOfShard } from '../data/shard.js';
import { weightsFile } from '../embed/open-encoder.js';
import { noneUsable, type UnusableVideo, unusableVideo } from '../embed/unusable.js';
import { VideoEncoder } from '../embed/video-encoder.js';
import { openEngine } from '../native/load.js';
import { fileDigest } from '../weights/file-digest.js';
import type { Calibration } from './calibration.js';
import { weightsOfModel } from './classifier.js';
import { type ClassifierModel, readClassifierFile, writeClassifierFile } from './classifier-file.js';
import { type EmbeddedRows, embedRows } from './embed-rows.js';
import { fitClassifier, type HeldOutScore } from './fit-classifier.js';
import { labelVideos, namedSuggestions, type Suggestion, scoreKnown } from './label-videos.js';
import {
  clipKey,
  type LabelledClips,
  loadLabelledClips,
  type UsableClips,
  usableClips,
} from './labelled-clips.js';
import { type CheckedPredictOptions, checkPredictOptions, type PredictOptions } from './predict-options.js';
import { type PredictedVideo, writePredictions } from './predictions-file.js';

export interface PredictResult {
  /** Names of the classes. */
  readonly classes: readonly string[];
  /** Labelled clips that the classifier was fitted to; null for one that was kept. */
  readonly labelled: number | null;
  /** How the classifier did on labelled clips that were held out of it. */
  readonly heldOut: HeldOutScore;
  /** One for each video of the data, in its order. */
  readonly predictions: readonly PredictedVideo[];
  /** Clips whose labels would help most, most helpful first. */
  readonly suggestions: readonly Suggestion[];
  /** Against the labels that the data itself has, of videos that were not labelled by hand; absent without any. */
  readonly known?: Calibration;
  /** Videos that could not be used, labelled ones too. */
  readonly failures: readonly UnusableVideo[];
  readonly warnings: readonly string[];
  readonly out?: string;
  readonly model?: string;
  readonly seconds: number;
}

/**
 * Labels the videos of `data` by a classifier on frozen features, with calibrated confidences. Throws ERR_VSSL_USAGE and
 * ERR_VSSL_INVALID_ARGUMENT for wrong options; ERR_VSSL_DATA for labels that no classifier can come of (none, one class, a
 * class with one clip, clips none of which is there); ERR_VSSL_CLASSIFIER for a kept classifier that cannot be used here;
 * ERR_VSSL_NO_USABLE_VIDEO when nothing of the data can be used; ERR_VSSL_WRITE; the errors of VideoEncoder.load and of
 * loading the data; and the signal's reason.
 */
export async function predictVideos(options: PredictOptions): Promise<PredictResult> {
  const started = performance.now();
  const asked = await checkPredictOptions(options);
  const labelled = asked.train === undefined ? null : await loadLabelledClips(asked.train, asked.signal);
  const manifest = asked.data === undefined ? null : await loadManifest(asked.data, { signal: asked.signal });
  const all = manifest?.rows ?? [];
  const rows = asked.shard ? rowsOfShard(all, asked.shard) : all;
  const kept = labelled ? null : await readClassifierFile(asked.model!);
  const weights = kept
    ? await weightsOfModel(asked.model!, kept, asked.weights)
    : await weightsFile(asked.weights!);
  const work = new PredictWork(asked, labelled, rows, await VideoEncoder.load(weights, asked.encoder));
  try {
    const { model, clips } = kept ? { model: kept, clips: null } : await work.makeModel(weights);
    const labels = await work.labelRows(model, clips);
    const { out, model: file } = asked;
    if (out !== undefined) await writePredictions(out, labels.predictions);
    return {
      ...{ classes: model.classes, labelled: clips?.features.rows ?? null, heldOut: model.heldOut },
      ...labels,
      failures: work.failures,
      warnings: [...(labelled?.warnings ?? []), ...(manifest?.warnings ?? []), ...work.warnings],
      ...(out === undefined ? {} : { out }),
      ...(file === undefined ? {} : { model: file }),
      seconds: (performance.now() - started) / 1000,
    };
  } finally {
    await work.encoder.dispose();
  }
}

/** What the stages of one call have in common, and what they find wrong. */
class PredictWork {
  readonly failures: UnusableVideo[] = [];
  readonly warnings: string[] = [];
  readonly encoder: VideoEncoder;
  readonly #asked: CheckedPredictOptions;
  readonly #labelled: LabelledClips | null;
  readonly #rows: readonly VideoRow[];
  /** Labels by hand, by the key of their clip. */
  readonly #byHand: ReadonlyMap<string, string>;
  /** Videos that get a vector. */
  readonly #total: number;
  #done = 0;

  constructor(
    asked: CheckedPredictOptions,
    labelled: LabelledClips | null,
    rows: readonly VideoRow[],
    encoder: VideoEncoder,
  ) {
    this.encoder = encoder;
    this.#asked = asked;
    this.#labelled = labelled;
    this.#rows = rows;
    this.#byHand = new Map(labelled?.rows.map((row) => [clipKey(row), row.label!]));
    const open = rows.filter((row) => !this.#byHand.has(clipKey(row)));
    this.#total = (labelled?.rows.length ?? 0) + open.length;
  }

  /** Fits a classifier to the labelled clips, and keeps it where that is asked for. */
  async makeModel(weights: string): Promise<{ model: ClassifierModel; clips: UsableClips }> {
    const { kind, k, signal, model: file, encoder, clips: windows = 3, crops = 1 } = this.#asked;
    const labelled = this.#labelled!;
    const embedded = await this.#embed(labelled.rows, { clips: windows, crops });
    const clips = usableClips(labelled, embedded, this.#rows);
    this.warnings.push(...clips.warnings);
    const { features, labels, classes, groups } = clips;
    const engine = await openEngine(encoder.device);
    const fitted = await fitClassifier(engine, features, labels, classes.length, { kind, k, groups, signal });
    if (fitted.left.length > 0) this.warnings.push(warnOfLeft(fitted.left.length, fitted.heldOut.byGroup));
    const { head, temperature, heldOut } = fitted;
    const of = { weights, digest: await fileDigest(weights), clips: windows, crops };
    const model = { classes, head, temperature, heldOut, encoder: of };
    if (file !== undefined) await writeClassifierFile(file, model);
    return { model, clips };
  }

  /** Labels the rows of the data. `clips`: what the classifier was fitted to, null for one that was kept. */
  async labelRows(
    model: ClassifierModel,
    clips: UsableClips | null,
  ): Promise<Pick<PredictResult, 'predictions' | 'suggestions' | 'known'>> {
    const { suggest, minConfidence, signal, shard } = this.#asked;
    const byHand = this.#rows.map((row) => this.#byHand.get(clipKey(row)));
    const open = [...this.#rows.keys()].filter((row) => byHand[row] === undefined);
    const embedded = await this.#embed(
      open.map((row) => this.#rows[row]!),
      model.encoder,
    );
    const { failures } = embedded;
    // of a share that says nothing: others may have all that is good
    if (open.length > 0 && failures.length === open.length && !shard)
      throw noneUsable(open.length, this.failures.slice(-failures.length));
    const labelled = await labelVideos(this.#rows, byHand, open, embedded, model, minConfidence, signal);
    const suggestions =
      suggest > 0 && clips
        ? await namedSuggestions(labelled, open, embedded, clips.features, suggest, signal)
        : [];
    const places = new Map(suggestions.map(({ row }, i) => [row, i + 1]));
    const predictions = labelled.map((video, row) => {
      const place = places.get(row);
      return place === undefined ? video : { ...video, suggest: place };
    });
    const known = scoreKnown(this.#rows, predictions, model.classes);
    return {
      predictions,
      suggestions: suggestions.map(({ row: _, ...suggestion }) => suggestion),
      ...(known ? { known } : {}),
    };
  }

  async #embed(
    rows: readonly VideoRow[],
    { clips, crops }: { readonly clips: number; readonly crops: 1 | 3 },
  ): Promise<EmbeddedRows> {
    const { signal, onProgress } = this.#asked;
    const embedded = await embedRows(this.encoder, rows, { clips, crops, signal }, () =>
      onProgress?.(++this.#done, this.#total),
    );
    this.warnings.push(...embedded.warnings);
    for (const { row, error } of embedded.failures) this.failures.push(unusableVideo(rows[row]!.path, error));
    return embedded;
  }
}

function warnOfLeft(count: number, byGroup: boolean): string {
  const why = byGroup
    ? 'their class is in one group alone, or has no second clip: labels of that class from another group would help'
    : 'their class has no second clip that can be used';
  return `${count} labelled ${count === 1 ? 'clip was' : 'clips were'} not held out for the calibration, since ${why}`;
}
