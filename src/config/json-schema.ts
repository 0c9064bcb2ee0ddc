/** A schema as JSON Schema: what its keys are called, and what each takes, in words. */
import { z } from 'zod';

/** The part of JSON Schema that z.toJSONSchema uses for our schemas. */
export interface Node {
  readonly description?: string;
  readonly default?: unknown;
  readonly type?: string;
  readonly title?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly anyOf?: readonly Node[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly prefixItems?: readonly Node[];
  readonly items?: Node;
}

/** What may be written for a schema. */
export function schemaNode(schema: z.ZodType): Node {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Node;
}

/** Keys of a section, whatever else it may be (null). */
export function keysOf(node: Node): string[] {
  return [node, ...(node.anyOf ?? [])].flatMap((option) => Object.keys(option.properties ?? {}));
}

/** Words that a value may be. */
export function choicesOf(node: Node): string[] {
  const own = [...(node.enum ?? []), ...(node.const === undefined ? [] : [node.const])];
  const all = [...own, ...(node.anyOf ?? []).flatMap(choicesOf)];
  return all.filter((choice): choice is string => typeof choice === 'string');
}

/** What is expected there: 'a whole number >= 1', 'one of sgd, lars, adamw'. */
export function describeNode(node: Node): string {
  if (node.title) return node.title;
  if (node.anyOf) return node.anyOf.map(describeNode).join(' or ');
  if (node.enum) return `one of ${node.enum.map(String).join(', ')}`;
  if (node.const !== undefined)
    return typeof node.const === 'string' ? `'${node.const}'` : String(node.const);
  switch (node.type) {
    case 'integer':
      return `a whole number${describeRange(node)}`;
    case 'number':
      return `a number${describeRange(node)}`;
    case 'boolean':
      return 'true or false';
    case 'string':
      return 'text';
    case 'null':
      return 'null';
    case 'array':
      return node.prefixItems ? `a list of ${node.prefixItems.length} values` : 'a list';
    case 'object':
      return `keys and values (${keysOf(node).join(', ')})`;
    default:
      return 'another value';
  }
}

function describeRange(node: Node): string {
  const parts: string[] = [];
  if (node.minimum !== undefined && node.minimum > Number.MIN_SAFE_INTEGER) parts.push(`>= ${node.minimum}`);
  if (node.exclusiveMinimum !== undefined) parts.push(`> ${node.exclusiveMinimum}`);
  if (node.maximum !== undefined && node.maximum < Number.MAX_SAFE_INTEGER) parts.push(`<= ${node.maximum}`);
  if (node.exclusiveMaximum !== undefined) parts.push(`< ${node.exclusiveMaximum}`);
  return parts.length === 0 ? '' : ` ${parts.join(' and ')}`;
}
