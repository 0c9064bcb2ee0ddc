// Files that the documentation names are there.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
/** But for tests by their room, `examples/watch-folder.test`, which robustness.test looks for. */
const NAMED = /`((?:native|src|test|tools|benchmarks|examples)\/[^`\s]*)(?<!\.test)`/g;

/** A path, in which `*` stands for anything and a word in capitals for a name of one's own. */
function isThere(path: string): boolean {
  const parts = path.replace(/\/$/, '').split('/');
  const open = parts.findIndex((part) => /\*|[A-Z]{4,}/.test(part));
  if (open < 0) return ['', '.ts'].some((end) => existsSync(join(root, parts.join('/') + end)));
  const folder = join(root, ...parts.slice(0, open));
  if (!existsSync(folder)) return false;
  const pattern = parts[open]!.replaceAll('.', '\\.').replaceAll(/\*|[A-Z]{4,}/g, '.*');
  return readdirSync(folder).some((name) => new RegExp(`^${pattern}$`).test(name));
}

test('files that the pages name are there', (t) => {
  const pages = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`);
  const named = ['README.md', ...pages].flatMap((page) =>
    [...readFileSync(join(root, page), 'utf8').matchAll(NAMED)].map(([, path]) => ({ page, path: path! })),
  );
  t.true(named.length > 60, `${named.length}`);
  t.deepEqual(
    named.filter(({ path }) => !isThere(path)),
    [],
  );
});
