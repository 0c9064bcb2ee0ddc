import { checkCount, checkOptions, checkSignal, checkText, isFloat32Array } from '../checks.js';
import type { EncoderOptions } from '../embed/encoder-options.js';
import { weightsFile } from '../embed/open-encoder.js';
import { VideoEncoder } from '../embed/video-encoder.js';
import type { VideoInput } from '../embed/video-input.js';
import { invalidArgument, VsslError } from '../errors.js';
import type { Floats } from '../native/bindings.js';
import { fileDigest } from '../weights/file-digest.js';
import { type ClassifierModel, checkEncoder, readClassifierFile } from './classifier-file.js';
import type { HeldOutScore } from './fit-classifier.js';
import { scoreRows } from './heads.js';
import { checkConfidence } from './predict-options.js';
import { describePrediction, type Prediction } from './prediction.js';

export interface LoadClassifierOptions extends EncoderOptions {
  /** Run folder or weights file, where the encoder is no longer where it was when the classifier was made. */
  readonly weights?: string;
}

export interface ClassifyOptions {
  /** `label` is null below it. Default 0. */
  readonly minConfidence?: number;
  /** Bytes that an encoded video may have that is not a file on disk. Default 2 ** 30 (1 GiB). */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

/** What a classifier says of a video, with the vector that it goes by, and what was wrong with the video. */
export interface VideoPrediction extends Prediction {
  readonly vector: Floats;
  readonly warnings: readonly string[];
}

/** What predictMany gives for each video. */
export type ManyPrediction = {
  /** The path; a Blob's name where it has one (a File); else `#` and the index. */
  readonly path: string;
  /** Number of the video in the order of the input, from 0. */
  readonly index: number;
} & (VideoPrediction | { readonly error: VsslError });

const classifyKeys = ['minConfidence', 'maxBytes', 'signal'];

/**
 * A classifier that `predict --model` kept, with its encoder: a video in, a label with its confidence out. One object serves
 * any number of calls at once. Dispose of it with `dispose()` or `await using`; calls after that fail with
 * ERR_VSSL_DISPOSED.
 */
export class Classifier {
  /** Names of the classes. */
  readonly classes: readonly string[];
  /** How it did on labelled clips that were held out when it was made. */
  readonly heldOut: HeldOutScore;
  /** Makes the vectors; disposed of with the classifier. Embed with it what has to be searched as well. */
  readonly encoder: VideoEncoder;
  readonly #model: ClassifierModel;

  private constructor(model: ClassifierModel, encoder: VideoEncoder) {
    this.#model = model;
    this.classes = [...model.classes];
    this.heldOut = { ...model.heldOut };
    this.encoder = encoder;
  }

  /**
   * Loads a classifier and its encoder. Throws ERR_VSSL_FILE (no such file, or the encoder is not where it was),
   * ERR_VSSL_SAFETENSORS (a file that is cut), ERR_VSSL_CLASSIFIER (no classifier, one of a newer format, one of another
   * encoder), and the errors of VideoEncoder.load.
   */
  static async load(file: string, options: LoadClassifierOptions = {}): Promise<Classifier> {
    checkText('file', 'a file that predict --model wrote', file);
    checkOptions(options, ['weights', 'device', 'threads', 'precision']);
    const { weights, ...rest } = options;
    if (weights !== undefined) checkText('weights', 'a weights file or a run folder', weights);
    const model = await readClassifierFile(file);
    const path = await weightsOfModel(file, model, weights);
    const encoder = await VideoEncoder.load(path, rest);
    if (encoder.dim === model.head.dim) return new Classifier(model, encoder);
    await encoder.dispose();
    throw new VsslError(
      'ERR_VSSL_CLASSIFIER',
      `${file} takes vectors of ${model.head.dim} numbers, and its encoder makes vectors of ${encoder.dim}: it is damaged`,
    );
  }

