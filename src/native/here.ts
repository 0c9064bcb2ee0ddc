import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of this module (dist/esm/native or dist/cjs/native); the CommonJS build writes its own version. */
// @ts-ignore TS1343: import.meta is not CommonJS; tools/build-ts.mjs replaces this file there
export const here: string = dirname(fileURLToPath(import.meta.url));
