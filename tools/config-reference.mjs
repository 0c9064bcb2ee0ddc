// Writes docs/configuration.md from the schema: every key, what it takes, its default and what it means.
// node tools/config-reference.mjs, after npm run build:ts; a test says when the page is not what it would write.
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeConfig, describeKeys } from '../dist/esm/config/describe.js';
import { METHODS } from '../dist/esm/methods/registry.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const HEAD = `# Configuration

<!-- Written by tools/config-reference.mjs from the schema; change the schema's words, not this page. -->

A run is described by one configuration, a YAML or JSON file. \`npx vssl-native init --data videos/\` writes one for your videos, with
comments; \`npx vssl-native presets NAME\` prints that of a preset.

\`\`\`yaml
extends: cvrl-tiny              # the preset that these settings are laid over; or 'method: cvrl' and no preset
data:
  path: videos/
  clip: { frames: 8, size: 64 }
train:
  steps: 300
  optimizer: { lr: 1e-3 }
cvrl:                           # the method's own options
  temperature: 0.2
\`\`\`

\`\`\`sh
npx vssl-native train --config run.yaml --out run --set train.optimizer.lr=3e-3
\`\`\`

- What counts: the preset, then the file, then \`--set key=value\`; flags with a name of their own (\`--data\`, \`--seed\`) come last.
- A key that there is not, a key that stands twice and a value of the wrong kind are errors that name the key, where it came from and the
  nearest valid one, before anything is trained.
- A length can be given in epochs or in steps; setting one unsets the other. The same holds for the warm-up.
- The whole configuration of a run, defaults included, is in its \`config.json\`, which \`--config\` takes as well.
- For editors: \`configJsonSchema()\` of the source gives a JSON Schema.
- In TypeScript the same object is a \`TrainConfig\`: \`train({ extends: 'cvrl-tiny', data: { path: 'videos/' }, out: 'run' })\`.

\`extends\` names a preset and stands beside the keys below. A dash in the column of defaults: the key has to be given, or stands for
nothing when it is left out.
`;

/** Text in a cell of a table. */
const cell = (text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** A section of which there is nothing to say shows in the names of its keys. */
const saysSomething = ({ isSection, values, description }) =>
  !isSection || values.includes('null') || description !== '';

const table = (keys) =>
  [
    '| key | takes | default | meaning |',
    '| --- | --- | --- | --- |',
    ...keys.filter(saysSomething).map(({ key, isSection, values, default: fallback, description }) => {
      const shown = fallback === undefined ? (isSection ? '' : '-') : `\`${JSON.stringify(fallback)}\``;
      return `| \`${key}\` | ${cell(values)} | ${cell(shown)} | ${cell(description)} |`;
    }),
  ].join('\n');

/** The keys of a section, under a heading of its own. */
function sections(keys) {
  const top = keys.filter(({ key, isSection }) => !key.includes('.') && !isSection);
  const parts = keys.filter(({ key, isSection }) => !key.includes('.') && isSection);
  return [
    ['## At the top', table(top)].join('\n\n'),
    ...parts.map(({ key, description }) =>
      [`## ${key}`, `${description}.`, table(keys.filter((one) => one.key.startsWith(`${key}.`)))].join(
        '\n\n',
      ),
    ),
  ];
}

/** `a.b: value` for every value that is no section. */
function leaves(config, prefix = '') {
  return Object.entries(config).flatMap(([name, value]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? leaves(value, `${prefix}${name}.`)
      : [`\`${prefix}${name}: ${JSON.stringify(value)}\``],
  );
}

function method({ name, title, description, configSchema, defaults, presets }) {
  const other = leaves(defaults);
  return [
    `## ${name}`,
    `${title}: ${description}`,
    `Presets: ${presets.map((preset) => `\`${preset.name}\` (${preset.description})`).join('; ')}.`,
    ...(other.length > 0 ? [`Defaults of other keys that are its own: ${other.join(', ')}.`] : []),
    table(describeKeys(configSchema, name)),
  ].join('\n\n');
}

export function configurationPage() {
  const methods = [
    '# Options of the methods',
    "Each method has a section under its own name; those of another method than the configuration's are errors.",
  ].join('\n\n');
  return `${[HEAD.trimEnd(), ...sections(describeConfig()), methods, ...METHODS.map(method)].join('\n\n')}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(join(root, 'docs/configuration.md'), configurationPage());
