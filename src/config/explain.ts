import type { z } from 'zod';
import { VsslError } from '../errors.js';
import { didYouMean, nearestName } from '../spelling.js';
import { choicesOf, describeNode, keysOf, type Node, schemaNode } from './json-schema.js';
import { readRaw } from './raw.js';

/**
 * The first problem that zod found as an error that teaches: the key, what was expected, what came, and the nearest
 * valid name. `originOf` says which file or option a key came from.
 */
export function explainIssues(
  schema: z.ZodType,
  error: z.ZodError,
  value: unknown,
  originOf: (path: readonly PropertyKey[]) => string | undefined,
): VsslError {
  const root = schemaNode(schema);
  // A misspelt key explains a missing one, so it is told first.
  const issue =
    error.issues.find((i) => i.code === 'unrecognized_keys') ?? (error.issues[0] as z.core.$ZodIssue);
  if (issue.code === 'unrecognized_keys') {
    const path = [...issue.path, issue.keys[0] as string];
    return tell(path, originOf(path), `unknown key${suggestKey(root, path)}`);
  }
  const inner = deepestIssue(issue);
  const node = nodeAt(root, inner.path);
  const received = readRaw(value, inner.path);
  if (inner.code === 'unrecognized_keys') {
    const path = [...inner.path, inner.keys[0] as string];
    return tell(path, originOf(path), `unknown key${suggestKey(root, path)}`);
  }
  const expected = inner.code === 'custom' ? inner.message : `expected ${describeNode(node)}`;
  const words = choicesOf(node);
  const hint = typeof received === 'string' ? didYouMean(received, words) : '';
  return tell(inner.path, originOf(inner.path), `${expected} but got ${describeValue(received)}${hint}`);
}

/** 'train.batch' */
export function joinPath(path: readonly PropertyKey[]): string {
  return path.map(String).join('.');
}

function tell(path: readonly PropertyKey[], origin: string | undefined, message: string): VsslError {
  const key = joinPath(path);
  const where = origin === undefined ? '' : ` (${origin})`;
  return new VsslError('ERR_VSSL_CONFIG', `config key '${key}'${where}: ${message}`, {
    details: { key, ...(origin === undefined ? {} : { origin }) },
  });
}

/** An issue inside a union: that of the branch which agrees with the value the furthest. */
function deepestIssue(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== 'invalid_union') return issue;
  let best: z.core.$ZodIssue | undefined;
  for (const branch of issue.errors) {
    const first = branch[0];
    if (first === undefined) continue;
    const inner = deepestIssue({ ...first, path: [...issue.path, ...first.path] } as z.core.$ZodIssue);
    const deeper = inner.path.length > issue.path.length || inner.code === 'unrecognized_keys';
    if (deeper && (best === undefined || inner.path.length > best.path.length)) best = inner;
  }
  return best ?? issue;
}

function nodeAt(root: Node, path: readonly PropertyKey[]): Node {
  let node: Node = root;
  for (const key of path) {
    const options = [node, ...(node.anyOf ?? [])];
    let next: Node | undefined;
    for (const option of options) {
      if (typeof key === 'number') next ??= option.prefixItems?.[key] ?? option.items;
      else next ??= option.properties?.[String(key)];
    }
    if (next === undefined) return {};
    node = next;
  }
  return node;
}

/** Every path of the schema, for finding a key that stands in another section. */
function allPaths(node: Node, prefix: readonly string[] = []): string[][] {
  const paths: string[][] = [];
  for (const option of [node, ...(node.anyOf ?? [])]) {
    for (const [key, child] of Object.entries(option.properties ?? {})) {
      paths.push([...prefix, key], ...allPaths(child, [...prefix, key]));
    }
  }
  return paths;
}

function suggestKey(root: Node, path: readonly PropertyKey[]): string {
  const name = String(path[path.length - 1]);
  const section = path.slice(0, -1);
  const siblings = keysOf(nodeAt(root, section));
  const near = nearestName(name, siblings);
  if (near !== undefined) return `; did you mean '${joinPath([...section, near])}'?`;
  const elsewhere = allPaths(root).filter((p) => p[p.length - 1] === name);
  if (elsewhere.length === 1) return `; did you mean '${joinPath(elsewhere[0] as string[])}'?`;
  if (elsewhere.length > 1)
    return `; did you mean one of ${elsewhere.map((p) => `'${joinPath(p)}'`).join(', ')}?`;
  if (siblings.length === 0) return '';
  return `; valid here: ${siblings.join(', ')}`;
}

function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (typeof value === 'string') return `'${value}'`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object') return 'keys and values';
  return String(value);
}
