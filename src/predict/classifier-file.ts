/**
 * A classifier as a safetensors file: its tensors, and metadata that say which classes it tells apart, how sure it is, and of
 * which encoder's vectors. The encoder itself stays where it is; the file knows it by the digest of its weights.
 */
import { dirname, relative, resolve, sep } from 'node:path';
import { VsslError } from '../errors.js';
import type { NamedTensor } from '../native/bindings.js';
import { packageVersion } from '../native/load.js';
import { writeError } from '../weights/atomic-write.js';
import { readSafetensors, readSafetensorsMetadata, writeSafetensors } from '../weights/safetensors.js';
import type { HeldOutScore } from './fit-classifier.js';
import type { Head } from './heads.js';

/** Version of the files written here. A newer file is refused with advice. */
export const CLASSIFIER_FORMAT_VERSION = 1;
const FORMAT = 'vssl-classifier';

/** All that a classifier is. */
export interface ClassifierModel {
  /** Names of the classes, in the order of the scores. */
  readonly classes: readonly string[];
  readonly head: Head;
  readonly temperature: number;
  readonly encoder: EncoderOfModel;
  /** How it did on labelled clips that were held out of it. */
  readonly heldOut: HeldOutScore;
}

/** Whose vectors it takes, and how they are made. */
export interface EncoderOfModel {
  /** The weights file. */
  readonly weights: string;
  /** Of that file: `sha256:` and 64 digits. */
  readonly digest: string;
  /** Windows and crops of a video. */
  readonly clips: number;
  readonly crops: 1 | 3;
}

/** Throws ERR_VSSL_WRITE. */
export async function writeClassifierFile(path: string, model: ClassifierModel): Promise<void> {
  const { head, classes, temperature, encoder, heldOut } = model;
  const weights = relative(dirname(resolve(path)), resolve(encoder.weights))
    .split(sep)
    .join('/');
  await writeSafetensors(path, tensorsOf(head), {
    ...{ format: FORMAT, format_version: String(CLASSIFIER_FORMAT_VERSION), package_version: packageVersion },
    ...{ kind: head.kind, classes: JSON.stringify(classes), temperature: String(temperature) },
    ...(head.kind === 'knn' ? { neighbours: String(head.k) } : {}),
    ...{ encoder_digest: encoder.digest, encoder_weights: weights },
    ...{ clips: String(encoder.clips), crops: String(encoder.crops), held_out: JSON.stringify(heldOut) },
  }).catch((error) => {
    throw writeError(path, error);
  });
}

