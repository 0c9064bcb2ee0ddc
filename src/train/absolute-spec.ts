import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fsPath } from '../data/file-names.js';
import { folderOfSource } from '../data/manifest.js';

/** A data specification with its path made absolute; named sources without one (`synthetic:motion`) are left as they are. */
export function absoluteSpec(spec: string): string {
  if (existsSync(fsPath(spec))) return resolve(spec);
  const folder = folderOfSource(spec);
  if (folder !== null && folder !== '') {
    const at = spec.indexOf(':') + 1;
    return spec.slice(0, at) + resolve(folder) + spec.slice(at + folder.length);
  }
  if (/^[a-z][a-z0-9]+:/.test(spec)) return spec;
  const mark = spec.indexOf('?');
  return mark < 0 ? resolve(spec) : resolve(spec.slice(0, mark)) + spec.slice(mark);
}
