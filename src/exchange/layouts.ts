/** The files that an encoder can be written as. */
import { VsslError } from '../errors.js';
import type { NamedTensor } from '../native/bindings.js';
import { packageVersion } from '../native/load.js';
import { describeEncoder, type EncoderDescription } from '../weights/encoder-file.js';
import { narrow } from '../weights/float-types.js';
import { encodeSafetensors } from '../weights/safetensors.js';
import { checkTensors } from './fit-tensors.js';
import { networkOf, tensorsOf } from './networks.js';
import { type OnnxInput, onnxGraph } from './onnx-graph.js';
import { encodeOnnx } from './onnx-model.js';

export const LAYOUTS = ['vssl', 'torchvision', 'onnx'] as const;
/**
 * `vssl`: what this package reads, and says everything about itself. `torchvision`: the same tensors as PyTorch's
 * libraries expect them in a file. `onnx`: the network itself, for any runtime of ONNX.
 */
export type Layout = (typeof LAYOUTS)[number];

export const DTYPES = ['fp32', 'fp16', 'bf16'] as const;
/** Of the convolutions' weights. BatchNorm's numbers stay fp32: they are a thousandth of the bytes. */
export type WeightType = (typeof DTYPES)[number];

/** An encoder, in memory. */
export interface Encoder {
  /** Where it came from, for messages. */
  readonly path: string;
  readonly description: EncoderDescription;
  readonly tensors: readonly NamedTensor[];
}

export interface ExportedFile {
  readonly file: string;
  readonly encoder: string;
  readonly layout: Layout;
  /** Of an ONNX file. */
  readonly input?: OnnxInput;
  readonly dtype: WeightType;
  readonly arch: string;
  readonly width: number;
  readonly dim: number;
  readonly bytes: number;
  readonly sha256: string;
  /** The model card. */
  readonly card?: string;
}

export interface LayoutOptions {
  readonly layout: Layout;
  readonly dtype: WeightType;
  /** Of ONNX. */
  readonly input: OnnxInput;
  readonly license: string | undefined;
}

/** Architectures that are torchvision's VideoResNet; three of them are functions there. */
const VIDEO_RESNETS = ['r3d_10', 'r3d_18', 'r3d_34', 'mc3_18', 'r2plus1d_18'];

/** The bytes of a file, in order. Throws ERR_VSSL_WEIGHTS for what a layout cannot hold, with what can. */
export function encodeLayout(encoder: Encoder, options: LayoutOptions): Uint8Array[] {
  const { description, path } = encoder;
  const network = networkOf(description.model);
  checkTensors(encoder.tensors, tensorsOf(network), (why) => notOfArchitecture(path, description, why));
  const tensors = encoder.tensors.map((tensor) => storedAs(tensor, options.dtype));
  const said = {
    package_version: packageVersion,
    ...(options.license !== undefined && { license: options.license }),
    ...describeEncoder(description),
  };
  if (options.layout === 'vssl') return encodeSafetensors(tensors, said);
  if (options.layout === 'onnx') {
    const graph = onnxGraph(network, description, tensors, options.input);
    return encodeOnnx(graph, { name: 'vssl-native', version: packageVersion }, said);
  }
  checkVideoResNet(path, description);
  // PyTorch's libraries look for this word; ours knows the file by the other entries
  return encodeSafetensors(tensors, { ...said, format: 'pt' });
}

function storedAs(tensor: NamedTensor, dtype: WeightType): NamedTensor {
  if (dtype === 'fp32' || tensor.dtype !== 'F32' || tensor.shape.length < 2) return tensor;
  return narrow(tensor, dtype === 'fp16' ? 'F16' : 'BF16');
}

function checkVideoResNet(path: string, { model: { arch, width } }: EncoderDescription): void {
  if (VIDEO_RESNETS.includes(arch) && width === 1) return;
  throw new VsslError(
    'ERR_VSSL_WEIGHTS',
    `${path} is ${arch} of width ${width}, which torchvision does not have: its networks are ` +
      `${VIDEO_RESNETS.join(', ')} of width 1. The layout onnx has every network, and docs/python.md says how to build others in PyTorch`,
    { details: { path, arch, width } },
  );
}

function notOfArchitecture(path: string, { model }: EncoderDescription, why: string): VsslError {
  return new VsslError(
    'ERR_VSSL_WEIGHTS',
    `${path} says that it is ${model.arch} of width ${model.width}, but ${why}`,
    { details: { path } },
  );
}
