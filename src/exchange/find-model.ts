/** Which architecture tensors of unknown origin are of. */
import { ARCHITECTURE_NAMES } from '../config/architectures.js';
import { VsslError } from '../errors.js';
import type { NamedTensor } from '../native/bindings.js';
import { type Adopted, adoptWeights, readNames } from './adopt.js';
import type { Inflation } from './inflate.js';
import { type Model, networkOf, tensorsOf } from './networks.js';

/** What the caller says of it. */
export interface ModelHints {
  readonly arch?: string;
  readonly width?: number;
}

/**
 * The model that the tensors fit: as they are, or, when they fit none so, inflated. Throws ERR_VSSL_WEIGHTS when they fit none,
 * with what is missing for the nearest, or several.
 */
export function findModel(
  path: string,
  tensors: readonly NamedTensor[],
  { arch, width }: ModelHints,
  inflation: Inflation,
): Model {
  const candidates = (arch === undefined ? ARCHITECTURE_NAMES : [arch]).map((name) => {
    const model = { arch: name, width: 1, ...(hasBias(tensors, name) && { batchNorm: false }) };
    return { ...model, width: width ?? widthOf(tensors, model) };
  });
  if (arch !== undefined) return candidates[0] as Model;
  const fits = candidates.flatMap((model) => {
    const adopted = tryToAdopt(path, tensors, model, inflation);
    return adopted ? [{ model, adopted }] : [];
  });
  const exact = fits.filter(({ adopted }) => adopted.inflated === 0);
  const found = exact.length > 0 ? exact : fits;
  if (found.length === 1) return (found[0] as { model: Model }).model;
  if (found.length === 0) return nearest(tensors, candidates);
  throw new VsslError(
    'ERR_VSSL_WEIGHTS',
    `${path} fits ${found.map(({ model }) => model.arch).join(' and ')}${exact.length > 0 ? '' : ', inflated'}: say which it is to be, with arch`,
    { details: { path, architectures: found.map(({ model }) => model.arch) } },
  );
}

function tryToAdopt(
  path: string,
  tensors: readonly NamedTensor[],
  model: Model,
  inflation: Inflation,
): Adopted | null {
  try {
    return adoptWeights(path, tensors, model, inflation);
  } catch (error) {
    if (error instanceof VsslError && error.code === 'ERR_VSSL_WEIGHTS') return null;
    throw error;
  }
}

/** The one of which most tensors are there: why it does not fit is what the caller should hear. */
function nearest(tensors: readonly NamedTensor[], candidates: readonly Model[]): Model {
  const share = (model: Model) => {
    const wanted = tensorsOf(networkOf(model));
    const { named } = readNames(tensors, wanted);
    return [...named.keys()].filter((name) => wanted.has(name)).length / wanted.size;
  };
  return candidates.reduce((best, model) => (share(model) > share(best) ? model : best));
}

/** By the channels of the first convolution that has 64 at a width of 1. */
function widthOf(tensors: readonly NamedTensor[], model: Model): number {
  const network = networkOf(model);
  const first = network.layers.find((layer) => layer.kind === 'conv' && layer.shape[0] === 64);
  if (first?.kind !== 'conv') return 1;
  const own = readNames(tensors, tensorsOf(network)).named.get(`${first.name}.weight`);
  const width = (own?.shape[0] ?? 64) / 64;
  return width >= 1 / 64 && width <= 8 ? width : 1;
}

/** C3D of 2015 has biases in the place of BatchNorm. */
function hasBias(tensors: readonly NamedTensor[], arch: string): boolean {
  return arch === 'c3d' && tensors.some(({ name }) => name.endsWith('conv1.bias'));
}