  /**
   * The label of a video: a path, a file URL, bytes, a stream or frames, as for VideoEncoder.embed, whose errors it throws.
   * Of an array of videos: the results in order; one that cannot be used has an `error` and ends nothing.
   */
  predict(videos: readonly VideoInput[], options?: ClassifyOptions): Promise<ManyPrediction[]>;
  predict(video: VideoInput, options?: ClassifyOptions): Promise<VideoPrediction>;
  async predict(
    video: VideoInput | readonly VideoInput[],
    options: ClassifyOptions = {},
  ): Promise<VideoPrediction | ManyPrediction[]> {
    if (Array.isArray(video)) {
      const all: ManyPrediction[] = [];
      for await (const result of this.predictMany(video, options)) all.push(result);
      return all;
    }
    const { minConfidence, ...rest } = checkClassifyOptions(options);
    const { clips, crops } = this.#model.encoder;
    const asked = { ...rest, clips, crops, details: true } as const;
    const { vector, warnings } = await this.encoder.embed(video as VideoInput, asked);
    return { ...(await this.#classify(vector, minConfidence)), vector, warnings };
  }

  /** Labels of many videos, in order and as they come, as VideoEncoder.embedMany gives vectors. */
  async *predictMany(
    videos: Iterable<VideoInput> | AsyncIterable<VideoInput>,
    options: ClassifyOptions = {},
  ): AsyncGenerator<ManyPrediction, void, undefined> {
    const { minConfidence, ...rest } = checkClassifyOptions(options);
    const { clips, crops } = this.#model.encoder;
    for await (const result of this.encoder.embedMany(videos, { ...rest, clips, crops })) {
      if ('error' in result) yield result;
      else yield { ...result, ...(await this.#classify(result.vector, minConfidence)) };
    }
  }

  /** The label of a vector that this encoder made with the classifier's windows and crops. Throws ERR_VSSL_INVALID_ARGUMENT. */
  async classify(
    vector: Float32Array,
    options: Pick<ClassifyOptions, 'minConfidence'> = {},
  ): Promise<Prediction> {
    checkOptions(options, ['minConfidence']);
    const { dim } = this.#model.head;
    if (!isFloat32Array(vector) || vector.length !== dim)
      throw invalidArgument('vector', `a Float32Array of ${dim} numbers`, vector);
    return await this.#classify(vector, checkConfidence(options.minConfidence));
  }

  /** Frees the encoder once calls under way are done; new calls fail. Any number of times. */
  dispose(): Promise<void> {
    return this.encoder.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  async #classify(vector: Float32Array, minConfidence: number): Promise<Prediction> {
    const { head, classes, temperature } = this.#model;
    const scores = await scoreRows(head, { data: vector, rows: 1, dim: head.dim });
    return describePrediction(classes, scores, temperature, minConfidence);
  }
}

function checkClassifyOptions(options: ClassifyOptions) {
  checkOptions(options, classifyKeys);
  const { maxBytes, signal } = options;
  checkSignal(signal);
  return {
    minConfidence: checkConfidence(options.minConfidence),
    ...(maxBytes === undefined ? {} : { maxBytes: checkCount('maxBytes', maxBytes) }),
    signal,
  };
}

/**
 * The weights file of a classifier's encoder: `given`, or where it was. Throws ERR_VSSL_FILE when it is not there and
 * ERR_VSSL_CLASSIFIER when it is another encoder.
 */
export async function weightsOfModel(
  file: string,
  { encoder }: ClassifierModel,
  given: string | undefined,
): Promise<string> {
  const path = await weightsFile(given ?? encoder.weights);
  const digest = await fileDigest(path).catch((error: VsslError) => {
    if (given !== undefined || error.code !== 'ERR_VSSL_FILE') throw error;
    throw new VsslError(
      'ERR_VSSL_FILE',
      `the encoder of ${file} is not where it was, at ${path}: say where it is now (--run DIR or --weights FILE; { weights } in the API)`,
      { details: { file, path }, cause: error },
    );
  });
  checkEncoder(file, encoder, path, digest);
  return path;
}
