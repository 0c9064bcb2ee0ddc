// The reference of the configuration: every key says what it means, and docs/configuration.md is what the schema says.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { describeConfig, describeKeys } from '#src/config/describe.js';
import { listMethods } from '#src/methods/registry.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const keys = [
  ...describeConfig(),
  ...listMethods().flatMap(({ name, configSchema }) => describeKeys(configSchema, name)),
];

test('every key has a meaning', (t) => {
  t.true(keys.length > 150, `${keys.length} keys`);
  t.deepEqual(
    keys.filter(({ isSection, description }) => !isSection && description === '').map(({ key }) => key),
    [],
  );
});

test('keys, types and defaults, those of nested and nullable sections too', (t) => {
  const of = (name: string) => keys.find(({ key }) => key === name);
  t.like(of('train.optimizer.lr'), { default: 0.32, values: 'a number > 0', isSection: false });
  t.like(of('data.augment.crop'), { isSection: true, values: 'keys and values, or null' });
  t.like(of('data.augment.crop.area'), { default: [0.3, 1], values: 'a list of 2 values' });
  t.like(of('data.workers'), { default: 'auto', values: "'auto' or a whole number >= 1 and <= 1024" });
  t.like(of('train.optimizer.name'), { default: 'sgd', values: 'one of sgd, lars, adamw' });
  t.like(of('method'), { default: undefined, values: 'text' });
  t.like(of('cvrl.head.hiddenDim'), { default: 'auto' });
});

test('docs/configuration.md is up to date', async (t) => {
  const { configurationPage } = (await import(join(root, 'tools/config-reference.mjs'))) as {
    configurationPage(): string;
  };
  t.is(
    readFileSync(join(root, 'docs/configuration.md'), 'utf8'),
    configurationPage(),
    'node tools/config-reference.mjs writes it anew',
  );
});
