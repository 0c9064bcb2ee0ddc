/** What is predicted beside a contrast: one list of heads says it to the planner and to the engine. */
import { whole } from '../config/fields.js';
import type { ViewPlan } from '../data/views.js';

/** A head that reads the features of a sample's two clips and predicts what the planner knows of them. */
export interface Prediction {
  /** Of the head, of the view that holds its targets, and of its loss. */
  readonly name: string;
  /** pair: the features of both clips side by side give one answer. each: every clip gives one. */
  readonly input: 'pair' | 'each';
  /** From 2: a class, by cross-entropy. 0: a number, by smooth L1. */
  readonly classes: number;
  /** Factor of its loss; a head of weight 0 is left out. */
  readonly weight: number;
}

/** Width of the hidden layer of such heads; 0 for the engine: the width of what the head reads. */
export const hiddenWidth = whole(0, 65536).default(0);

/** Heads that count. */
export const weighted = (heads: readonly Prediction[]) => heads.filter(({ weight }) => weight > 0);

/** The list as the engine takes it. */
export function nativePredictions(heads: readonly Prediction[], hidden: number) {
  return { predictions: weighted(heads).map((head) => ({ ...head })), predictionHidden: hidden };
}

/**
 * Targets of a sample, by the heads' names: of `pair` one value, of `each` two. A sample without a target of some head
 * (null) has no such view, and the head learns nothing of it.
 */
export function targetsOf(
  heads: readonly Prediction[],
  values: Readonly<Record<string, readonly number[] | null>>,
): ViewPlan[] {
  return weighted(heads).flatMap(({ name, input, classes }): ViewPlan[] => {
    const target = values[name] ?? null;
    if (target === null) return [];
    const dtype = classes > 0 ? 'int64' : 'float32';
    return [{ name, dtype, shape: [input === 'pair' ? 1 : 2], values: target }];
  });
}

/** The class of a number of [low, high] among `classes` equal parts. */
export function binOf(value: number, low: number, high: number, classes: number): number {
  return Math.min(classes - 1, Math.max(0, Math.floor(((value - low) / (high - low)) * classes)));
}
