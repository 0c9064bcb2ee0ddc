// Every type that an exported signature mentions is exported from the same entry point: a caller can name it.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import ts from 'typescript';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

for (const entry of ['index.d.ts', 'kernels/index.d.ts', 'methods/index.d.ts'])
  test(`${entry}: every signature can be named`, (t) => {
    const { exported, missing } = unnameable(join(root, 'dist/esm', entry));
    t.true(exported > 10, `${exported} exports`);
    t.deepEqual(missing, []);
  });

// TypeScript before 5.7 has no generic typed arrays: what says `Float32Array<ArrayBuffer>` is an error to it.
test('declarations can be read by older TypeScript', (t) => {
  const faults: string[] = [];
  const files = readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.d.ts'),
  );
  t.true(files.length > 100);
  for (const name of files)
    for (const [found] of readFileSync(join(root, 'dist', name), 'utf8').matchAll(
      /\b(?:Int|Uint|Float|BigInt|BigUint)\d+(?:Clamped)?Array<|\bBuffer<|\bDataView</g,
    ))
      faults.push(`${name}: ${found}`);
  t.deepEqual(faults, []);
});

/** The package's own types that exports of `file` mention and that are no exports themselves, with who mentions them. */
function unnameable(file: string): { exported: number; missing: string[] } {
  const program = ts.createProgram([file], {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
  });
  const checker = program.getTypeChecker();
  const real = (symbol: ts.Symbol) =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const entry = checker.getSymbolAtLocation(program.getSourceFile(file)!)!;
  const exports = checker.getExportsOfModule(entry).map((symbol) => [symbol.name, real(symbol)] as const);
  const known = new Set(exports.map(([, symbol]) => symbol));
  const missing = new Set<string>();
  for (const [name, symbol] of exports)
    for (const declaration of symbol.declarations ?? [])
      forEachReference(declaration, (node) => {
        const found = checker.getSymbolAtLocation(node);
        const meant = found && real(found);
        const place = meant?.declarations?.[0];
        if (!meant || !place || known.has(meant) || !isTopLevel(place)) return;
        if (place.getSourceFile().fileName.startsWith(join(root, 'dist')))
          missing.add(`${meant.name} in ${name}`);
      });
  return { exported: exports.length, missing: [...missing].sort() };
}

/** Names of types in a declaration. */
function forEachReference(node: ts.Node, use: (name: ts.Node) => void): void {
  if (ts.isTypeReferenceNode(node)) use(lastName(node.typeName));
  // `typeof` of a constant stands for what it holds, which needs no name of its own
  else if (ts.isImportTypeNode(node) && node.qualifier) use(lastName(node.qualifier));
  else if (ts.isExpressionWithTypeArguments(node)) use(node.expression);
  ts.forEachChild(node, (child) => forEachReference(child, use));
}

function lastName(name: ts.EntityName): ts.Node {
  return ts.isQualifiedName(name) ? name.right : name;
}

function isTopLevel(node: ts.Node): boolean {
  if (ts.isVariableDeclaration(node)) return true;
  return !ts.isTypeParameterDeclaration(node) && ts.isSourceFile(node.parent);
}
