/** 'vssl-native/kernels': the kernels alone. Needs no libtorch and no FFmpeg. */

export { VsslError, type VsslErrorCode } from '../errors.js';
export type { Floats, Indices } from '../native/bindings.js';
export type { Precision } from './arguments.js';
export type { Clip } from './clip-arguments.js';
export type { DctOptions } from './dct.js';
export { dct, dctAsync } from './dct.js';
export type { DctMotionOptions, MotionOutput } from './dct-motion.js';
export { dctMotion, dctMotionAsync } from './dct-motion.js';
export { emaUpdate, emaUpdateAsync } from './ema-update.js';
export type { FrameDifferenceOptions } from './frame-difference.js';
export { frameDifference, frameDifferenceAsync } from './frame-difference.js';
export type {
  InfoNceOptions,
  InfoNceResult,
  MomentumQueueOptions,
  MomentumQueueState,
} from './momentum-queue.js';
export { MomentumQueue } from './momentum-queue.js';
export type { NtXentOptions, NtXentResult } from './nt-xent.js';
export { ntXent, ntXentAsync } from './nt-xent.js';
export type { DotRows, RowType, TopkDotOptions, TopkDotResult } from './topk-dot.js';
export { topkDot, topkDotAsync } from './topk-dot.js';
