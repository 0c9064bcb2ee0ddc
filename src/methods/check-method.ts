/** What is asked of a method before it can be one. */
import { z } from 'zod';
import { baseConfigShape } from '../config/schema.js';
import { VsslError } from '../errors.js';
import { didYouMean } from '../spelling.js';

const text = z.string().min(1);
const callable = z.custom((value) => typeof value === 'function', 'expected a function');
const isConfigKey = (name: string) =>
  name in baseConfigShape || name === 'extends' || name === 'run' || name in {};

const specSchema = z.strictObject({
  name: text
    .regex(/^[a-z][a-z0-9_]*$/, "expected lower-case letters, digits and '_', a letter first")
    .refine((name) => !isConfigKey(name), 'is a key of every configuration; take another name'),
  engine: text.optional(),
  title: text.optional(),
  paper: z.looseObject({ title: text, authors: text, venue: text, arxiv: text }).optional(),
  description: text,
  configSchema: z.custom(
    (value) => typeof (value as z.ZodType | undefined)?.safeParse === 'function',
    'expected a zod schema, such as z.strictObject({ ... })',
  ),
  defaults: z.looseObject({}).optional(),
  check: callable.optional(),
  planViews: callable,
  nativeOptions: callable,
  hyper: callable.optional(),
  least: callable.optional(),
  syncNorm: z.boolean().optional(),
  labels: z.boolean().optional(),
  presets: z
    .array(
      z.looseObject({
        ...{ name: text, description: text, needsGpu: z.boolean().optional() },
        config: z.looseObject({ method: text }),
      }),
    )
    .optional(),
  encoders: z
    .array(z.strictObject({ name: text, format: callable.optional(), when: callable.optional() }))
    .min(1)
    .refine(
      ([first]) => first?.when === undefined,
      'the first is evaluated, so it has no `when`: it is always there',
    )
    .optional(),
  claims: z
    .array(
      z.looseObject({
        ...{ name: text, statement: text, source: text, measure: text },
        relation: z.enum(['better', 'at least as good']).optional(),
        arms: z
          .array(z.looseObject({ name: text, config: z.looseObject({}) }))
          .min(2, 'expected at least two arms, the better one first'),
      }),
    )
    .optional(),
  measures: z.array(z.looseObject({ name: text })).optional(),
});

/** Throws ERR_VSSL_METHOD, naming the key, unless `spec` is what defineMethod takes. */
export function checkSpec(spec: unknown): void {
  const { error } = specSchema.safeParse(spec);
  const name = String((spec as { name?: unknown } | null)?.name);
  // A misspelt key explains a missing one, so it is told first.
  const issue = error?.issues.find(({ code }) => code === 'unrecognized_keys') ?? error?.issues[0];
  if (issue?.code === 'unrecognized_keys') {
    const key = issue.keys[0]!;
    throw methodError(name, key, `unknown key${didYouMean(key, Object.keys(specSchema.shape))}`);
  }
  if (issue) throw methodError(name, issue.path.join('.'), issue.message);
  for (const [i, { config }] of ((spec as z.infer<typeof specSchema>).presets ?? []).entries())
    if (config.method !== name)
      throw methodError(name, `presets.${i}.config.method`, `expected '${name}' but got '${config.method}'`);
}

/** What is wrong with a method: `key` is the part of it. */
export function methodError(method: string, key: string, message: string, file?: string): VsslError {
  const where = file === undefined ? '' : ` (${file})`;
  return new VsslError('ERR_VSSL_METHOD', `method '${method}'${where}: '${key}': ${message}`, {
    details: { method, key, ...(file === undefined ? {} : { file }) },
  });
}
