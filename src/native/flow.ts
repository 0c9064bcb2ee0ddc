import { VsslError } from '../errors.js';
import type { EngineAddon } from './bindings.js';

/** ERR_VSSL_NO_FLOW, where `info().flowVersion` is ''. `instead`: the way without flow. */
export function noFlow(engine: Pick<EngineAddon, 'info'>, instead: string): VsslError {
  return new VsslError(
    'ERR_VSSL_NO_FLOW',
    `optical flow is not available (${engine.info().flowFault}); install OpenCV's video module (on Debian: apt-get ` +
      `install libopencv-video-dev) and run 'npx vssl-native build', or ${instead}`,
  );
}
