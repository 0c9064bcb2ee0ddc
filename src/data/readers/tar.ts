import { invalidArgument, VsslError } from '../../errors.js';
import { findShards, shardName } from '../tar/find-shards.js';
import { readShardOptions, rowsOfShards, SHARD_OPTIONS } from '../tar/shard-rows.js';
import type { DatasetReader, ReaderRequest, ReaderResult } from './reader.js';

/**
 * Tar shards in webdataset's layout, `tar:shards/clips-{000000..000127}.tar`. Videos are read in their places; nothing is
 * unpacked.
 */
export const tarReader: DatasetReader = {
  name: 'tar',
  options: SHARD_OPTIONS,
  readsPath: true,
  async read({ target, options }: ReaderRequest): Promise<ReaderResult> {
    const expected = 'a tar file, a folder of them, or a pattern such as clips-{000..127}.tar';
    if (target === '') throw invalidArgument('tar', expected, target);
    const settings = readShardOptions(options);
    const { shards, base, missing } = await findShards(target);
    const lost =
      missing.length > 0 ? [sayMissing(target, missing, shards.length, settings.skipsMissing)] : [];
    const named = shards.map((path) => ({ path, name: shardName(path, base), shown: path }));
    const result = await rowsOfShards(named, settings, target);
    return { ...result, warnings: [...lost, ...result.warnings] };
  },
};

/** A warning, or ERR_VSSL_DATA. */
function sayMissing(target: string, names: readonly string[], found: number, skips: boolean): string {
  const shown = names.slice(0, 3).join(', ') + (names.length > 3 ? ', ...' : '');
  const loss = `${names.length} of ${names.length + found} shards of ${target} are not there (${shown})`;
  if (skips && found > 0) return `${loss}; left out, as missing=skip says`;
  const way = found === 0 ? 'check the path' : `get them, or leave them out: tar:${target}?missing=skip`;
  throw new VsslError('ERR_VSSL_DATA', `${loss}: ${way}`, {
    details: { path: target, missing: names.length, first: names.slice(0, 20) },
  });
}
