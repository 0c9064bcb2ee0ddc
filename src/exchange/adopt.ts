/** Weights of other libraries as those of an architecture here. */
import { VsslError } from '../errors.js';
import type { NamedTensor } from '../native/bindings.js';
import { didYouMean } from '../spelling.js';
import { widen } from '../weights/float-types.js';
import { formOf, type TensorForm } from './fit-tensors.js';
import { type Inflation, inflate } from './inflate.js';
import { KEY_MAPS, type KeyMap } from './key-maps.js';
import { type Model, networkOf, tensorsOf } from './networks.js';

export interface Adopted {
  readonly tensors: readonly NamedTensor[];
  readonly map: KeyMap;
  /** Convolutions that were given more frames. */
  readonly inflated: number;
  /** Tensors that are no part of the encoder, by their own names. */
  readonly leftOut: readonly string[];
}

/** The map, and what stands before its names in a file, that give most of the wanted tensors. */
export interface Reading {
  readonly map: KeyMap;
  readonly prefix: string;
  /** By the engine's names. */
  readonly named: ReadonlyMap<string, NamedTensor>;
  readonly leftOut: readonly string[];
}

/**
 * Finds the names that the tensors have, and gives those that `model` takes, in its shapes: kernels of pictures are inflated,
 * half precision becomes F32, heads of classifiers and what stands beside the encoder are left out. Throws ERR_VSSL_WEIGHTS,
 * naming what is missing or does not fit, and what is nearest.
 */
export function adoptWeights(
  path: string,
  tensors: readonly NamedTensor[],
  model: Model,
  inflation: Inflation = 'mean',
): Adopted {
  const wanted = tensorsOf(networkOf(model));
  const reading = readNames(tensors, wanted);
  const refuse = (why: string) =>
    new VsslError(
      'ERR_VSSL_WEIGHTS',
      `${path}, read as ${reading.map.what}, does not fit ${model.arch} of width ${model.width}; ask for the network that it is of, or take another file: ${why}`,
      { details: { path, arch: model.arch } },
    );
  let inflated = 0;
  const fitted: NamedTensor[] = [];
  for (const [name, form] of wanted) {
    const own = reading.named.get(name) ?? counterOf(name);
    if (own === undefined) {
      const odd = [...reading.named].filter(([key]) => !wanted.has(key)).map(([, tensor]) => tensor.name);
      throw refuse(`it has nothing for the tensor '${name}'${didYouMean(name, odd)}`);
    }
    const fit = fitTensor(widen(own), name, form, inflation);
    if (fit === null)
      throw refuse(`expected ${formOf(form)} for '${name}', but its tensor '${own.name}' is ${formOf(own)}`);
    fitted.push(fit.tensor);
    if (fit.inflated) inflated++;
  }
  const surplus = [...reading.named].find(([name]) => !wanted.has(name));
  if (surplus)
    throw refuse(
      `the encoder has no place for its tensor '${surplus[1].name}'${didYouMean(surplus[0], [...wanted.keys()])}`,
    );
  return { tensors: fitted, map: reading.map, inflated, leftOut: reading.leftOut };
}

function fitTensor(own: NamedTensor, name: string, form: TensorForm, inflation: Inflation) {
  const tensor = { ...own, name };
  if (formOf(own) === formOf(form)) return { tensor, inflated: false };
  return own.dtype === 'F32' ? inflate(tensor, form.shape, inflation) : null;
}

/** BatchNorm's count of batches is missing in older files, and nothing hangs on it. */
function counterOf(name: string): NamedTensor | undefined {
  if (!name.endsWith('.num_batches_tracked')) return undefined;
  return { name, dtype: 'I64', shape: [], data: new Uint8Array(8) };
}

/** Wrappers put names before a network's: `module.`, `encoder_q.`, `model_state.`; at most so many. */
const MOST_PREFIXES = 4;

export function readNames(tensors: readonly NamedTensor[], wanted: ReadonlyMap<string, unknown>): Reading {
  let best: { reading: Reading; hits: number } | undefined;
  for (const prefix of prefixesOf(tensors, wanted.size / 3))
    for (const map of KEY_MAPS) {
      const reading = readAs(tensors, map, prefix);
      const hits = [...reading.named.keys()].filter((name) => wanted.has(name)).length;
      if (!best || hits > best.hits) best = { reading, hits };
    }
  return (best as { reading: Reading }).reading;
}

/** None, and those before which so many tensors stand, in the order of the file: a network comes before its copies. */
function prefixesOf(tensors: readonly NamedTensor[], least: number): string[] {
  const counts = new Map<string, number>();
  for (const { name } of tensors) {
    const parts = name.split('.', MOST_PREFIXES + 1);
    for (let n = 1; n < parts.length; n++) {
      const prefix = `${parts.slice(0, n).join('.')}.`;
      counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
    }
  }
  return ['', ...[...counts].filter(([, count]) => count >= least).map(([prefix]) => prefix)];
}

function readAs(tensors: readonly NamedTensor[], map: KeyMap, prefix: string): Reading {
  const named = new Map<string, NamedTensor>();
  const leftOut: string[] = [];
  for (const tensor of tensors) {
    const key = tensor.name.startsWith(prefix) ? map.rename(tensor.name.slice(prefix.length)) : null;
    if (key === null) leftOut.push(tensor.name);
    else named.set(key ?? tensor.name, tensor);
  }
  return { map, prefix, named, leftOut };
}
