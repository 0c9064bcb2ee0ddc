/** Floats of tensors from one type to another. */
import { floatToHalf, halfToFloat } from '../data/half.js';
import { VsslError } from '../errors.js';
import type { NamedTensor } from '../native/bindings.js';

/** Types of floats that a file of weights may hold; all become F32 where a network is made of them. */
export type FloatType = 'F16' | 'BF16' | 'F32' | 'F64';

/** The value of every half. */
let halves: Float32Array | undefined;

/** The same as F32; as it is when it holds no floats. F64 is rounded. */
export function widen(tensor: NamedTensor): NamedTensor {
  const { dtype, data } = tensor;
  if (dtype !== 'F16' && dtype !== 'BF16' && dtype !== 'F64') return tensor;
  if (dtype === 'F64') return floats(tensor, Float32Array.from(new Float64Array(ownMemory(data))));
  const words = new Uint16Array(ownMemory(data));
  const out = new Float32Array(words.length);
  if (dtype === 'F16') {
    halves ??= Float32Array.from({ length: 2 ** 16 }, (_, half) => halfToFloat(half));
    for (let i = 0; i < words.length; i++) out[i] = halves[words[i] as number] as number;
  } else {
    const bits = new Uint32Array(out.buffer);
    for (let i = 0; i < words.length; i++) bits[i] = (words[i] as number) << 16;
  }
  return floats(tensor, out);
}

/** F32 in half of the bytes, each number rounded to the nearest. Throws ERR_VSSL_WEIGHTS for what F16 cannot hold. */
export function narrow(tensor: NamedTensor, dtype: 'F16' | 'BF16'): NamedTensor {
  const values = new Float32Array(ownMemory(tensor.data));
  const words = new Uint16Array(values.length);
  if (dtype === 'BF16') {
    const bits = new Uint32Array(values.buffer);
    for (let i = 0; i < bits.length; i++) words[i] = toBfloat(bits[i] as number);
  } else {
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      if (Math.abs(value) > 65504)
        throw new VsslError(
          'ERR_VSSL_WEIGHTS',
          `tensor '${tensor.name}' holds ${value}, beyond the 65504 of fp16; take bf16 or fp32`,
          { details: { tensor: tensor.name } },
        );
      words[i] = floatToHalf(value);
    }
  }
  return { ...tensor, dtype, data: new Uint8Array(words.buffer) };
}

/** The upper half of a float's bits, ties to even; NaN stays NaN. */
function toBfloat(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

function floats(tensor: NamedTensor, values: Float32Array): NamedTensor {
  return { ...tensor, dtype: 'F32', data: new Uint8Array(values.buffer as ArrayBuffer) };
}

/** The bytes in memory of their own, in which an array of any type may begin; not copied where they are. */
function ownMemory(data: Uint8Array): ArrayBuffer {
  const isOwn = data.byteOffset === 0 && data.byteLength === data.buffer.byteLength;
  return (isOwn ? data.buffer : new Uint8Array(data).buffer) as ArrayBuffer;
}
