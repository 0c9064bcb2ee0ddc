/** docs/robustness.md names the test of each promise: every one it names is there. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const page = readFileSync(join(root, 'docs/robustness.md'), 'utf8');
/** Last cell of each row of the tables. */
const cells = page
  .split('\n')
  .filter((line) => /^\| (?!what may happen|---)/.test(line))
  .map((line) => line.split(' | ').at(-1) ?? '');

test('every row names a test or a command of its own', (t) => {
  t.true(cells.length > 40);
  for (const cell of cells) t.regex(cell, /`[\w/-]+(\.test|_test)`|`npm run test:\w+`/);
});

test('every test that is named exists', (t) => {
  const text = cells.join('\n');
  for (const [, name] of text.matchAll(/`([\w/-]+\.test)`/g))
    t.true(existsSync(join(root, 'test', `${name}.ts`)), name);
  const scripts = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts;
  for (const [, name] of text.matchAll(/`npm run ([\w:]+)`/g)) t.truthy(scripts[name!], name);
});

test('every function of a C++ suite that is named exists', (t) => {
  for (const cell of cells)
    for (const part of cell.split(';')) {
      const suite = /`(\w+_test)`/.exec(part)?.[1];
      if (!suite) continue;
      const source = readFileSync(join(root, 'native/tests', `${suite}.cpp`), 'utf8');
      for (const [name] of part.slice(part.indexOf('›')).matchAll(/test_\w+/g))
        t.regex(source, new RegExp(`\\b${name}\\b`), `${suite} › ${name}`);
    }
});
