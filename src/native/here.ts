import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of this module (dist/esm/native or dist/cjs/native); the CommonJS build writes its own version. */
// biome-ignore lint/suspicious/noTsIgnore: an error in the CommonJS build alone, so nothing to expect in the other
// @ts-ignore TS1343: import.meta is not CommonJS; tools/build-ts.mjs replaces this file there
export const here: string = dirname(fileURLToPath(import.meta.url));
