/**
 * The engine's architectures as lists of layers, under the engine's names: what a file of weights must hold, and the graph
 * that another runtime has to run. No engine is needed for either; a test holds both sides together.
 */
import {
  ARCHITECTURE_NAMES,
  ARCHITECTURES,
  type ArchitectureName,
  TIME_STRIDES,
} from '../config/architectures.js';
import { VsslError } from '../errors.js';
import { didYouMean } from '../spelling.js';
import type { EncoderDescription } from '../weights/encoder-file.js';

/** Of time, height and width. */
export type Triple = readonly [number, number, number];

/** relu(norm(conv(input)) + residual); without a norm the convolution has a bias, without a residual nothing is added. */
export interface ConvLayer {
  readonly kind: 'conv';
  readonly name: string;
  readonly norm: string | null;
  /** (out, in, time, height, width) */
  readonly shape: readonly [number, number, ...Triple];
  readonly stride: Triple;
  readonly padding: Triple;
  readonly relu: boolean;
  readonly input: number;
  readonly residual: number | null;
}

/** The largest of each window. */
export interface PoolLayer {
  readonly kind: 'pool';
  readonly kernel: Triple;
  readonly stride: Triple;
  readonly padding: Triple;
  readonly input: number;
}

/** Layers name their inputs by index; -1 are the clips (N, 3, T, H, W). The last one's mean over T, H, W is the feature. */
export interface Network {
  readonly layers: readonly (ConvLayer | PoolLayer)[];
  readonly dim: number;
}

export type Model = EncoderDescription['model'];

/** The network of a model. Throws ERR_VSSL_WEIGHTS for an architecture or width that there is not. */
export function networkOf(model: Model): Network {
  const { arch, width } = model;
  if (!Object.hasOwn(ARCHITECTURES, arch))
    throw unknownModel(
      `there is no architecture '${arch}', expected one of ${ARCHITECTURE_NAMES.join(', ')}` +
        didYouMean(arch, ARCHITECTURE_NAMES),
    );
  const [least, most] = ARCHITECTURES[arch as ArchitectureName].width;
  if (!(width >= least && width <= most))
    throw unknownModel(`expected a width from ${least} to ${most}, but it is ${width}`);
  const builder = new Builder(width);
  if (arch === 'c3d') addC3d(builder, model.batchNorm !== false);
  else if (arch === 'r3d_50') addResNet50(builder);
  else
    addResNet(
      builder,
      RESNETS[arch as keyof typeof RESNETS],
      model.timeStrides as readonly number[] | undefined,
    );
  return builder.network();
}

function unknownModel(message: string): VsslError {
  return new VsslError('ERR_VSSL_WEIGHTS', message);
}

interface ConvSpec {
  readonly name: string;
  readonly norm: string | null;
  readonly out: number;
  readonly kernel: Triple;
  readonly stride?: Triple;
  readonly relu?: boolean;
  readonly input?: number;
  readonly residual?: number;
}

/** Puts layers one after another and keeps count of channels. */
class Builder {
  readonly #layers: (ConvLayer | PoolLayer)[] = [];
  readonly #channels = new Map([[-1, 3]]);
  readonly #width: number;

  constructor(width: number) {
    this.#width = width;
  }

