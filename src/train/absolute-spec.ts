import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fsPath } from '../data/file-names.js';
import { isNamedSource, pathOfSource, schemeOf } from '../data/manifest.js';

/** A data specification with its path made absolute; named sources without one (`synthetic:motion`) are left as they are. */
export function absoluteSpec(spec: string): string {
  if (existsSync(fsPath(spec))) return resolve(spec);
  const path = pathOfSource(spec);
  if (path !== null && path !== '') {
    const at = spec.indexOf(':') + 1;
    return spec.slice(0, at) + resolve(path) + spec.slice(at + path.length);
  }
  if (isNamedSource(spec) || schemeOf(spec) !== undefined) return spec;
  const mark = spec.indexOf('?');
  return mark < 0 ? resolve(spec) : resolve(spec.slice(0, mark)) + spec.slice(mark);
}
