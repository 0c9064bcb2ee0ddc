import type { KernelCase } from '../case.js';
import { clipCases } from './clips.js';
import { emaUpdateCases } from './ema-update.js';
import { momentumQueueCases } from './momentum-queue.js';
import { ntXentCases } from './nt-xent.js';
import { topkDotCases } from './topk-dot.js';

/** Every case: what the test verifies in its small size is what the command verifies and times in its own. */
export const benchCases: readonly KernelCase[] = [
  ...ntXentCases,
  ...momentumQueueCases,
  ...clipCases,
  ...emaUpdateCases,
  ...topkDotCases,
];
