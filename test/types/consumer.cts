// Compiled, never run: the package as a CommonJS module with types.
import vssl = require('vssl-native');
import kernels = require('vssl-native/kernels');

export async function use(): Promise<number> {
  const encoder: vssl.VideoEncoder = await vssl.VideoEncoder.create({ arch: 'r3d_18' });
  const vector = await encoder.embed('clip.mp4');
  await encoder.dispose();
  const { loss } = kernels.ntXent(vector, { rows: 2, dim: vector.length / 2 });
  const error: vssl.VsslError = new vssl.VsslError('ERR_VSSL_USAGE', 'wrong');
  // @ts-expect-error: codes have a prefix
  new vssl.VsslError('wrong', 'wrong');
  return loss + error.message.length;
}
