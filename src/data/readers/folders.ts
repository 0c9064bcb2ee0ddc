import { readdir, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { fsPath } from '../file-names.js';

/** Paths looked at one by one before their folder is listed as a whole: a manifest may name ten million files. */
const ONE_BY_ONE = 16;
/** Folders of which something is known at a time. */
const MOST_FOLDERS = 4096;

/** What is known of the entries of a folder; null: it cannot be listed. */
type Listing = ReadonlyMap<string, 'folder' | 'link'> | null;

interface Asked {
  count: number;
  listing: Listing | undefined;
}

/**
 * Tells whether a path is a folder, whatever its name looks like, at once where it is known. What is not there, or cannot
 * be read, is none.
 */
export function folderLookup(): (path: string) => boolean | Promise<boolean> {
  const asked = new Map<string, Asked>();
  const ask = async (path: string, parent: string, seen: Asked) => {
    if (++seen.count <= ONE_BY_ONE) return isFolder(path);
    seen.listing = await listFolder(parent);
    return fromListing(seen.listing, path);
  };
  return (path) => {
    const parent = dirname(path);
    let seen = asked.get(parent);
    if (seen?.listing !== undefined) return fromListing(seen.listing, path);
    if (!seen) {
      seen = { count: 0, listing: undefined };
      for (const oldest of asked.keys()) {
        if (asked.size < MOST_FOLDERS) break;
        asked.delete(oldest);
      }
      asked.set(parent, seen);
    }
    return ask(path, parent, seen);
  };
}

function fromListing(listing: Listing, path: string): boolean | Promise<boolean> {
  const kind = listing?.get(basename(path));
  // links are looked at one by one, and so is what stands in a folder that may be entered but not listed
  return listing === null || kind === 'link' ? isFolder(path) : kind === 'folder';
}

/** The folders and links in it. Files are the rest, and may be many. */
async function listFolder(folder: string): Promise<Listing> {
  const found = await readdir(fsPath(folder), { withFileTypes: true }).catch(
    ({ code }: NodeJS.ErrnoException) => (code === 'ENOENT' || code === 'ENOTDIR' ? [] : null),
  );
  if (found === null) return null;
  const listing = new Map<string, 'folder' | 'link'>();
  for (const entry of found) {
    if (entry.isDirectory()) listing.set(entry.name, 'folder');
    else if (!entry.isFile()) listing.set(entry.name, 'link');
  }
  return listing;
}

async function isFolder(path: string): Promise<boolean> {
  return stat(fsPath(path)).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
