/** Kernels of pictures, or of few frames, as kernels of more frames. */
import type { NamedTensor } from '../native/bindings.js';

/**
 * How a kernel gets longer in time. `mean`: each frame gets its share of it, so that a still clip gives what the picture
 * gave (Carreira and Zisserman, CVPR 2017). `centre`: the middle gets it all, so that at first each frame is seen alone.
 * Kernels of several frames are always put in the middle.
 */
export type Inflation = 'mean' | 'centre';

/**
 * F32 (out, in, H, W) or (out, in, t, H, W) as `shape`, (out, in, T, H, W); null when it differs in more than time, or
 * time gets shorter.
 */
export function inflate(
  tensor: NamedTensor,
  shape: readonly number[],
  how: Inflation,
): { readonly tensor: NamedTensor; readonly inflated: boolean } | null {
  const form = tensor.shape.length === 4 ? tensor.shape.toSpliced(2, 0, 1) : tensor.shape;
  if (shape.length !== 5 || form.length !== 5) return null;
  const [from, to] = [form[2] as number, shape[2] as number];
  if (form.toSpliced(2, 1).join() !== shape.toSpliced(2, 1).join() || from > to || (to - from) % 2 === 1)
    return null;
  if (from === to) return { tensor: { ...tensor, shape }, inflated: false };
  const area = (shape[3] as number) * (shape[4] as number);
  const source = new Float32Array(new Uint8Array(tensor.data).buffer);
  const target = new Float32Array((source.length / from) * to);
  const spread = how === 'mean' && from === 1;
  const before = (to - from) / 2;
  for (let kernel = 0; kernel < source.length / (from * area); kernel++) {
    const old = source.subarray(kernel * from * area, (kernel + 1) * from * area);
    const own = target.subarray(kernel * to * area, (kernel + 1) * to * area);
    if (!spread) own.set(old, before * area);
    else for (let i = 0; i < own.length; i++) own[i] = (old[i % area] as number) / to;
  }
  return { tensor: { ...tensor, shape, data: new Uint8Array(target.buffer) }, inflated: true };
}
