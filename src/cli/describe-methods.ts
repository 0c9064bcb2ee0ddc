import { describeKeys, type KeyDescription } from '../config/describe.js';
import type { Claim, Method, Paper } from '../methods/method.js';
import { getMethod, listMethods } from '../methods/registry.js';
import { formatTable } from './table.js';

export interface MethodDescription {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly paper?: Paper | undefined;
  /** Of its slice of the configuration. */
  readonly options: readonly Pick<KeyDescription, 'key' | 'default' | 'values' | 'description'>[];
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
  const options = describeKeys(method.configSchema, name)
    .filter(({ isSection }) => !isSection)
    .map(({ isSection: _, ...option }) => option);
  return { name, title, description, paper, options, claims };
}
