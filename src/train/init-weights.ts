/** Weights that a new run begins with in the place of random ones: of an encoder file, or of another library. */
import type { ResolvedConfig } from '../config/schema.js';
import { VsslError } from '../errors.js';
import { adoptWeights } from '../exchange/adopt.js';
import { checkTensors } from '../exchange/fit-tensors.js';
import { readForeignTensors } from '../exchange/read-tensors.js';
import type { NamedTensor, NativeSession } from '../native/bindings.js';
import { readEncoderFile } from '../weights/encoder-file.js';

export interface InitWeights {
  readonly path: string;
  readonly model: { readonly arch: string; readonly width: number };
  readonly tensors: readonly NamedTensor[];
  /** What a user should know of them. */
  readonly warnings: readonly string[];
}

/**
 * Weights of other libraries are given the names and shapes of the run's own network. Throws what readEncoderFile,
 * readForeignTensors and adoptWeights throw.
 */
export async function readInitWeights(path: string, config: ResolvedConfig): Promise<InitWeights> {
  const foreign = await readForeignTensors(path);
  if (!foreign) {
    const { description, tensors } = await readEncoderFile(path);
    return { path, model: description.model, tensors, warnings: [] };
  }
  const { model, data } = config;
  const { tensors, map, inflated } = adoptWeights(path, foreign, model);
  const { mean, std } = map.usual;
  const warnings: string[] = [];
  if (inflated > 0)
    warnings.push(`${path}: ${inflated} kernels of ${map.what} were given more frames for ${model.arch}`);
  if (`${mean} ${std}` !== `${data.normalize.mean} ${data.normalize.std}`)
    warnings.push(
      `${path}: ${map.what} are usually given pixels with data.normalize.mean [${mean}] and data.normalize.std [${std}]; ` +
        `this run has [${data.normalize.mean}] and [${data.normalize.std}]`,
    );
  return { path, model, tensors, warnings };
}

/**
 * Loads them into an encoder of the session and its momentum copies. Throws ERR_VSSL_WEIGHTS, with what is nearest, when
 * they are of another architecture or have other names or shapes.
 */
export async function loadInitWeights(
  session: NativeSession,
  encoder: string,
  { path, model, tensors }: InitWeights,
): Promise<void> {
  const refuse = (why: string) =>
    new VsslError('ERR_VSSL_WEIGHTS', `${path} cannot begin the encoder '${encoder}' of this run: ${why}`, {
      details: { path, encoder },
    });
  const expected = session.encoderSpec(encoder);
  if (model.arch !== expected.arch || model.width !== expected.width)
    throw refuse(
      `expected ${expected.arch} of width ${expected.width}, but it is ${model.arch} of width ${model.width}; ` +
        `set model.arch and model.width to these, or take another file`,
    );
  const wanted = new Map((await session.exportEncoder(encoder)).map((tensor) => [tensor.name, tensor]));
  checkTensors(tensors, wanted, refuse);
  await session.loadWeights(encoder, tensors);
}
