/** The formats of a file of vectors, by the suffix of its name. A new one is a file beside this and a line here. */
import { extname } from 'node:path';
import { invalidArgument } from '../../errors.js';
import { csv } from './csv.js';
import { jsonLines } from './json-lines.js';
import { npy } from './npy.js';
import { parquet } from './parquet.js';
import type { EmbeddingFormat } from './record.js';
import { safetensors } from './safetensors.js';

const FORMATS: readonly EmbeddingFormat[] = [safetensors, jsonLines, parquet, npy, csv];

/** Throws ERR_VSSL_INVALID_ARGUMENT for a name without one of the suffixes. */
export function formatOf(out: unknown): EmbeddingFormat {
  const suffix = typeof out === 'string' ? extname(out).toLowerCase() : '';
  const found = FORMATS.find(({ name }) => suffix === `.${name}`);
  if (found) return found;
  const names = FORMATS.map(({ name }) => `.${name}`).join(', ');
  throw invalidArgument('out', `a file name that ends in one of ${names}`, out);
}
