// The union of error codes is what the sources throw, and docs/errors.md says what each means.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { ERROR_CODES, type VsslErrorCode } from '#src/error-codes.js';
import { exitCodeOf, VsslError } from '#src/errors.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const codes = Object.keys(ERROR_CODES) as VsslErrorCode[];

/** Codes in the sources; a name that ends in `_`, or that others begin with, is a family and no code. */
function codesIn(folder: string, skip: RegExp): Set<string> {
  const found = new Set<string>();
  for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
    if (!/\.(ts|mjs|cjs|cpp|h|inl|cu|cuh)$/.test(name) || skip.test(name)) continue;
    for (const [code] of readFileSync(join(root, folder, name), 'utf8').matchAll(/ERR_VSSL_\w*/g))
      if (!code.endsWith('_')) found.add(code);
  }
  found.delete('ERR_VSSL_VIDEO'); // the family, where code begins with it
  return found;
}

test('every code in the sources is in the union, and every one of the union in the sources', (t) => {
  const found = new Set([
    ...codesIn('src', /^error-codes\.ts$/),
    ...codesIn('native', /^tests\/|_(emulated|emulator)/),
    ...codesIn('tools', /^$/),
  ]);
  t.true(found.size > 30);
  t.deepEqual([...found].sort(), [...codes].sort());
});

test('docs/errors.md has a row for each, with its exit code and meaning', (t) => {
  const source = readFileSync(join(root, 'src/error-codes.ts'), 'utf8');
  const meant = [...source.matchAll(/\/\*\* (.*?) \*\/\n {2}(ERR_VSSL_\w+): (\d+),/g)].map(
    ([, what, code, exit]) => `${code} ${exit} ${what}`,
  );
  t.deepEqual(
    meant.map((row) => row.split(' ')[0]),
    codes,
  );
  const page = readFileSync(join(root, 'docs/errors.md'), 'utf8');
  const told = [...page.matchAll(/^\| `(ERR_VSSL_\w+)` *\| *(\d+) \| (.*?) *\|$/gm)].map(
    ([, code, exit, what]) => `${code} ${exit} ${what}`,
  );
  t.deepEqual(told, meant);
});

test('an error that is not in the table ends the command line with 1', (t) => {
  for (const code of codes) t.is(exitCodeOf(new VsslError(code, 'x')), ERROR_CODES[code]);
  t.is(exitCodeOf(new VsslError('ERR_VSSL_NEWER' as never, 'x')), 1);
  t.is(exitCodeOf(new Error('x')), 1);
});
