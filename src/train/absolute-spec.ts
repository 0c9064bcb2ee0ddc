import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fsPath } from '../data/file-names.js';

/** A data specification with its path made absolute; named sources (`ucf101:ROOT?...`) are left as they are. */
export function absoluteSpec(spec: string): string {
  if (existsSync(fsPath(spec))) return resolve(spec);
  if (/^[a-z][a-z0-9]+:/.test(spec)) return spec;
  const mark = spec.indexOf('?');
  return mark < 0 ? resolve(spec) : resolve(spec.slice(0, mark)) + spec.slice(mark);
}
