import type { Precision } from '../embed/encoder-options.js';

/** Of an encoder that is evaluated, where nothing is said: its numbers are compared, so it is the same on every processor. */
export const EVALUATION_PRECISION: Precision = 'fp32';
