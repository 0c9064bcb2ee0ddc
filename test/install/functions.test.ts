// A function is read at one glance: none of src and native is longer than 60 lines.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import ts from 'typescript';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const MOST_LINES = 60;

interface Block {
  /** Its first line, from 1. */
  readonly line: number;
  readonly lines: number;
}

/** Functions, methods and arrows of a TypeScript source, from their first word to their closing brace. */
function typescriptFunctions(source: string): Block[] {
  const file = ts.createSourceFile('source.ts', source, ts.ScriptTarget.Latest);
  const lineOf = (position: number) => file.getLineAndCharacterOfPosition(position).line + 1;
  const found: Block[] = [];
  const visit = (node: ts.Node) => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body) {
      const line = lineOf(node.getStart(file));
      found.push({ line, lines: lineOf(node.end) - line + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/**
 * Functions of a C++ source as clang-format lays it out: a body ends with a brace that stands alone in the column in
 * which its function begins. (Classes end with `};`, and namespaces with a comment.)
 */
function nativeFunctions(source: string): Block[] {
  const lines = source.split('\n');
  return lines.flatMap((end, at) => {
    if (end !== '}' && end !== '  }') return [];
    const head = end === '}' ? /^[A-Za-z_]/ : /^ {2}[A-Za-z_~]/;
    const start = lines.findLastIndex((line, i) => i < at && head.test(line));
    return start < 0 ? [] : [{ line: start + 1, lines: at - start + 1 }];
  });
}

function filesUnder(folder: string, pattern: RegExp): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => pattern.test(file))
    .map((file) => join(folder, file).replaceAll('\\', '/'));
}

function longFunctions(files: readonly string[], find: (source: string) => Block[]): string[] {
  return files.flatMap((file) =>
    find(readFileSync(join(root, file), 'utf8'))
      .filter(({ lines }) => lines > MOST_LINES)
      .map(({ line, lines }) => `${file}:${line}: ${lines} lines`),
  );
}

test('no function is longer than 60 lines', (t) => {
  const native = filesUnder('native', /\.(h|cpp|inl|cu|cuh)$/).filter(
    (file) => !file.startsWith('native/tests/'),
  );
  t.true(native.length > 0);
  t.deepEqual(longFunctions(filesUnder('src', /\.ts$/), typescriptFunctions), []);
  t.deepEqual(longFunctions(native, nativeFunctions), []);
});

test('which is seen in functions of every form', (t) => {
  const body = 'x();\n'.repeat(60);
  const forms = [
    `function f() {\n${body}}`,
    `class C {\n  m(\n  ) {\n${body}}\n}`,
    `const f = async (a: string): Promise<void> => {\n${body}};`,
  ];
  for (const form of forms)
    t.true(
      typescriptFunctions(form).some(({ lines }) => lines > MOST_LINES),
      form,
    );
  t.deepEqual(typescriptFunctions('const f = () => 1;'), [{ line: 1, lines: 1 }]);
  const deep = body.replaceAll('x', '    x');
  for (const form of [`int f(int a,\n      int b) {\n${deep}}\n`, `struct S {\n  ~S() {\n${deep}  }\n};\n`])
    t.is(nativeFunctions(form)[0]!.lines, form.startsWith('int') ? 63 : 62, form);
  t.deepEqual(nativeFunctions(`namespace n {\nstruct S {\n${deep}};\n}  // namespace n\n`), []);
});
