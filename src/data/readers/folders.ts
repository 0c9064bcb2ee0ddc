import { readdir, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { fsPath } from '../file-names.js';

/** Paths looked at one by one before their folder is listed as a whole: a manifest may name a million files. */
const ONE_BY_ONE = 16;

/** Tells whether a path is a folder, whatever its name looks like. What is not there, or cannot be read, is none. */
export function folderLookup(): (path: string) => Promise<boolean> {
  const asked = new Map<string, { count: number; listing: Promise<Listing> | null }>();
  return async (path) => {
    const parent = dirname(path);
    const seen = asked.get(parent) ?? { count: 0, listing: null };
    asked.set(parent, seen);
    if (++seen.count <= ONE_BY_ONE) return isFolder(path);
    seen.listing ??= listFolder(parent);
    const { files, folders } = await seen.listing;
    const name = basename(path);
    if (files.has(name)) return false;
    return folders.has(name) || isFolder(path);
  };
}

interface Listing {
  readonly files: ReadonlySet<string>;
  readonly folders: ReadonlySet<string>;
}

async function listFolder(folder: string): Promise<Listing> {
  const files = new Set<string>();
  const folders = new Set<string>();
  // links are looked at one by one
  for (const entry of await readdir(fsPath(folder), { withFileTypes: true }).catch(() => [])) {
    if (entry.isFile()) files.add(entry.name);
    else if (entry.isDirectory()) folders.add(entry.name);
  }
  return { files, folders };
}

async function isFolder(path: string): Promise<boolean> {
  return stat(fsPath(path)).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
