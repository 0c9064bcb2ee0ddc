/** Tests of the store in LanceDB run where its packages are: `npm run test:lancedb` brings them. */
import { createRequire } from 'node:module';
import test from 'ava';

function hasLance(): boolean {
  try {
    createRequire(import.meta.url).resolve('@lancedb/lancedb');
    return true;
  } catch {
    return false;
  }
}

export const lanceTest = hasLance() ? test : test.skip;
