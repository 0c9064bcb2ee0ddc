/** ONNX files read back, and run: slowly, in double precision, with the operators that are written here. */
import { readFields, readPacked } from '#src/weights/protobuf.js';

export interface Array5 {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

type Attribute = number | readonly number[];

export interface ReadNode {
  readonly type: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface ReadTensor {
  readonly shape: readonly number[];
  /** TensorProto.DataType */
  readonly type: number;
  readonly bytes: Uint8Array;
}

export interface ReadOnnx {
  readonly irVersion: number;
  readonly opset: number;
  readonly properties: Readonly<Record<string, string>>;
  readonly nodes: readonly ReadNode[];
  readonly tensors: ReadonlyMap<string, ReadTensor>;
  readonly input: {
    readonly name: string;
    readonly type: number;
    readonly shape: readonly (number | string)[];
  };
  readonly output: {
    readonly name: string;
    readonly type: number;
    readonly shape: readonly (number | string)[];
  };
}

const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');
const only = (data: Uint8Array, field: number) => [...readFields(data)].filter((one) => one.field === field);
const first = (data: Uint8Array, field: number) => only(data, field)[0]!;

export function readOnnx(file: Uint8Array): ReadOnnx {
  const graph = first(file, 7).bytes;
  const properties = only(file, 14).map(({ bytes }) => [
    textOf(first(bytes, 1).bytes),
    textOf(first(bytes, 2).bytes),
  ]);
  return {
    irVersion: first(file, 1).number,
    opset: first(first(file, 8).bytes, 2).number,
    properties: Object.fromEntries(properties),
    nodes: only(graph, 1).map(({ bytes }) => readNode(bytes)),
    tensors: new Map(only(graph, 5).map(({ bytes }) => [textOf(first(bytes, 8).bytes), readTensor(bytes)])),
    input: readValue(first(graph, 11).bytes),
    output: readValue(first(graph, 12).bytes),
  };
}

function readNode(data: Uint8Array): ReadNode {
  const attributes = only(data, 5).map(({ bytes }) => {
    const kind = first(bytes, 20).number;
    const value = kind === 7 ? readPacked(first(bytes, 8).bytes) : first(bytes, kind === 1 ? 2 : 3).number;
    return [textOf(first(bytes, 1).bytes), value] as const;
  });
  return {
    type: textOf(first(data, 4).bytes),
    inputs: only(data, 1).map(({ bytes }) => textOf(bytes)),
    output: textOf(first(data, 2).bytes),
    attributes: Object.fromEntries(attributes),
  };
}

function readTensor(data: Uint8Array): ReadTensor {
  return {
    shape: readPacked(first(data, 1).bytes),
    type: first(data, 2).number,
    bytes: first(data, 9).bytes,
  };
}

function readValue(data: Uint8Array) {
  const tensor = first(first(data, 2).bytes, 1).bytes;
  const shape = only(first(tensor, 2).bytes, 1).map(({ bytes }) => {
    const [{ field, number, bytes: name }] = [...readFields(bytes)] as [
      { field: number; number: number; bytes: Uint8Array },
    ];
    return field === 1 ? number : textOf(name);
  });
  return { name: textOf(first(data, 1).bytes), type: first(tensor, 1).number, shape };
}

/** What the graph gives for an input. */
export function runOnnx({ nodes, tensors, input, output }: ReadOnnx, given: Array5): Array5 {
  const values = new Map([[input.name, given]]);
  for (const [name, tensor] of tensors) values.set(name, numbersOf(tensor));
  for (const node of nodes) {
    const operator = OPERATORS[node.type];
    if (!operator) throw new Error(`no operator ${node.type}`);
    const inputs = node.inputs.map((name) => {
      const value = values.get(name);
      if (!value) throw new Error(`${node.type} ${node.output}: ${name} does not come before it`);
      return value;
    });
    values.set(node.output, operator(inputs as [Array5, ...Array5[]], node.attributes));
  }
  return values.get(output.name)!;
}

function numbersOf({ shape, type, bytes }: ReadTensor): Array5 {
  const { buffer } = new Uint8Array(bytes);
  if (type === 1) return { shape, data: Float64Array.from(new Float32Array(buffer)) };
  if (type === 7) return { shape, data: Float64Array.from(new BigInt64Array(buffer), Number) };
  const words = new Uint16Array(buffer);
  if (type === 16) {
    const bits = Uint32Array.from(words, (word) => word << 16);
    return { shape, data: Float64Array.from(new Float32Array(bits.buffer)) };
  }
  if (type !== 10) throw new Error(`no numbers of type ${type}`);
  return { shape, data: Float64Array.from(words, halfOf) };
}

function halfOf(word: number): number {
  const [exponent, fraction] = [(word >> 10) & 31, word & 1023];
  const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return word & 0x8000 ? -size : size;
}

type Operator = (inputs: [Array5, ...Array5[]], attributes: ReadNode['attributes']) => Array5;

const product = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
const list = (value: Attribute | undefined) => value as readonly number[];

/** Places of an array of a shape, first to last. */
function* placesOf(shape: readonly number[]): Generator<number[]> {
  const at = shape.map(() => 0);
  for (let left = product(shape); left > 0; left--) {
    yield at;
    for (let d = shape.length - 1; d >= 0 && ++at[d]! === shape[d]; d--) at[d] = 0;
  }
}

function indexIn(shape: readonly number[], at: readonly number[]): number {
  return shape.reduce((index, side, d) => index * side + at[d]!, 0);
}

/** Elementwise; the second may have sides of 1. */
function pointwise(of: (a: number, b: number) => number): Operator {
  return ([a, b]) => {
    const out = new Float64Array(a.data.length);
    const shape = b!.shape.length === 1 ? a.shape.map(() => 1) : b!.shape;
    let i = 0;
    for (const at of placesOf(a.shape)) {
      const place = at.map((x, d) => (shape[d] === 1 ? 0 : x));
      out[i] = of(a.data[i]!, b!.data[indexIn(shape, place)]!);
      i++;
    }
    return { shape: a.shape, data: out };
  };
}

/** Windows of convolutions and poolings: `visit` is told where in the input and the kernel. */
function windows(
  x: Array5,
  kernel: readonly number[],
  { strides, pads }: ReadNode['attributes'],
  visit: (out: number, at: readonly number[], inner: readonly number[], kernelAt: number) => void,
): number[] {
  const [stride, pad] = [list(strides), list(pads)];
  const sides = kernel.map((k, d) => Math.floor((x.shape[d + 2]! + 2 * pad[d]! - k) / stride[d]!) + 1);
  let out = 0;
  for (const at of placesOf(sides)) {
    const where = [...at];
    let k = 0;
    for (const offset of placesOf(kernel)) {
      const inner = where.map((o, d) => o * stride[d]! - pad[d]! + offset[d]!);
      if (inner.every((i, d) => i >= 0 && i < x.shape[d + 2]!)) visit(out, where, inner, k);
      k++;
    }
    out++;
  }
  return sides;
}

const conv: Operator = ([x, w, bias], attributes) => {
  const [batch, channels] = [x.shape[0]!, x.shape[1]!];
  const [outs, kernel] = [w!.shape[0]!, w!.shape.slice(2)];
  if (String(kernel) !== String(attributes.kernel_shape)) throw new Error('another kernel than its weight');
  const [area, size] = [product(x.shape.slice(2)), product(kernel)];
  const hits: [number, number, number][] = [];
  const sides = windows(x, kernel, attributes, (out, _, inner, k) =>
    hits.push([out, indexIn(x.shape.slice(2), inner), k]),
  );
  const outArea = product(sides);
  const data = new Float64Array(batch * outs * outArea);
  for (let n = 0; n < batch; n++)
    for (let o = 0; o < outs; o++) {
      const target = data.subarray((n * outs + o) * outArea, (n * outs + o + 1) * outArea);
      if (bias) target.fill(bias.data[o]!);
      for (let c = 0; c < channels; c++) {
        const [source, weight] = [(n * channels + c) * area, (o * channels + c) * size];
        for (const [out, from, k] of hits) target[out]! += x.data[source + from]! * w!.data[weight + k]!;
      }
    }
  return { shape: [batch, outs, ...sides], data };
};

const maxPool: Operator = ([x], attributes) => {
  const planes = x.shape[0]! * x.shape[1]!;
  const area = product(x.shape.slice(2));
  const hits: [number, number][] = [];
  const sides = windows(x, list(attributes.kernel_shape), attributes, (out, _, inner) =>
    hits.push([out, indexIn(x.shape.slice(2), inner)]),
  );
  const outArea = product(sides);
  const data = new Float64Array(planes * outArea).fill(Number.NEGATIVE_INFINITY);
  for (let p = 0; p < planes; p++)
    for (const [out, from] of hits) {
      const place = p * outArea + out;
      data[place] = Math.max(data[place]!, x.data[p * area + from]!);
    }
  return { shape: [...x.shape.slice(0, 2), ...sides], data };
};

const batchNorm: Operator = ([x, scale, shift, mean, variance], { epsilon }) => {
  const area = product(x.shape.slice(2));
  const data = x.data.map((value, i) => {
    const c = Math.floor(i / area) % x.shape[1]!;
    const factor = scale!.data[c]! / Math.sqrt(variance!.data[c]! + (epsilon as number));
    return (value - mean!.data[c]!) * factor + shift!.data[c]!;
  });
  return { shape: x.shape, data };
};

const reduceMean: Operator = ([x], { axes, keepdims }) => {
  const kept = x.shape.map((side, d) => (list(axes).includes(d) ? 1 : side));
  const data = new Float64Array(product(kept));
  let i = 0;
  for (const at of placesOf(x.shape)) {
    const place = at.map((value, d) => (kept[d] === 1 ? 0 : value));
    data[indexIn(kept, place)]! += x.data[i++]!;
  }
  const share = product(kept) / product(x.shape);
  const shape = keepdims === 1 ? kept : x.shape.filter((_, d) => !list(axes).includes(d));
  return { shape, data: data.map((sum) => sum * share) };
};

const transpose: Operator = ([x], { perm }) => {
  const shape = list(perm).map((d) => x.shape[d]!);
  const data = new Float64Array(x.data.length);
  let i = 0;
  for (const at of placesOf(shape)) {
    const place = [...x.shape];
    list(perm).forEach((d, k) => {
      place[d] = at[k]!;
    });
    data[i++] = x.data[indexIn(x.shape, place)]!;
  }
  return { shape, data };
};

/** Of one axis. */
const slice: Operator = ([x, starts, ends, axes]) => {
  const axis = axes!.data[0]!;
  const side = x.shape[axis]!;
  const place = (at: number) => Math.max(0, Math.min(side, at < 0 ? at + side : at));
  const [from, to] = [place(starts!.data[0]!), place(ends!.data[0]!)];
  const shape = x.shape.with(axis, to - from);
  const data = new Float64Array(product(shape));
  let i = 0;
  for (const at of placesOf(shape)) data[i++] = x.data[indexIn(x.shape, at.with(axis, at[axis]! + from))]!;
  return { shape, data };
};

const concat: Operator = (inputs, { axis }) => {
  const d = axis as number;
  const shape = inputs[0].shape.with(
    d,
    inputs.reduce((sum, one) => sum + one.shape[d]!, 0),
  );
  const data = new Float64Array(product(shape));
  let before = 0;
  for (const one of inputs) {
    let i = 0;
    for (const at of placesOf(one.shape)) data[indexIn(shape, at.with(d, at[d]! + before))] = one.data[i++]!;
    before += one.shape[d]!;
  }
  return { shape, data };
};

const OPERATORS: Readonly<Record<string, Operator>> = {
  Conv: conv,
  MaxPool: maxPool,
  BatchNormalization: batchNorm,
  ReduceMean: reduceMean,
  Transpose: transpose,
  Slice: slice,
  Concat: concat,
  Relu: ([x]) => ({ shape: x.shape, data: x.data.map((value) => Math.max(0, value)) }),
  Cast: ([x], { to }) => {
    if (to !== 1) throw new Error('only to floats');
    return x;
  },
  Add: pointwise((a, b) => a + b),
  Sub: pointwise((a, b) => a - b),
  Div: pointwise((a, b) => a / b),
};
