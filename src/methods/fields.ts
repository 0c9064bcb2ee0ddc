/** Options that several methods have, in the ranges that the engine takes. */
import { between } from '../config/fields.js';

export const temperature = between(1e-3, 1e3).describe(
  'Divides similarities before the softmax: the smaller, the more the hardest negatives count',
);

/** What stands before a loss in a sum; 0: it is not computed. */
export const lossWeight = between(0, 1e6);

/** What stands before the only loss. */
export const lossScale = between(1e-6, 1e6);
