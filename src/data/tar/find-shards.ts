/** The tar files that a specification names: a file, a folder of them, or a pattern such as clips-{000..127}.tar. */
import { stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { expand } from 'brace-expansion'; // what bash and webdataset make of braces, leading zeros kept
import { invalidArgument } from '../../errors.js';
import { fsPath } from '../file-names.js';
import { matchesGlob } from '../glob.js';
import { unreadable } from '../readers/folder.js';
import { isSystemFolder } from '../readers/left-out.js';
import { listFolder } from '../readers/list-folder.js';
import { compareNames } from '../readers/pictures.js';

export interface FoundShards {
  /** Absolute paths, each once. */
  readonly shards: readonly string[];
  /** What the shards' names are seen from. */
  readonly base: string;
  /** Names and patterns that no file has. */
  readonly missing: readonly string[];
}

/** Files of a pattern, at most. */
const MOST_SHARDS = 100_000;
/** So that names are counted, and not cut off where the library's own bounds for hostile input lie. */
const BOUNDS = { max: MOST_SHARDS + 1, maxLength: 1e9, maxSteps: 1e9 };

/** Throws ERR_VSSL_DATA for a file or folder that cannot be read. */
export async function findShards(target: string): Promise<FoundShards> {
  const whole = resolve(target);
  const found = await stat(fsPath(whole)).catch(() => null);
  if (found?.isDirectory()) return { shards: await shardsBelow(whole), base: whole, missing: [] };
  if (found) return { shards: [whole], base: dirname(whole), missing: [] };
  const shards = new Set<string>();
  const missing: string[] = [];
  for (const name of expandBraces(target)) {
    const paths = await matching(resolve(name));
    if (paths.length === 0) missing.push(name);
    for (const path of paths) shards.add(path);
  }
  return { shards: [...shards], base: fixedFolder(target), missing };
}

/** As bash does. Throws ERR_VSSL_INVALID_ARGUMENT for too many. */
export function expandBraces(pattern: string): string[] {
  const names = expand(pattern, BOUNDS);
  if (names.length <= MOST_SHARDS) return names;
  throw invalidArgument('shards', `a pattern of at most ${MOST_SHARDS} shards`, pattern);
}

/** A shard's name in ids: the same on any machine. */
export function shardName(path: string, base: string): string {
  return relative(base, path).split(sep).join('/') || basename(path);
}

async function shardsBelow(folder: string, visited = new Set<string>()): Promise<string[]> {
  const { dev, ino } = await stat(fsPath(folder));
  if (visited.has(`${dev}:${ino}`)) return [];
  visited.add(`${dev}:${ino}`);
  const entries = await listFolder(folder).catch((cause) => {
    throw unreadable(folder, cause);
  });
  const shards: string[] = [];
  for (const { name, kind } of entries.sort((a, b) => compareNames(a.name, b.name))) {
    const path = join(folder, name);
    if (name.startsWith('.')) continue;
    if (kind === 'folder' && !isSystemFolder(name)) shards.push(...(await shardsBelow(path, visited)));
    else if (kind === 'file' && /\.tar(\.(gz|bz2|xz|zst))?$|\.t[gx]z$/i.test(name)) shards.push(path);
  }
  return shards;
}

/** Existing files of a path in which `*` stands for any run of characters within a name. */
async function matching(pattern: string): Promise<string[]> {
  const isThere = (path: string) =>
    stat(fsPath(path)).then(
      () => true,
      () => false,
    );
  if (await isThere(pattern)) return [pattern];
  if (!pattern.includes('*')) return [];
  let folders: string[] = [sep];
  for (const part of pattern.split(sep).filter((name) => name !== '')) {
    if (!part.includes('*')) {
      folders = folders.map((folder) => join(folder, part));
      continue;
    }
    const next: string[] = [];
    for (const folder of folders) {
      const entries = await listFolder(folder).catch(() => []);
      const names = entries
        .map(({ name }) => name)
        .filter((name) => !name.startsWith('.') && matchesGlob(name, part));
      next.push(...names.sort(compareNames).map((name) => join(folder, name)));
    }
    folders = next;
  }
  const there = await Promise.all(folders.map(isThere));
  return folders.filter((_, i) => there[i]);
}

/** The folder before the first part of a name that is a pattern. */
function fixedFolder(pattern: string): string {
  const fixed = pattern.slice(0, pattern.search(/[{*]|$/));
  return resolve(fixed.slice(0, fixed.lastIndexOf('/') + 1));
}
