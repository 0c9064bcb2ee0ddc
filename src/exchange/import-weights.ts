/** Weights of other libraries as an encoder file: what `embed`, `eval` and `train --init` take. */
import {
  checkCount,
  checkOneOf,
  checkOptions,
  checkPositive,
  checkRate,
  checkText,
  LIMITS,
  requireOptions,
} from '../checks.js';
import { INPUT_KINDS, type InputKind } from '../data/plan.js';
import { invalidArgument, VsslError } from '../errors.js';
import { packageVersion } from '../native/load.js';
import { checkOutFile, writeError } from '../weights/atomic-write.js';
import { type EncoderDescription, writeEncoderFile } from '../weights/encoder-file.js';
import { type Adopted, adoptWeights } from './adopt.js';
import { findModel } from './find-model.js';
import type { Inflation } from './inflate.js';
import { networkOf } from './networks.js';
import { readForeignTensors } from './read-tensors.js';

export interface ImportOptions {
  /** A file of weights: .safetensors, or what torch.save made (.pth, .pt, .pyth). */
  readonly weights: string;
  /** Encoder file to write, .safetensors. */
  readonly out: string;
  /** Default: the one that the tensors fit, where there is just one. */
  readonly arch?: string;
  /** Factor on channel counts. Default: what the tensors have. */
  readonly width?: number;
  /** How kernels of pictures become kernels of clips. Default `mean`. */
  readonly inflate?: Inflation;
  /** Clips that are cut for it. Defaults: those that the library trains such networks with. */
  readonly clip?: {
    readonly frames?: number;
    readonly stride?: number;
    readonly size?: number;
    readonly fps?: number | null;
  };
  /** Default rgb. */
  readonly input?: InputKind;
  /** Per channel, on values in [0, 1]. Default: the library's. */
  readonly mean?: readonly [number, number, number];
  readonly std?: readonly [number, number, number];
}

export interface ImportResult {
  readonly out: string;
  /** Whose names the tensors had. */
  readonly from: string;
  readonly arch: string;
  readonly width: number;
  readonly dim: number;
  readonly clip: EncoderDescription['clip'];
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  /** Kernels that were given more frames. */
  readonly inflated: number;
  /** Tensors that are no part of the encoder: classifiers, optimisers, momentum copies. */
  readonly leftOut: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Makes an encoder file of weights of torchvision, SlowFast, pytorchvideo, or of a ResNet of pictures. Throws
 * ERR_VSSL_INVALID_ARGUMENT and ERR_VSSL_USAGE for wrong options, ERR_VSSL_WEIGHTS for weights that fit no network here, with
 * what is nearest, what readForeignTensors throws, and ERR_VSSL_WRITE.
 */
export async function importWeights(options: ImportOptions): Promise<ImportResult> {
  checkImport(options);
  const { weights, out, inflate = 'mean' } = options;
  await checkOutFile(out);
  const tensors = await readForeignTensors(weights);
  if (!tensors)
    throw new VsslError(
      'ERR_VSSL_USAGE',
      `${weights} is a file of this package already: give it to --weights or --init as it is`,
      { details: { path: weights } },
    );
  const model = findModel(weights, tensors, options, inflate);
  const adopted = adoptWeights(weights, tensors, model, inflate);
  const { usual } = adopted.map;
  const description: EncoderDescription = {
    ...{ method: adopted.map.name, encoder: 'encoder', model, input: options.input ?? 'rgb' },
    clip: { ...usual.clip, ...options.clip },
    mean: options.mean ?? usual.mean,
    std: options.std ?? usual.std,
    ...{ shrink: 'auto', step: 0 },
  };
  await writeEncoderFile(out, description, adopted.tensors, { package_version: packageVersion }).catch(
    (error) => {
      throw writeError(out, error);
    },
  );
  const { clip, mean, std } = description;
  return {
    ...{ out, from: adopted.map.name, arch: model.arch, width: model.width, dim: networkOf(model).dim },
    ...{ clip, mean, std, inflated: adopted.inflated, leftOut: adopted.leftOut },
    warnings: warningsOf(adopted, model.arch),
  };
}

function warningsOf({ inflated, map }: Adopted, arch: string): string[] {
  if (inflated === 0) return [];
  return [
    `${inflated} kernels of ${map.what} were given more frames for ${arch}: the features are a beginning for training, not those of the original`,
  ];
}

function checkImport(options: ImportOptions): void {
  requireOptions(options, ['weights', 'out', 'arch', 'width', 'inflate', 'clip', 'input', 'mean', 'std']);
  const { weights, out, arch, width, inflate, clip, input, mean, std } = options;
  checkText('weights', 'a file of weights', weights);
  if (!checkText('out', 'a file that ends in .safetensors', out).toLowerCase().endsWith('.safetensors'))
    throw new VsslError(
      'ERR_VSSL_USAGE',
      `expected a name that ends in .safetensors for out, but it is ${out}`,
    );
  if (arch !== undefined) checkText('arch', 'the name of an architecture, such as r3d_18', arch);
  if (width !== undefined) checkPositive('width', width);
  if (inflate !== undefined) checkOneOf('inflate', inflate, ['mean', 'centre']);
  if (input !== undefined) checkOneOf('input', input, INPUT_KINDS);
  if (mean !== undefined) checkTriple('mean', mean, Number.NEGATIVE_INFINITY);
  if (std !== undefined) checkTriple('std', std, 0);
  checkOptions(clip, ['frames', 'stride', 'size', 'fps'], 'clip');
  const { frames, stride, size, fps } = clip ?? {};
  if (frames !== undefined) checkCount('clip.frames', frames, 1, LIMITS.frames);
  if (stride !== undefined) checkCount('clip.stride', stride, 1, LIMITS.stride);
  if (size !== undefined) checkCount('clip.size', size, 8, LIMITS.side);
  if (fps !== undefined && fps !== null) checkRate('clip.fps', fps);
}

function checkTriple(name: string, value: readonly unknown[], above: number): void {
  const isRight = (x: unknown) => typeof x === 'number' && Number.isFinite(x) && x > above;
  if (!Array.isArray(value) || value.length !== 3 || !value.every(isRight))
    throw invalidArgument(name, `three numbers${above === 0 ? ' above 0' : ''}, one a channel`, value);
}
