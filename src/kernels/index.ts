/** 'vssl-native/kernels': the kernels alone. Needs no libtorch and no FFmpeg. */
export type { NtXentOptions, NtXentResult, Precision } from './nt-xent.js';
export { ntXent, ntXentAsync } from './nt-xent.js';
