/** What fields of a configuration are made of; each has a default, or takes one with `.default()`. */
import { z } from 'zod';

/** A whole number from `low` to `high`, both included. */
export function whole(low: number, high?: number) {
  const least = z.int().min(low);
  return high === undefined ? least : least.max(high);
}

/** A number from `low` to `high`, both included. */
export const between = (low: number, high: number) => z.number().min(low).max(high);

export const flag = (fallback: boolean) => z.boolean().default(fallback);

/** One of `values`. */
export function choice<const Values extends readonly string[]>(values: Values, fallback: Values[number]) {
  return z.enum(values).default(fallback as never);
}

/** 'auto', or what the schema takes; 'auto' when nothing is said. */
export function auto<Schema extends z.ZodType>(schema: Schema) {
  return z.union([z.literal('auto'), schema]).default('auto' as never);
}

/** null, or what the schema takes; null when nothing is said. */
export function orNull<Schema extends z.ZodType>(schema: Schema) {
  return schema.nullable().default(null as never);
}

/** Fields under one key, which may be left out. */
export function group<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape).prefault({} as never);
}
