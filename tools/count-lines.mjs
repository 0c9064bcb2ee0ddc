// Lines of the project that are neither blank nor comment: src and native without tests, by room.
//
//   node tools/count-lines.mjs [--root DIR]
//
// DIR: a checkout, default this one.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import ts from 'typescript';
import { isProgram, main, root, ToolError } from './common.mjs';

const { FirstJSDocNode, LastJSDocNode } = ts.SyntaxKind;

/** Comments, and texts that could hold what looks like one. A quote after a digit separates digits. */
const C_PARTS =
  /(?<comment>\/\/.*|\/\*[\s\S]*?\*\/)|R"(?<mark>[^\s()\\]*)\([\s\S]*?\)\k<mark>"|"(?:[^"\\\n]|\\[\s\S])*"|(?<![\da-fA-F])'(?:[^'\\\n]|\\[\s\S])*'/g;
const CMAKE_PARTS =
  /(?<comment>#\[(?<level>=*)\[[\s\S]*?\]\k<level>\]|#.*)|\[(?<mark>=*)\[[\s\S]*?\]\k<mark>\]|"(?:[^"\\]|\\[\s\S])*"/g;

/** A function from a source to its lines of code, by the end of a file's name. */
const COUNTERS = {
  '.ts': countTypeScript,
  ...Object.fromEntries(
    ['.cpp', '.h', '.inl', '.cu', '.cuh'].map((end) => [end, (source) => countOutside(C_PARTS, source)]),
  ),
  '.cmake': (source) => countOutside(CMAKE_PARTS, source),
};

/** Lines that are not blank once comments are taken out. */
function countOutside(parts, source) {
  const bare = source.replace(parts, (part, ...groups) =>
    groups.at(-1).comment === undefined ? part.replace(/[^\n]+/g, 'x') : part.replace(/[^\n]+/g, ''),
  );
  return bare.split('\n').filter((line) => line.trim() !== '').length;
}

/** Lines that a token touches; those of a text or template are all code, as in the other languages. */
function countTypeScript(source) {
  const file = ts.createSourceFile('x.ts', source, ts.ScriptTarget.Latest);
  const lineOf = (position) => file.getLineAndCharacterOfPosition(position).line;
  const lines = new Set();
  const visit = (node) => {
    const parts = node.getChildren(file).filter(({ kind }) => kind < FirstJSDocNode || kind > LastJSDocNode);
    parts.forEach(visit);
    if (parts.length > 0 || node.getWidth(file) === 0) return;
    for (let line = lineOf(node.getStart(file)); line <= lineOf(node.getEnd()); line++) lines.add(line);
  };
  visit(file);
  return lines.size;
}

/** Lines of code of a file; null where it is of none of the languages. */
export function countLines(path, source) {
  const end = path.endsWith('CMakeLists.txt') ? '.cmake' : extname(path);
  return COUNTERS[end]?.(source) ?? null;
}

/** Lines by room, such as `src/data`; files beside the rooms are counted under `src` or `native`. */
export function countRooms(folder) {
  const rooms = new Map();
  for (const part of ['src', 'native'])
    for (const entry of readdirSync(join(folder, part), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = relative(folder, join(entry.parentPath ?? entry.path, entry.name)).replaceAll('\\', '/');
      if (path.startsWith('native/tests/')) continue;
      const lines = countLines(path, readFileSync(join(folder, path), 'utf8'));
      if (lines === null) continue;
      const room = dirname(path).split('/').slice(0, 2).join('/');
      rooms.set(room, (rooms.get(room) ?? 0) + lines);
    }
  return rooms;
}

if (isProgram(import.meta.url))
  await main(() => {
    const { values } = parseArgs({ options: { root: { type: 'string', default: root } } });
    const rooms = countRooms(values.root);
    if (rooms.size === 0)
      throw new ToolError(`no sources under ${values.root}/src and ${values.root}/native`);
    for (const [room, lines] of [...rooms].sort(([a], [b]) => (a < b ? -1 : 1)))
      console.log(`${String(lines).padStart(7)}  ${room}`);
    console.log(`${String([...rooms.values()].reduce((sum, lines) => sum + lines)).padStart(7)}  in all`);
  });
