/** Whether tensors are those that a network takes, and what is nearest where they are not. */
import type { VsslError } from '../errors.js';
import type { NamedTensor } from '../native/bindings.js';
import { didYouMean } from '../spelling.js';

/** Form of a tensor. */
export type TensorForm = Pick<NamedTensor, 'dtype' | 'shape'>;

/** `F32 [64, 3, 3, 7, 7]` */
export function formOf({ dtype, shape }: TensorForm): string {
  return `${dtype} [${shape.join(', ')}]`;
}

/** Throws `refuse(why)` unless the tensors have just these names and forms. */
export function checkTensors(
  tensors: readonly NamedTensor[],
  wanted: ReadonlyMap<string, TensorForm>,
  refuse: (why: string) => VsslError,
): void {
  const found = new Map(tensors.map((tensor) => [tensor.name, formOf(tensor)]));
  const foreign = [...found.keys()].filter((name) => !wanted.has(name));
  for (const [name, form] of wanted) {
    const own = found.get(name);
    if (own === undefined) throw refuse(`it has no tensor '${name}'${didYouMean(name, foreign)}`);
    if (own !== formOf(form))
      throw refuse(`expected ${formOf(form)} for its tensor '${name}', but it is ${own}`);
  }
  const [odd] = foreign;
  if (odd !== undefined)
    throw refuse(`the encoder has no tensor '${odd}'${didYouMean(odd, [...wanted.keys()])}`);
}