  /** As the engine rounds them. */
  scaled(channels: number): number {
    return Math.max(1, Math.round(channels * this.#width));
  }

  get last(): number {
    return this.#layers.length - 1;
  }

  channels(layer = this.last): number {
    return this.#channels.get(layer) as number;
  }

  /** A convolution of odd kernel, padded so that a stride of 1 keeps the size. Its number. */
  conv({
    name,
    norm,
    out,
    kernel,
    stride = [1, 1, 1],
    relu = true,
    input = this.last,
    residual,
  }: ConvSpec): number {
    const padding = kernel.map((side) => (side - 1) / 2) as unknown as Triple;
    const shape = [out, this.channels(input), ...kernel] as const;
    return this.#add(
      { kind: 'conv', name, norm, shape, stride, padding, relu, input, residual: residual ?? null },
      out,
    );
  }

  pool(kernel: Triple, stride: Triple, padding: Triple = [0, 0, 0]): number {
    return this.#add({ kind: 'pool', kernel, stride, padding, input: this.last }, this.channels());
  }

  network(): Network {
    return { layers: this.#layers, dim: this.channels() };
  }

  #add(layer: ConvLayer | PoolLayer, channels: number): number {
    this.#layers.push(layer);
    this.#channels.set(this.last, channels);
    return this.last;
  }
}

type ConvKind = '3d' | '2d' | '2+1d';

interface ResNetLayout {
  readonly kind: ConvKind;
  readonly blocks: readonly number[];
}

/** torchvision's VideoResNet: blocks a layer, and how they convolve. MC3's first layer is 3-D. */
const RESNETS = {
  r3d_10: { kind: '3d', blocks: [1, 1, 1, 1] },
  r3d_18: { kind: '3d', blocks: [2, 2, 2, 2] },
  r3d_34: { kind: '3d', blocks: [3, 4, 6, 3] },
  mc3_18: { kind: '2d', blocks: [2, 2, 2, 2] },
  r2plus1d_18: { kind: '2+1d', blocks: [2, 2, 2, 2] },
} as const satisfies Readonly<Record<string, ResNetLayout>>;

function addResNet(
  builder: Builder,
  { kind, blocks }: ResNetLayout,
  times: readonly number[] = TIME_STRIDES,
): void {
  const channels = builder.scaled(64);
  if (kind === '2+1d') {
    const [kernel, stride] = [
      [1, 7, 7],
      [1, 2, 2],
    ] as const;
    builder.conv({ name: 'stem.0', norm: 'stem.1', out: builder.scaled(45), kernel, stride });
    builder.conv({ name: 'stem.3', norm: 'stem.4', out: channels, kernel: [3, 1, 1] });
  } else
    builder.conv({ name: 'stem.0', norm: 'stem.1', out: channels, kernel: [3, 7, 7], stride: [1, 2, 2] });
  blocks.forEach((count, layer) => {
    for (let i = 0; i < count; i++) {
      const own = kind === '2d' && layer === 0 ? '3d' : kind;
      const stride = i === 0 && layer > 0 ? 2 : 1;
      const time = i === 0 && own !== '2d' ? times[layer]! : 1;
      addBasicBlock(builder, `layer${layer + 1}.${i}`, own, builder.scaled(64 << layer), [time, stride]);
    }
  });
}

/** Two convolutions (in R(2+1)D each a pair), and the input added before the last ReLU. */
function addBasicBlock(
  builder: Builder,
  name: string,
  kind: ConvKind,
  out: number,
  [time, stride]: readonly [time: number, space: number],
): void {
  const [input, from] = [builder.last, builder.channels()];
  const middle = Math.floor((from * out * 27) / (from * 9 + 3 * out));
  const isSame = stride === 1 && time === 1 && from === out;
  const residual = isSame ? input : addDownsample(builder, name, out, [time, stride, stride], input);
  const convolve = (
    part: string,
    [late, by]: readonly [number, number],
    place: { input?: number; residual?: number },
  ) => {
    const end = { norm: `${name}.${part}.1`, out };
    const conv = `${name}.${part}.0`;
    if (kind === '3d')
      return builder.conv({ name: conv, kernel: [3, 3, 3], stride: [late, by, by], ...end, ...place });
    if (kind === '2d')
      return builder.conv({ name: conv, kernel: [1, 3, 3], stride: [1, by, by], ...end, ...place });
    const { input, ...rest } = place;
    const first = {
      name: `${conv}.0`,
      norm: `${conv}.1`,
      out: middle,
      ...(input !== undefined && { input }),
    };
    builder.conv({ ...first, kernel: [1, 3, 3], stride: [1, by, by] });
    return builder.conv({ name: `${conv}.3`, kernel: [3, 1, 1], stride: [late, 1, 1], ...end, ...rest });
  };
  convolve('conv1', [time, stride], { input });
  convolve('conv2', [1, 1], { residual });
}

function addDownsample(builder: Builder, name: string, out: number, stride: Triple, input: number): number {
  const names = { name: `${name}.downsample.0`, norm: `${name}.downsample.1` };
  return builder.conv({ ...names, out, kernel: [1, 1, 1], stride, relu: false, input });
}

/** CVRL's R3D-50: bottlenecks, the first convolution of those of the last two layers is one in time. */
function addResNet50(builder: Builder): void {
  const stem = { name: 'stem.0', norm: 'stem.1', out: builder.scaled(64) };
  builder.conv({ ...stem, kernel: [5, 7, 7], stride: [2, 2, 2] });
  builder.pool([1, 3, 3], [1, 2, 2], [0, 1, 1]);
  for (const [layer, [count, time]] of (
    [
      [3, 1],
      [4, 1],
      [6, 3],
      [3, 3],
    ] as const
  ).entries())
    for (let i = 0; i < count; i++) {
      const stride = i === 0 && layer > 0 ? 2 : 1;
      addBottleneck(builder, `layer${layer + 1}.${i}`, builder.scaled(64 << layer), time, stride);
    }
}

function addBottleneck(builder: Builder, name: string, middle: number, time: number, by: number): void {
  const [input, out] = [builder.last, 4 * middle];
  const isSame = by === 1 && builder.channels() === out;
  const residual = isSame ? input : addDownsample(builder, name, out, [1, by, by], input);
  const names = (part: string) => ({ name: `${name}.${part}.0`, norm: `${name}.${part}.1` });
  builder.conv({ ...names('conv1'), out: middle, kernel: [time, 1, 1], input });
  builder.conv({ ...names('conv2'), out: middle, kernel: [1, 3, 3], stride: [1, by, by] });
  builder.conv({ ...names('conv3'), out, kernel: [1, 1, 1], residual });
}

const C3D = { 1: 64, 2: 128, '3a': 256, '3b': 256, '4a': 512, '4b': 512, '5a': 512, '5b': 512 };

function addC3d(builder: Builder, batchNorm: boolean): void {
  for (const [name, channels] of Object.entries(C3D)) {
    const time = name === '2' ? 1 : 2;
    if (/2|a/.test(name)) builder.pool([time, 2, 2], [time, 2, 2]);
    const norm = batchNorm ? `bn${name}` : null;
    builder.conv({ name: `conv${name}`, norm, out: builder.scaled(channels), kernel: [3, 3, 3] });
  }
}

/** Every tensor of the network's weights, by name: as the engine saves and takes them. */
export function tensorsOf({
  layers,
}: Network): Map<string, { dtype: 'F32' | 'I64'; shape: readonly number[] }> {
  const all = new Map<string, { dtype: 'F32' | 'I64'; shape: readonly number[] }>();
  for (const layer of layers) {
    if (layer.kind === 'pool') continue;
    const { name, norm, shape } = layer;
    const channels = { dtype: 'F32', shape: [shape[0]] } as const;
    all.set(`${name}.weight`, { dtype: 'F32', shape });
    if (norm === null) all.set(`${name}.bias`, channels);
    else {
      for (const part of ['weight', 'bias', 'running_mean', 'running_var'])
        all.set(`${norm}.${part}`, channels);
      all.set(`${norm}.num_batches_tracked`, { dtype: 'I64', shape: [] });
    }
  }
  return all;
}
