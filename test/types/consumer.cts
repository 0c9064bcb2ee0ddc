// Compiled, never run: the package as a CommonJS module with types.
import vssl = require('vssl-native');
import kernels = require('vssl-native/kernels');
import methods = require('vssl-native/methods');

export async function use(): Promise<number> {
  const encoder: vssl.VideoEncoder = await vssl.VideoEncoder.create({ arch: 'r3d_18' });
  const vector = await encoder.embed('clip.mp4');
  await encoder.dispose();
  const { loss, gradient } = kernels.ntXent(vector, { rows: 2, dim: vector.length / 2 });
  const queue = new kernels.MomentumQueue({ capacity: 1, dim: 1 });
  // what the package makes lies over an ArrayBuffer: APIs that take no shared memory take it
  const made: (Float32Array<ArrayBuffer> | undefined)[] = [
    ...[gradient, queue.keys(), queue.ages, queue.infoNce(vector, vector, { rows: 1 }).gradient],
    ...[kernels.dct(vector, { frames: 1 }), await kernels.dctAsync(vector, { frames: 1 })],
    ...[kernels.dctMotion(vector, { frames: 1 }), kernels.frameDifference(vector, { frames: 1 })],
  ];
  const { indices, scores, k }: kernels.TopkDotResult = kernels.topkDot(vector, vector, { dim: 1, k: 1 });
  made.push(scores);
  const places: Int32Array<ArrayBuffer> = indices;
  const type: kernels.RowType = 'bf16';
  await kernels.topkDotAsync(vector, new Uint16Array(new SharedArrayBuffer(2)), { dim: 1, k, type });
  // @ts-expect-error: no rows of doubles
  kernels.topkDot(vector, new Float64Array(1), { dim: 1, k: 1 });
  void places;
  void made;
  const error: vssl.VsslError = new vssl.VsslError('ERR_VSSL_USAGE', 'wrong');
  // @ts-expect-error: codes have a prefix
  new vssl.VsslError('wrong', 'wrong');
  const clock = methods.clockOf;
  vssl.registerMethod(
    methods.defineMethod({ name: 'toy' } as methods.MethodSpec<'toy', methods.z.ZodType, ''>),
  );
  void clock;
  return loss + error.message.length;
}
