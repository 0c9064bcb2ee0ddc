/** The files for Slurm and Kubernetes are what they say they are, and name commands and options that there are. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { parseAllDocuments } from 'yaml';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const folder = join(root, 'docs/scaling');
const files = readdirSync(folder);
const help = (command: string) =>
  spawnSync(process.execPath, [join(root, 'dist/esm/cli/main.js'), command, '--help'], { encoding: 'utf8' })
    .stdout;

test('there are files for both', (t) => {
  t.true(files.some((name) => name.endsWith('.sbatch')));
  t.true(files.some((name) => name.endsWith('.yaml')));
});

for (const name of files) {
  const text = readFileSync(join(folder, name), 'utf8');
  test(`${name} can be read`, (t) => {
    if (name.endsWith('.sbatch')) {
      t.is(spawnSync('bash', ['-n'], { input: text, encoding: 'utf8' }).stderr, '');
      t.regex(text, /^#!\/bin\/bash\n/);
    } else {
      for (const document of parseAllDocuments(text)) {
        t.deepEqual(document.errors, []);
        const { kind, apiVersion, metadata } = document.toJS();
        for (const value of [kind, apiVersion, metadata.name]) t.is(typeof value, 'string');
      }
    }
  });
  test(`the options in ${name} are those of the command`, (t) => {
    const command = /vssl-native[,]? (\w+)/.exec(text)![1]!;
    const said = help(command);
    for (const [, option] of text.matchAll(/[ [](--(?:config|data|out|weights|shard|ranks)[\w-]*)/g))
      t.true(said.includes(option!), option);
  });
}
