/** Every key of a configuration in words: what it takes, its default, what it means. */
import type { z } from 'zod';
import { describeNode, type Node, schemaNode } from './json-schema.js';
import { baseConfigSchema } from './schema.js';

export interface KeyDescription {
  /** Path in a configuration, such as `train.optimizer.lr`. */
  readonly key: string;
  /** A section has keys of its own below it; it may be null all the same. */
  readonly isSection: boolean;
  /** undefined where the key has to be given, or where it stands for nothing when it is left out. */
  readonly default: unknown;
  /** Type or allowed values. */
  readonly values: string;
  readonly description: string;
}

/** Keys of every configuration: all but the method's own. */
export function describeConfig(): KeyDescription[] {
  return describeKeys(baseConfigSchema);
}

/** Keys of a schema in its order, each below `prefix`. */
export function describeKeys(schema: z.ZodType, prefix = ''): KeyDescription[] {
  return Object.entries(schemaNode(schema).properties ?? {}).flatMap(([name, node]) =>
    flatten(node, prefix === '' ? name : `${prefix}.${name}`),
  );
}

function flatten(node: Node, key: string): KeyDescription[] {
  const section = [node, ...(node.anyOf ?? [])].find(({ properties }) => properties);
  const own: KeyDescription = {
    key,
    isSection: section !== undefined,
    default: section ? undefined : node.default,
    values: section ? (node.anyOf ? 'keys and values, or null' : 'keys and values') : describeNode(node),
    description: node.description ?? '',
  };
  const below = Object.entries(section?.properties ?? {});
  return [own, ...below.flatMap(([name, child]) => flatten(child, `${key}.${name}`))];
}
