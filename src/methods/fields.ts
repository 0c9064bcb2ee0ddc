/** Options that several methods have, in the ranges that the engine takes. */
import { z } from 'zod';

export const temperature = z.number().min(1e-3).max(1e3);

/** What stands before a loss in a sum; 0: it is not computed. */
export const lossWeight = z.number().min(0).max(1e6);

/** What stands before the only loss. */
export const lossScale = z.number().min(1e-6).max(1e6);
