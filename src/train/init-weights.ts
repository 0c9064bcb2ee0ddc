/** Weights that a new run begins with in the place of random ones: those of an encoder file. */
import { VsslError } from '../errors.js';
import type { NamedTensor, NativeSession } from '../native/bindings.js';
import { didYouMean } from '../spelling.js';
import { type EncoderFile, readEncoderFile } from '../weights/encoder-file.js';

export interface InitWeights extends EncoderFile {
  readonly path: string;
}

/** Throws what readEncoderFile throws. */
export async function readInitWeights(path: string): Promise<InitWeights> {
  return { path, ...(await readEncoderFile(path)) };
}

/**
 * Loads them into an encoder of the session and its momentum copies. Throws ERR_VSSL_WEIGHTS, with what is nearest, when
 * they are of another architecture or have other names or shapes.
 */
export async function loadInitWeights(
  session: NativeSession,
  encoder: string,
  { path, description, tensors }: InitWeights,
): Promise<void> {
  const refuse = (why: string) => {
    throw new VsslError(
      'ERR_VSSL_WEIGHTS',
      `${path} cannot begin the encoder '${encoder}' of this run: ${why}`,
      {
        details: { path, encoder },
      },
    );
  };
  const expected = session.encoderSpec(encoder);
  const { model } = description;
  if (model.arch !== expected.arch || model.width !== expected.width)
    refuse(
      `expected ${expected.arch} of width ${expected.width}, but it is ${model.arch} of width ${model.width}; ` +
        `set model.arch and model.width to these, or take another file`,
    );
  const wanted = new Map(
    (await session.exportEncoder(encoder)).map((tensor) => [tensor.name, formOf(tensor)]),
  );
  const found = new Map(tensors.map((tensor) => [tensor.name, formOf(tensor)]));
  const foreign = [...found.keys()].filter((name) => !wanted.has(name));
  for (const [name, form] of wanted) {
    const own = found.get(name);
    if (own === undefined) refuse(`it has no tensor '${name}'${didYouMean(name, foreign)}`);
    if (own !== form) refuse(`expected ${form} for its tensor '${name}', but it is ${own}`);
  }
  if (foreign.length > 0)
    refuse(`the encoder has no tensor '${foreign[0]}'${didYouMean(foreign[0]!, [...wanted.keys()])}`);
  await session.loadWeights(encoder, tensors);
}

function formOf({ dtype, shape }: NamedTensor): string {
  return `${dtype} [${shape.join(', ')}]`;
}
