import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The module's URL; a bundler may leave nothing of it. */
// biome-ignore lint/suspicious/noTsIgnore: an error in the CommonJS build alone, so nothing to expect in the other
// @ts-ignore TS1343: import.meta is not CommonJS; tools/build-ts.mjs replaces this file there
const url: string | undefined = import.meta.url;

/** Folder of this module (dist/esm/native or dist/cjs/native); '' in a bundle that does not say where it is. */
export const here: string = url?.startsWith('file:') ? dirname(fileURLToPath(url)) : '';

/**
 * A package that is an ES module, from either build: in CommonJS the compiler would make a require of a plain import(),
 * which Node 20 refuses.
 */
export const importPackage: (name: string) => Promise<unknown> = (name) => import(name);
