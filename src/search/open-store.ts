/** The store of an index: what its header says; of a new one what is asked for. */
import { mkdir, readdir } from 'node:fs/promises';
import { writeError } from '../weights/atomic-write.js';
import { FlatStore } from './flat-store.js';
import { HEADER_NAME, type IndexHeader, indexError, readHeader } from './header.js';
import { checkSame } from './index-checks.js';
import type { OpenIndexOptions } from './index-options.js';
import { loadLance } from './lance-package.js';
import { LANCE_FOLDER, LanceStore, makeLance } from './lance-store.js';
import type { IndexStore } from './store.js';

/** Throws as VideoIndex.open does, whose options were checked. */
export async function openStore(folder: string, options: OpenIndexOptions): Promise<IndexStore> {
  const { encoder, create = true, type = 'fp16', settings = null, store = 'flat', repair = false } = options;
  const header = await readHeader(folder);
  if (header) checkSame(folder, header, options);
  if (header?.store === 'lancedb') return await LanceStore.open(folder, header, repair);
  if (header || !encoder || !create) return await FlatStore.open(folder, { repair });
  const fresh: IndexHeader = {
    ...{ store, dim: encoder.dim, type, encoder: encoder.digest, settings, shards: [], next: 1 },
  };
  // before anything is made
  if (store === 'lancedb') loadLance();
  await makeFolder(folder);
  if (store === 'lancedb') {
    await makeLance(folder, fresh);
    return await openStore(folder, options);
  }
  const made = await FlatStore.open(folder, { header: fresh });
  try {
    // another process may have been faster
    checkSame(folder, made.header, options);
  } catch (error) {
    await made.close();
    throw error;
  }
  return made;
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw writeError(folder, error);
  }
  // what a process leaves that was killed before the index was there
  const ours = (name: string) => /^(lock|\d{6,}\.)|\.tmp$/.test(name) || name === LANCE_FOLDER;
  const others = (await readdir(folder)).filter((name) => !ours(name));
  // where it is, another process has made the index meanwhile
  if (others.length > 0 && !others.includes(HEADER_NAME))
    throw indexError(
      folder,
      `the folder holds other files (${others.slice(0, 3).join(', ')}) and no index; name an empty or a new one`,
    );
}
