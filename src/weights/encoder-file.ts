/**
 * Encoder weights as a safetensors file that says everything about itself: with this file alone, and no config, a video
 * can be turned into the clips that the encoder was trained on, and the encoder can be built and filled.
 */
import { INPUT_KINDS, type InputKind, MOTION_MODALITIES, type MotionModality } from '../data/plan.js';
import { VsslError } from '../errors.js';
import type { NamedTensor } from '../native/bindings.js';
import type { WriteOperations } from './atomic-write.js';
import { widen } from './float-types.js';
import { readSafetensors, readSafetensorsMetadata, writeSafetensors } from './safetensors.js';

/**
 * Version of the metadata below. A newer file is refused with advice; an older one is read. 2 has encoders of motion, and is
 * written for those alone.
 */
export const ENCODER_FORMAT_VERSION = 2;
const FORMAT = 'vssl-encoder';

/** What an encoder is and what it must be fed with. */
export interface EncoderDescription {
  /** Method that trained it, `none` for an untrained one. */
  readonly method: string;
  /** Its name among the encoders that the method exports. */
  readonly encoder: string;
  /** What the engine needs to build the same architecture: at least `arch` and `width`. */
  readonly model: Readonly<Record<string, unknown>> & { readonly arch: string; readonly width: number };
  readonly clip: {
    /** Pictures in a clip. */
    readonly frames: number;
    /** Distance of two neighbouring pictures, in frames. */
    readonly stride: number;
    /** Height and width in pixels. */
    readonly size: number;
    /** Frames a second that the stride counts; null: each video's own. */
    readonly fps: number | null;
  };
  readonly input: InputKind;
  /** Per channel, on values in [0, 1]. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  /**
   * Decoded pictures are shrunk by a whole factor before they are cropped: `auto`, the largest factor that leaves
   * enough pixels for the smallest crop; or the factor itself.
   */
  readonly shrink: 'auto' | number;
  /** What the frames of its clips show, for an encoder of motion; pictures where it is left out. */
  readonly modality?: MotionModality;
  /** Training steps behind these weights. */
  readonly step: number;
}

