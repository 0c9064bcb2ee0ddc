import { extname, join } from 'node:path';
import { listFolder } from './list-folder.js';

/** Frames per second of a folder of pictures when nothing says otherwise. */
export const DEFAULT_PICTURE_FPS = 25;

const PICTURE_SUFFIXES = new Set(['.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.ppm', '.pgm']);

/** Whether a file name is that of a still picture. */
export function isPicture(name: string): boolean {
  return PICTURE_SUFFIXES.has(extname(name).toLowerCase());
}

/** Sorts names so that frame2 comes before frame10. Plain code units decide otherwise: the same order everywhere. */
export function compareNames(a: string, b: string): number {
  const x = a.match(/\d+|\D+/g) ?? [];
  const y = b.match(/\d+|\D+/g) ?? [];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const p = x[i] as string;
    const q = y[i] as string;
    if (p === q) continue;
    if (/^\d/.test(p) && /^\d/.test(q)) {
      const m = p.replace(/^0+/, '');
      const n = q.replace(/^0+/, '');
      if (m.length !== n.length) return m.length - n.length;
      if (m !== n) return m < n ? -1 : 1;
      return p.length - q.length;
    }
    return p < q ? -1 : 1;
  }
  return x.length - y.length;
}

/** The pictures of a folder as absolute paths, in order of their names. */
export async function listPictures(folder: string): Promise<string[]> {
  const entries = await listFolder(folder);
  return entries
    .filter(({ name, kind }) => kind === 'file' && !name.startsWith('.') && isPicture(name))
    .map(({ name }) => name)
    .sort(compareNames)
    .map((name) => join(folder, name));
}
