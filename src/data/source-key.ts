/**
 * What a clip source is, and in what state its files are. A row's id names a video inside one manifest only; whatever is
 * kept about a video for longer than that is kept under these.
 */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { encodeName, fsPath } from './file-names.js';
import type { ClipSource } from './plan.js';
import type { VideoRow } from './rows.js';

/** Digests of lists of pictures: a list may be of 100,000 names, and is asked about for each clip. */
const digests = new WeakMap<readonly string[], string>();

/** The same for sources with the same clips, whatever the row and the manifest. */
export function sourceKey(source: ClipSource): string {
  switch (source.kind) {
    case 'file':
      return `file ${resolve(source.path)}`;
    case 'images':
      return `images ${source.fps} ${digestOf(source.files)}`;
    case 'member':
      return `member ${source.offset} ${source.size} ${resolve(source.path)}/${source.name}`;
    case 'packed':
      return `packed ${JSON.stringify({ ...source, path: resolve(source.path) })}`;
    default:
      return `${source.kind} ${JSON.stringify(source)}`;
  }
}

function digestOf(files: readonly string[]): string {
  let digest = digests.get(files);
  if (digest === undefined) {
    const hash = createHash('sha256');
    for (const file of files) hash.update(encodeName(resolve(file))).update('\0');
    digest = hash.digest('hex');
    digests.set(files, digest);
  }
  return digest;
}

/** The files that a source is read from. */
export function sourceFiles(source: ClipSource): readonly string[] {
  switch (source.kind) {
    case 'file':
    case 'member':
      return [source.path];
    case 'packed':
      return source.flow ? [source.path, source.flow.path] : [source.path];
    case 'images':
      return source.files;
    case 'synthetic': {
      const picture = (source.sprite as { picture?: unknown } | undefined)?.picture;
      return typeof picture === 'string' ? [picture] : [];
    }
    default:
      return [];
  }
}

/** What a source is called in messages. */
export function sourceName(source: ClipSource): string {
  switch (source.kind) {
    case 'file':
    case 'packed':
      return source.path;
    case 'member':
      return `${source.path}/${source.name}`;
    case 'images':
      return dirname(source.files[0] ?? '');
    default:
      return `a ${source.kind} clip`;
  }
}

/** Size and modification time of a file, or that it is not there. */
export async function fileStamp(path: string): Promise<string> {
  const found = await stat(fsPath(path)).catch(() => null);
  return found ? `${found.size}:${found.mtimeMs}` : 'absent';
}

/**
 * Tells a source whose content changed, at a price that does not grow with it: of a list of pictures, the first one (the
 * others are taken to have its size) and the folder, whose time changes when pictures come, go or are renamed.
 */
export async function quickStamp(source: ClipSource): Promise<string> {
  const files = sourceFiles(source);
  const [first] = files;
  if (first === undefined) return '';
  if (source.kind !== 'images') return (await Promise.all(files.map(fileStamp))).join(' ');
  return `${await fileStamp(first)} ${await fileStamp(dirname(resolve(first)))}`;
}

/** The same, and for a source that is no file what it is made of: while it is the same, so are its pictures. */
export async function rowStamp({ source, start, end }: VideoRow): Promise<string> {
  const stamp = await quickStamp(source);
  const isFile = source.kind === 'file';
  const made = isFile ? '' : createHash('sha256').update(sourceKey(source)).digest('hex').slice(0, 16);
  return [stamp, made, start === undefined && end === undefined ? '' : `${start ?? ''}-${end ?? ''}`]
    .filter((part) => part !== '')
    .join(' ');
}

/** Stamps of all files of a source, in order. */
export async function sourceStamps(source: ClipSource): Promise<string[]> {
  const files = sourceFiles(source);
  const stamps: string[] = [];
  for (let i = 0; i < files.length; i += 256)
    stamps.push(...(await Promise.all(files.slice(i, i + 256).map(fileStamp))));
  return stamps;
}

/** A digest of everything that a result may hang on in a list of videos: what the rows say, and the state of all files. */
export async function dataFingerprint(rows: readonly VideoRow[]): Promise<string> {
  const hash = createHash('sha256');
  const stamps = new Map<string, Promise<string[]>>();
  for (const { id, label, group, start, end, extra, source, facts } of rows) {
    const key = sourceKey(source);
    if (!stamps.has(key)) stamps.set(key, sourceStamps(source));
    const given = facts && { ...facts, times: Array.from(facts.times) };
    hash.update(JSON.stringify([id, label, group, start, end, extra, key, given, await stamps.get(key)]));
    hash.update('\n');
  }
  return `sha256:${hash.digest('hex')}`;
}