export interface EncoderFile {
  readonly description: EncoderDescription;
  readonly tensors: readonly NamedTensor[];
  /** Everything in the metadata, including entries that this version does not know. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Writes atomically. `extra` entries (package version, git hash...) go into the metadata beside the description. */
export async function writeEncoderFile(
  path: string,
  description: EncoderDescription,
  tensors: readonly NamedTensor[],
  extra: Readonly<Record<string, string>> = {},
  operations?: WriteOperations,
): Promise<void> {
  await writeSafetensors(path, tensors, { ...extra, ...describeEncoder(description) }, operations);
}

/**
 * Reads description and weights; floats of half or double precision become F32, which networks are made of. Throws ERR_VSSL_FILE and ERR_VSSL_SAFETENSORS as readSafetensors does, and
 * ERR_VSSL_WEIGHTS when the file is safetensors but not an encoder of this package, or one of a newer format.
 */
export async function readEncoderFile(path: string): Promise<EncoderFile> {
  const { tensors, metadata } = await readSafetensors(path);
  return { description: parseDescription(metadata, path), tensors: tensors.map(widen), metadata };
}

/** The description alone, without reading the weights. */
export async function readEncoderDescription(path: string): Promise<EncoderDescription> {
  return parseDescription(await readSafetensorsMetadata(path), path);
}

/** One string an entry, so that any safetensors reader shows them. */
export function describeEncoder(d: EncoderDescription): Record<string, string> {
  return {
    format: FORMAT,
    format_version: d.modality === undefined ? '1' : '2',
    method: d.method,
    encoder: d.encoder,
    arch: d.model.arch,
    width: String(d.model.width),
    model: JSON.stringify(d.model),
    clip_frames: String(d.clip.frames),
    clip_stride: String(d.clip.stride),
    clip_size: String(d.clip.size),
    ...(d.clip.fps !== null && { clip_fps: String(d.clip.fps) }),
    input: d.input,
    mean: JSON.stringify(d.mean),
    std: JSON.stringify(d.std),
    shrink: String(d.shrink),
    ...(d.modality !== undefined && { modality: d.modality }),
    step: String(d.step),
  };
}

function parseDescription(m: Readonly<Record<string, string>>, path: string): EncoderDescription {
  checkFormat(m, path);
  const whole = (key: string, least: number): number => {
    const value = Number(m[key]);
    if (m[key] === undefined || !Number.isSafeInteger(value) || value < least)
      throw wrong(
        path,
        `metadata '${key}' is '${m[key] ?? 'absent'}', expected a whole number from ${least}`,
      );
    return value;
  };
  const rate = (key: string): number => {
    const value = Number(m[key]);
    if (!(value > 0 && Number.isFinite(value)))
      throw wrong(path, `metadata '${key}' is '${m[key]}', expected a number above 0`);
    return value;
  };
  const triple = (key: string): [number, number, number] => {
    const value = json(m, key, path);
    if (!Array.isArray(value) || value.length !== 3 || !value.every((v) => Number.isFinite(v)))
      throw wrong(path, `metadata '${key}' is '${m[key]}', expected three numbers`);
    return value as [number, number, number];
  };
  const model = json(m, 'model', path) as EncoderDescription['model'];
  if (typeof model !== 'object' || model === null || typeof model.arch !== 'string' || !(model.width > 0))
    throw wrong(path, "metadata 'model' has no arch and width");
  const input = INPUT_KINDS.find((kind) => kind === m.input);
  if (!input)
    throw wrong(path, `metadata 'input' is '${m.input}', expected one of ${INPUT_KINDS.join(', ')}`);
  const std = triple('std');
  if (std.some((s) => s <= 0)) throw wrong(path, "metadata 'std' has an entry that is not above 0");
  return {
    method: m.method ?? 'none',
    encoder: m.encoder ?? 'encoder',
    model,
    clip: {
      frames: whole('clip_frames', 1),
      stride: whole('clip_stride', 1),
      size: whole('clip_size', 1),
      fps: m.clip_fps === undefined ? null : rate('clip_fps'),
    },
    input,
    mean: triple('mean'),
    std,
    shrink: m.shrink === undefined || m.shrink === 'auto' ? 'auto' : whole('shrink', 1),
    ...(m.modality !== undefined && { modality: modalityOf(m.modality, path) }),
    step: m.step === undefined ? 0 : whole('step', 0),
  };
}

/** Throws ERR_VSSL_WEIGHTS for metadata of something else, or of a newer version. */
function checkFormat(m: Readonly<Record<string, string>>, path: string): void {
  // what is written for PyTorch's libraries has their word there, and all else of an encoder file
  if (m.format !== FORMAT && !(m.format === 'pt' && m.format_version !== undefined))
    throw wrong(
      path,
      `its metadata says format '${m.format ?? 'none'}', expected '${FORMAT}'; ` +
        "'vssl-native import FILE' makes an encoder file of weights of torchvision, SlowFast or pytorchvideo",
    );
  const version = Number(m.format_version);
  if (!Number.isInteger(version) || version < 1)
    throw wrong(path, `its format version is '${m.format_version}'`);
  if (version > ENCODER_FORMAT_VERSION)
    throw wrong(
      path,
      `its format version is ${version}, this package reads up to ${ENCODER_FORMAT_VERSION}: upgrade it`,
    );
}

function modalityOf(name: string, path: string): MotionModality {
  const modality = MOTION_MODALITIES.find((one) => one === name);
  if (modality) return modality;
  throw wrong(path, `metadata 'modality' is '${name}', expected one of ${MOTION_MODALITIES.join(', ')}`);
}

function json(m: Readonly<Record<string, string>>, key: string, path: string): unknown {
  try {
    return JSON.parse(m[key] ?? '');
  } catch {
    throw wrong(path, `metadata '${key}' is '${m[key] ?? 'absent'}', expected JSON`);
  }
}

function wrong(path: string, why: string): VsslError {
  return new VsslError('ERR_VSSL_WEIGHTS', `${path} is not an encoder file of this package: ${why}`, {
    details: { path },
  });
}
