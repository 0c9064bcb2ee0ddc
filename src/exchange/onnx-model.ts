/**
 * ONNX files without ONNX: the few messages of its protobuf that a network of convolutions needs. A file is a ModelProto
 * { 1 ir_version, 2 producer_name, 3 producer_version, 7 GraphProto, 8 OperatorSetId { 2 version }, 14 properties }; a graph
 * { 1 nodes, 2 name, 5 tensors, 11 inputs, 12 outputs }. Source: onnx/onnx.proto3.
 */
import { VsslError } from '../errors.js';
import type { NamedTensor } from '../native/bindings.js';
import { ProtoWriter } from '../weights/protobuf.js';

/** Operators as of December 2021, in the file format of that time: runtimes since then read it. */
const OPSET = 17;
const IR_VERSION = 8;

/** A protobuf message has fewer bytes. */
const MOST_BYTES = 2 ** 31 - 1;

/** TensorProto.DataType */
export const ONNX_TYPES = { F32: 1, U8: 2, I64: 7, F16: 10, F64: 11, BF16: 16 } as const;
export type OnnxType = keyof typeof ONNX_TYPES;

/** A number is an int, unless it is wrapped as a float. */
export type OnnxAttribute = number | readonly number[] | { readonly float: number };

export interface OnnxNode {
  readonly type: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

/** A size, or the name of one that is free. */
export type OnnxShape = readonly (number | string)[];

export interface OnnxValue {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: OnnxShape;
}

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly tensors: readonly NamedTensor[];
  readonly input: OnnxValue;
  readonly output: OnnxValue;
}

/** The bytes of a file, in order; tensors are not copied. Throws ERR_VSSL_WEIGHTS for one of 2 GB or more. */
export function encodeOnnx(
  graph: OnnxGraph,
  producer: { readonly name: string; readonly version: string },
  properties: Readonly<Record<string, string>>,
): Uint8Array[] {
  const model = new ProtoWriter()
    .int(1, IR_VERSION)
    .text(2, producer.name)
    .text(3, producer.version)
    .message(7, graphOf(graph))
    .message(8, new ProtoWriter().int(2, OPSET));
  for (const [key, value] of Object.entries(properties))
    model.message(14, new ProtoWriter().text(1, key).text(2, value));
  if (model.length > MOST_BYTES)
    throw new VsslError(
      'ERR_VSSL_WEIGHTS',
      `an ONNX file holds less than 2 GB, but these weights need ${model.length} bytes; take fp16 or bf16, or the layout vssl`,
    );
  return model.chunks();
}

function graphOf({ name, nodes, tensors, input, output }: OnnxGraph): ProtoWriter {
  const graph = new ProtoWriter();
  for (const node of nodes) graph.message(1, nodeOf(node));
  graph.text(2, name);
  for (const tensor of tensors) graph.message(5, tensorOf(tensor));
  return graph.message(11, valueInfo(input)).message(12, valueInfo(output));
}

function nodeOf({ type, inputs, output, attributes = {} }: OnnxNode): ProtoWriter {
  const node = new ProtoWriter();
  for (const input of inputs) node.text(1, input);
  node.text(2, output).text(3, output).text(4, type);
  for (const [name, value] of Object.entries(attributes)) node.message(5, attributeOf(name, value));
  return node;
}

function attributeOf(name: string, value: OnnxAttribute): ProtoWriter {
  const attribute = new ProtoWriter().text(1, name);
  if (typeof value === 'number') return attribute.int(3, value).int(20, 2);
  if ('float' in value) return attribute.float(2, value.float).int(20, 1);
  return attribute.ints(8, value).int(20, 7);
}

function tensorOf({ name, dtype, shape, data }: NamedTensor): ProtoWriter {
  return new ProtoWriter()
    .ints(1, shape)
    .int(2, ONNX_TYPES[dtype as OnnxType])
    .text(8, name)
    .bytes(9, data);
}

function valueInfo({ name, type, shape }: OnnxValue): ProtoWriter {
  const dims = new ProtoWriter();
  for (const extent of shape) {
    const dim = new ProtoWriter();
    dims.message(1, typeof extent === 'number' ? dim.int(1, extent) : dim.text(2, extent));
  }
  const tensor = new ProtoWriter().int(1, ONNX_TYPES[type]).message(2, dims);
  return new ProtoWriter().text(1, name).message(2, new ProtoWriter().message(1, tensor));
}
