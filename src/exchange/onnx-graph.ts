/** A network with its weights as an ONNX graph: clips (N, 3, T, H, W), of any number, length and size, to features (N, dim). */
import type { NamedTensor } from '../native/bindings.js';
import type { EncoderDescription } from '../weights/encoder-file.js';
import type { ConvLayer, Network, PoolLayer, Triple } from './networks.js';
import { ONNX_TYPES, type OnnxGraph, type OnnxNode, type OnnxValue } from './onnx-model.js';

/**
 * What the graph takes. `clips`: what the network takes, normalised floats. `frames`: pictures as bytes, RGB
 * (N, T, H, W, 3); the graph then does what is done to pixels before the network.
 */
export type OnnxInput = 'clips' | 'frames';

/** Of every BatchNorm. */
const EPSILON = 1e-5;

const free = ['batch', 'frames', 'height', 'width'] as const;
const [BATCH, FRAMES, HEIGHT, WIDTH] = free;

const INPUTS: Readonly<Record<OnnxInput, OnnxValue>> = {
  clips: { name: 'clips', type: 'F32', shape: [BATCH, 3, FRAMES, HEIGHT, WIDTH] },
  frames: { name: 'frames', type: 'U8', shape: [BATCH, FRAMES, HEIGHT, WIDTH, 3] },
};

/** Weights of half precision are made floats by the graph, and it computes with those. */
export function onnxGraph(
  network: Network,
  description: EncoderDescription,
  tensors: readonly NamedTensor[],
  input: OnnxInput,
): OnnxGraph {
  const graph = new GraphBuilder(tensors);
  const clips = input === 'frames' ? addPixels(graph, description) : INPUTS.clips.name;
  const outputs: string[] = [];
  const outputOf = (layer: number) => (layer < 0 ? clips : (outputs[layer] as string));
  network.layers.forEach((layer, i) => {
    const from = outputOf(layer.input);
    outputs.push(
      layer.kind === 'pool'
        ? addPool(graph, `pool${i}`, layer, from)
        : addConv(graph, layer, from, layer.residual === null ? null : outputOf(layer.residual)),
    );
  });
  const axes = { axes: [2, 3, 4], keepdims: 0 };
  graph.node('ReduceMean', [outputOf(network.layers.length - 1)], 'features', axes);
  return {
    ...{ name: description.model.arch, nodes: graph.nodes, tensors: graph.tensors },
    input: INPUTS[input],
    output: { name: 'features', type: 'F32', shape: [BATCH, network.dim] },
  };
}

class GraphBuilder {
  readonly nodes: OnnxNode[] = [];
  readonly tensors: NamedTensor[] = [];
  readonly #weights: ReadonlyMap<string, NamedTensor>;

  constructor(weights: readonly NamedTensor[]) {
    this.#weights = new Map(weights.map((tensor) => [tensor.name, tensor]));
  }

  node(
    type: string,
    inputs: readonly string[],
    output: string,
    attributes: OnnxNode['attributes'] = {},
  ): string {
    this.nodes.push({ type, inputs, output, attributes });
    return output;
  }

  /** A tensor of the weights, as floats. */
  weight(name: string): string {
    const tensor = this.#weights.get(name) as NamedTensor;
    this.tensors.push(tensor);
    if (tensor.dtype === 'F32') return name;
    return this.node('Cast', [name], `${name}.float`, { to: ONNX_TYPES.F32 });
  }

  floats(name: string, shape: readonly number[], values: readonly number[]): string {
    return this.#constant(name, 'F32', shape, Float32Array.from(values));
  }

  ints(name: string, values: readonly number[]): string {
    return this.#constant(name, 'I64', [values.length], BigInt64Array.from(values, BigInt));
  }

  #constant(name: string, dtype: 'F32' | 'I64', shape: readonly number[], values: ArrayBufferView): string {
    const data = new Uint8Array(values.buffer as ArrayBuffer);
    this.tensors.push({ name, dtype, shape, data });
    return name;
  }
}

function addConv(graph: GraphBuilder, layer: ConvLayer, from: string, residual: string | null): string {
  const { name, norm, shape, stride, padding, relu } = layer;
  const kernel = shape.slice(2);
  const bias = norm === null ? [graph.weight(`${name}.bias`)] : [];
  const inputs = [from, graph.weight(`${name}.weight`), ...bias];
  let at = graph.node('Conv', inputs, `${name}/conv`, { kernel_shape: kernel, ...windows(stride, padding) });
  if (norm !== null) {
    const parts = ['weight', 'bias', 'running_mean', 'running_var'].map((part) =>
      graph.weight(`${norm}.${part}`),
    );
    at = graph.node('BatchNormalization', [at, ...parts], `${name}/norm`, { epsilon: { float: EPSILON } });
  }
  if (residual !== null) at = graph.node('Add', [at, residual], `${name}/sum`);
  return relu ? graph.node('Relu', [at], `${name}/relu`) : at;
}

function addPool(graph: GraphBuilder, name: string, layer: PoolLayer, from: string): string {
  const { kernel, stride, padding } = layer;
  return graph.node('MaxPool', [from], name, { kernel_shape: kernel, ...windows(stride, padding) });
}

/** Padding is the same at both ends of a side. */
function windows(strides: Triple, padding: Triple) {
  return { strides, pads: [...padding, ...padding] };
}

/** From bytes to what the network takes, as clips are made for it here: normalised, the mean over time or the frame before taken away. */
function addPixels(graph: GraphBuilder, { input, mean, std }: EncoderDescription): string {
  const floats = graph.node('Cast', [INPUTS.frames.name], 'pixels/float', { to: ONNX_TYPES.F32 });
  const ordered = graph.node('Transpose', [floats], 'pixels/ordered', { perm: [0, 4, 1, 2, 3] });
  const unit = graph.node('Div', [ordered, graph.floats('pixels/255', [1], [255])], 'pixels/unit');
  const centred = input === 'difference' ? addDifferences(graph, unit) : addCentre(graph, unit, input, mean);
  const deviation = graph.floats('pixels/std', [1, 3, 1, 1, 1], std);
  return graph.node('Div', [centred, deviation], 'pixels/clips');
}

function addCentre(
  graph: GraphBuilder,
  from: string,
  input: 'rgb' | 'temporal-mean-removed',
  mean: EncoderDescription['mean'],
): string {
  const centre =
    input === 'rgb'
      ? graph.floats('pixels/mean', [1, 3, 1, 1, 1], mean)
      : graph.node('ReduceMean', [from], 'pixels/temporal-mean', { axes: [2], keepdims: 1 });
  return graph.node('Sub', [from, centre], 'pixels/centred');
}

/** Each frame is the next minus itself; the last repeats the one before. */
function addDifferences(graph: GraphBuilder, from: string): string {
  const [axis, first, second, end, last] = [
    graph.ints('pixels/time', [2]),
    graph.ints('pixels/0', [0]),
    graph.ints('pixels/1', [1]),
    graph.ints('pixels/end', [Number.MAX_SAFE_INTEGER]),
    graph.ints('pixels/-1', [-1]),
  ];
  const later = graph.node('Slice', [from, second, end, axis], 'pixels/later');
  const earlier = graph.node('Slice', [from, first, last, axis], 'pixels/earlier');
  const steps = graph.node('Sub', [later, earlier], 'pixels/steps');
  const repeated = graph.node('Slice', [steps, last, end, axis], 'pixels/last');
  return graph.node('Concat', [steps, repeated], 'pixels/differences', { axis: 2 });
}
