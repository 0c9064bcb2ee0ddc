/** 'vssl-native/kernels': the kernels alone. Needs no libtorch and no FFmpeg. */
export type {
  InfoNceOptions,
  InfoNceResult,
  MomentumQueueOptions,
  MomentumQueueState,
} from './momentum-queue.js';
export { MomentumQueue } from './momentum-queue.js';
export type { NtXentOptions, NtXentResult, Precision } from './nt-xent.js';
export { ntXent, ntXentAsync } from './nt-xent.js';
