import { dirname } from 'node:path';
import { here } from './here.js';

/** The package's own folder. */
export const packageRoot: string = dirname(dirname(dirname(here)));
