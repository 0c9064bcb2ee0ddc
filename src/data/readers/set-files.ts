/** What lies below the folder of a published set, found by name: people keep these sets in more than one layout. */
import { stat } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { VsslError } from '../../errors.js';
import { fsPath } from '../file-names.js';
import type { ClipSource } from '../plan.js';
import { unreadable } from './folder.js';
import { isForbidden, listFolder } from './list-folder.js';
import { compareNames, isPicture } from './pictures.js';

/** A file, whatever its suffix, or a folder of pictures. */
export interface FoundVideo {
  readonly path: string;
  readonly source: ClipSource;
}

export interface SetFiles {
  /** Absolute. */
  readonly root: string;
  /** The video of this name, without suffix. */
  video(name: string): FoundVideo | null;
  /** Paths of files that are no videos and whose names match, sorted. */
  lists(name: RegExp): string[];
}

/** Suffixes of the lists that sets come with. */
const LIST_SUFFIXES = new Set(['.txt', '.csv', '.json']);

/** Looks through everything below `folder`; pictures have `fps`. Throws ERR_VSSL_DATA when it cannot be read. */
export async function findSetFiles(folder: string, fps: number): Promise<SetFiles> {
  const root = resolve(folder);
  const found = await stat(fsPath(root)).catch((cause) => {
    throw unreadable(folder, cause);
  });
  if (!found.isDirectory())
    throw new VsslError('ERR_VSSL_DATA', `${folder} is a file; expected the folder of the set`, {
      details: { path: folder },
    });
  const videos = new Map<string, FoundVideo>();
  const lists: string[] = [];
  const visited = new Set<string>();
  await walk(root);
  return {
    root,
    video: (name) => videos.get(name) ?? null,
    lists: (name) => lists.filter((path) => name.test(baseName(path))).sort(compareNames),
  };

  async function walk(path: string): Promise<void> {
    const { dev, ino } = await stat(fsPath(path));
    if (visited.has(`${dev}:${ino}`)) return;
    visited.add(`${dev}:${ino}`);
    const entries = await listFolder(path).catch((cause) => {
      if (path !== root && isForbidden(cause.code)) return [];
      throw unreadable(path, cause);
    });
    const pictures: string[] = [];
    for (const { name, kind } of entries) {
      if (name.startsWith('.')) continue;
      const suffix = extname(name).toLowerCase();
      if (kind === 'folder') await walk(join(path, name));
      else if (kind !== 'file') continue;
      else if (LIST_SUFFIXES.has(suffix)) lists.push(join(path, name));
      else if (isPicture(name)) pictures.push(name);
      else addVideo(name.slice(0, name.length - suffix.length), fileOf(join(path, name)));
    }
    if (pictures.length === 0) return;
    const files = pictures.sort(compareNames).map((name) => join(path, name));
    addVideo(baseName(path), { path, source: { kind: 'images', files, fps } });
  }

  /** Of two of one name the one found first. */
  function addVideo(name: string, video: FoundVideo): void {
    if (!videos.has(name)) videos.set(name, video);
  }
}

function fileOf(path: string): FoundVideo {
  return { path, source: { kind: 'file', path } };
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).replace(/^.*\\/, '');
}
