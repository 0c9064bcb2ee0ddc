/** The memory allocators with which peers are tried: libtorch asks for large blocks and gives them back all the time. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** An allocator of a peer's process, chosen by the environment in which the process starts. */
export interface Allocator {
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
}

/** What the process gets when nobody chooses. */
export const DEFAULT_ALLOCATOR: Allocator = { name: 'default', env: {} };

const FOLDERS = [
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib64',
  '/usr/lib',
  '/usr/local/lib',
];

/** glibc's own, told to keep what it has and to ask for pages of 2 MB. */
const KEEPING_GLIBC: Allocator = {
  name: 'glibc keeping memory',
  env: {
    MALLOC_TOP_PAD_: '268435456',
    MALLOC_MMAP_THRESHOLD_: '4294967296',
    MALLOC_TRIM_THRESHOLD_: '17179869184',
    GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1',
  },
};

/** Libraries to be preloaded, with the settings by which they keep memory too. */
const LIBRARIES = [
  { name: 'tcmalloc', file: 'libtcmalloc_minimal.so.4', env: { TCMALLOC_RELEASE_RATE: '0' } },
  {
    name: 'jemalloc',
    file: 'libjemalloc.so.2',
    env: {
      // of PyTorch's tuning guide
      MALLOC_CONF:
        'oversize_threshold:1,background_thread:true,metadata_thp:auto,dirty_decay_ms:9000000000,muzzy_decay_ms:9000000000',
    },
  },
] as const;

/** Those of this machine, the default first. A library is looked for in `folders`. */
export function findAllocators(folders: readonly string[] = FOLDERS): Allocator[] {
  if (process.platform !== 'linux') return [DEFAULT_ALLOCATOR];
  const preloaded = LIBRARIES.flatMap(({ name, file, env }): Allocator[] => {
    const path = folders.map((folder) => join(folder, file)).find((candidate) => existsSync(candidate));
    if (path === undefined) return [];
    const LD_PRELOAD = [path, process.env.LD_PRELOAD].filter(Boolean).join(':');
    return [{ name, env: { ...env, LD_PRELOAD } }];
  });
  return [DEFAULT_ALLOCATOR, KEEPING_GLIBC, ...preloaded];
}