function tensorsOf(head: Head): NamedTensor[] {
  const { dim, classes } = head;
  if (head.kind === 'linear')
    return [
      { name: 'weights', dtype: 'F32', shape: [classes, dim], data: bytesOf(head.weights) },
      { name: 'bias', dtype: 'F32', shape: [classes], data: bytesOf(head.bias) },
    ];
  const { features, labels } = head;
  return [
    { name: 'features', dtype: 'F32', shape: [features.rows, dim], data: bytesOf(features.data) },
    { name: 'labels', dtype: 'I32', shape: [features.rows], data: bytesOf(labels) },
  ];
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Int32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Whether a file may be replaced by a classifier: there is none, or it is one. */
export async function isReplaceable(path: string): Promise<boolean> {
  const metadata = await readSafetensorsMetadata(path).catch((error) => {
    if ((error as VsslError).code === 'ERR_VSSL_FILE') return { format: FORMAT };
    return { format: undefined };
  });
  return metadata.format === FORMAT;
}

/**
 * Reads what writeClassifierFile wrote; nothing in the file is believed. Throws ERR_VSSL_FILE, ERR_VSSL_SAFETENSORS (a file
 * that is cut), and ERR_VSSL_CLASSIFIER for one that holds no classifier, or one of a newer format.
 */
export async function readClassifierFile(path: string): Promise<ClassifierModel> {
  const { tensors, metadata } = await readSafetensors(path);
  if (metadata.format !== FORMAT)
    throw wrong(path, "it was not written by 'vssl-native predict --model'; expected such a file");
  const version = Number(metadata.format_version);
  if (version > CLASSIFIER_FORMAT_VERSION)
    throw wrong(
      path,
      `it is of format ${version}, and this version of the package reads up to ${CLASSIFIER_FORMAT_VERSION}: update vssl-native, or make it again with 'predict --train'`,
    );
  const read = new Reader(path, metadata, tensors);
  const classes = read.classes();
  return {
    classes,
    head: read.head(classes.length),
    temperature: read.number('temperature', (value) => value > 0),
    encoder: {
      weights: resolve(dirname(resolve(path)), metadata.encoder_weights ?? ''),
      digest: read.text('encoder_digest', /^sha256:[0-9a-f]{64}$/),
      clips: read.number('clips', isCount),
      crops: read.number('crops', (value) => value === 1 || value === 3) as 1 | 3,
    },
    heldOut: read.heldOut(),
  };
}

const isCount = (value: number) => Number.isSafeInteger(value) && value >= 1;

/** Metadata and tensors of a file, each checked when it is asked for. */
class Reader {
  readonly #path: string;
  readonly #metadata: Readonly<Record<string, string>>;
  readonly #tensors: readonly NamedTensor[];

  constructor(path: string, metadata: Readonly<Record<string, string>>, tensors: readonly NamedTensor[]) {
    this.#path = path;
    this.#metadata = metadata;
    this.#tensors = tensors;
  }

  classes(): string[] {
    const names = this.json('classes');
    const good =
      Array.isArray(names) &&
      names.length >= 2 &&
      names.every((name) => typeof name === 'string' && name !== '') &&
      new Set(names).size === names.length;
    if (!good) throw this.#damaged('classes', 'two or more names that differ');
    return names;
  }

  head(classes: number): Head {
    const kind = this.text('kind', /^(linear|knn)$/);
    if (kind === 'linear') {
      const weights = this.#floats('weights', 2);
      const bias = this.#floats('bias', 1);
      const [rows, dim] = weights.shape as [number, number];
      if (rows !== classes || bias.shape[0] !== classes || dim < 1)
        throw this.#damaged('weights', `a row for each of ${classes} classes`);
      return { kind, dim, classes, weights: weights.values, bias: bias.values };
    }
    const { shape, values } = this.#floats('features', 2);
    const [rows, dim] = shape as [number, number];
    const labels = new Int32Array(this.#tensor('labels', 'I32', 1).data.slice().buffer);
    if (
      labels.length !== rows ||
      rows < 1 ||
      dim < 1 ||
      labels.some((label) => label < 0 || label >= classes)
    )
      throw this.#damaged('labels', `a class from 0 to ${classes - 1} for each of ${rows} clips`);
    const k = this.number('neighbours', isCount);
    return { kind: 'knn', dim, classes, k, features: { data: values, rows, dim }, labels };
  }

  heldOut(): HeldOutScore {
    const score = this.json('held_out') as Partial<Record<string, unknown>> | null;
    const numbers = ['clips', 'accuracy', 'confidence', 'expectedCalibrationError', 'logLoss'];
    if (numbers.some((name) => !Number.isFinite(score?.[name])) || typeof score?.byGroup !== 'boolean')
      throw this.#damaged('held_out', `an object with ${numbers.join(', ')} and byGroup`);
    return score as unknown as HeldOutScore;
  }

  text(key: string, pattern: RegExp): string {
    const value = this.#metadata[key] ?? '';
    if (!pattern.test(value)) throw this.#damaged(key, String(pattern));
    return value;
  }

  number(key: string, isGood: (value: number) => boolean): number {
    const value = Number(this.#metadata[key] ?? Number.NaN);
    if (!Number.isFinite(value) || !isGood(value)) throw this.#damaged(key, 'a number within its bounds');
    return value;
  }

  json(key: string): unknown {
    try {
      return JSON.parse(this.#metadata[key] ?? '');
    } catch {
      throw this.#damaged(key, 'JSON');
    }
  }

  #floats(name: string, rank: number): { readonly shape: readonly number[]; readonly values: Float32Array } {
    const { shape, data } = this.#tensor(name, 'F32', rank);
    const values = new Float32Array(data.slice().buffer);
    if (!values.every(Number.isFinite)) throw this.#damaged(name, 'finite numbers');
    return { shape, values };
  }

  #tensor(name: string, dtype: NamedTensor['dtype'], rank: number): NamedTensor {
    const found = this.#tensors.find((tensor) => tensor.name === name);
    if (found?.dtype !== dtype || found.shape.length !== rank)
      throw this.#damaged(name, `a tensor of ${dtype} with ${rank} dimensions`);
    return found;
  }

  #damaged(what: string, expected: string): VsslError {
    return wrong(
      this.#path,
      `its '${what}' is not what it should be (expected ${expected}); make it again with 'predict --train'`,
    );
  }
}

function wrong(path: string, why: string): VsslError {
  return new VsslError('ERR_VSSL_CLASSIFIER', `${path} is no classifier that can be used: ${why}`, {
    details: { path },
  });
}

/** Refuses vectors of another encoder than that which the classifier was fitted to. Throws ERR_VSSL_CLASSIFIER. */
export function checkEncoder(path: string, { digest }: EncoderOfModel, weights: string, found: string): void {
  if (found === digest) return;
  throw new VsslError(
    'ERR_VSSL_CLASSIFIER',
    `${path} was made with another encoder than ${weights}: the digest of its weights was ${digest}, that file has ${found}. Give the weights that it was made with, or make a classifier for these with 'predict --train'`,
    { details: { path, weights, expected: digest, found } },
  );
}
