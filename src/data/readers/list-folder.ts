/** The entries of a folder, each with what it is, in one order everywhere. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeName, fsPath } from '../file-names.js';

export type EntryKind = 'file' | 'folder' | 'pipe' | 'socket' | 'device' | 'dead link' | 'forbidden';

export interface Entry {
  /** Not always UTF-8: see file-names.ts. */
  readonly name: string;
  /** Of a link, what it leads to. */
  readonly kind: EntryKind;
}

/** What Dirent and Stats have in common. */
interface FileType {
  isFile(): boolean;
  isDirectory(): boolean;
  isFIFO(): boolean;
  isSocket(): boolean;
}

/** Throws the system's error when the folder itself cannot be listed. */
export async function listFolder(folder: string): Promise<Entry[]> {
  const found = await readdir(fsPath(folder), { withFileTypes: true, encoding: 'buffer' });
  const entries: Entry[] = [];
  for (const entry of found) {
    const name = decodeName(entry.name);
    entries.push({
      name,
      kind: entry.isSymbolicLink() ? await kindOfLink(join(folder, name)) : kindOf(entry),
    });
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function kindOf(entry: FileType): EntryKind {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'folder';
  if (entry.isFIFO()) return 'pipe';
  return entry.isSocket() ? 'socket' : 'device';
}

async function kindOfLink(path: string): Promise<EntryKind> {
  try {
    return kindOf(await stat(fsPath(path)));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (isForbidden(code)) return 'forbidden';
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return 'dead link';
    throw error;
  }
}

/** Whether the system's answer is that this user may not, which is a property of the file. */
export function isForbidden(code: string | undefined): boolean {
  return code === 'EACCES' || code === 'EPERM';
}
