import { z } from 'zod';
import type { Claim, Method, Paper } from '../methods/method.js';
import { getMethod, listMethods } from '../methods/registry.js';
import { formatTable } from './table.js';

/** One option of a method, as its configuration slice has it. */
export interface OptionDescription {
  /** Path in a configuration, such as `cvrl.head.dim`. */
  readonly key: string;
  readonly default: unknown;
  /** Type or allowed values. */
  readonly values: string;
  readonly description: string;
}

export interface MethodDescription {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly paper?: Paper | undefined;
  readonly options: readonly OptionDescription[];
  readonly claims: readonly Claim[];
}

/** All methods, or the one of that name. Throws ERR_VSSL_INVALID_ARGUMENT for a name that is none. */
export function describeMethods(name?: string): MethodDescription[] {
  const methods = name === undefined ? listMethods() : [getMethod(name)];
  return methods.map(describe);
}

export function formatMethodList(methods: readonly MethodDescription[]): string {
  return formatTable(
    [{ title: 'method' }, { title: 'paper' }, { title: 'what it does' }],
    methods.map(({ name, paper, description }) => [
      name,
      paper ? `${paper.venue}, arXiv ${paper.arxiv}` : '-',
      description,
    ]),
  );
}

export function formatMethod({ title, description, paper, options, claims }: MethodDescription): string {
  const optionRows = options.map((o) => [o.key, JSON.stringify(o.default) ?? '-', o.values, o.description]);
  return [
    paper ? `${title}: ${paper.title} (${paper.authors}; ${paper.venue}; arXiv ${paper.arxiv})` : title,
    description,
    '',
    formatTable([{ title: 'option' }, { title: 'default' }, { title: 'values' }, { title: '' }], optionRows),
    '',
    claims.length === 0 ? 'It makes no claim.' : 'What its paper claims:',
    ...claims.map((c) => `  ${c.name}: ${c.statement} (${c.source})`),
  ].join('\n');
}

function describe(method: Method): MethodDescription {
  const { name, title, description, paper, claims } = method;
  const schema = z.toJSONSchema(method.configSchema, { io: 'input' }) as JsonSchema;
  return { name, title, description, paper, options: flatten(schema, name), claims };
}

interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly default?: unknown;
  readonly description?: string;
}

function flatten(schema: JsonSchema, key: string): OptionDescription[] {
  if (schema.properties)
    return Object.entries(schema.properties).flatMap(([name, entry]) => flatten(entry, `${key}.${name}`));
  return [{ key, default: schema.default, values: valuesOf(schema), description: schema.description ?? '' }];
}

function valuesOf(schema: JsonSchema): string {
  if (schema.enum) return schema.enum.join(' | ');
  if (schema.anyOf) return schema.anyOf.map(valuesOf).join(' | ');
  return Array.isArray(schema.type) ? schema.type.join(' | ') : String(schema.type ?? 'any');
}
