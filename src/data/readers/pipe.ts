import { invalidArgument } from '../../errors.js';
import { decodeValue } from '../manifest-query.js';
import { fetchShards } from '../tar/fetch-shards.js';
import { readShardOptions, rowsOfShards, SHARD_OPTIONS } from '../tar/shard-rows.js';
import type { DatasetReader, ReaderRequest, ReaderResult } from './reader.js';

/** GB of all shards of a pipe, when nothing else is said. */
const DEFAULT_MOST = 100;

/**
 * Tar shards that commands print, `pipe:aws s3 cp s3://bucket/clips-{000..127}.tar -`, or stdin, `-`. A command may have
 * question marks of its own, so its query comes before it: `pipe?cache=/scratch/clips:COMMAND`.
 */
export const pipeReader: DatasetReader = {
  name: 'pipe',
  options: [...SHARD_OPTIONS, 'cache', 'most'],
  async read({ target: command, options, signal }: ReaderRequest): Promise<ReaderResult> {
    const expected = 'a command that prints a tar file, or - for stdin';
    if (command.trim() === '') throw invalidArgument('pipe', expected, command);
    if (command === '-' && process.stdin.isTTY)
      throw invalidArgument('-', 'a tar file on stdin', 'a terminal');
    const most = Number(options.get('most') ?? DEFAULT_MOST);
    if (!(most > 0)) throw invalidArgument('most', 'GB of all shards together', options.get('most'));
    const settings = readShardOptions(options);
    const cache = options.get('cache');
    const { shards, faults } = await fetchShards(command, {
      cache: cache === undefined ? null : decodeValue(cache),
      mostBytes: most * 1e9,
      skipsFailed: settings.skipsMissing,
      signal,
    });
    if (shards.length === 0 && faults[0]) throw faults[0];
    // what goes with the process has no path that means anything afterwards
    const named = shards.map(({ name, path }) => ({
      ...{ name, path },
      shown: cache === undefined ? `pipe:${name}` : path,
    }));
    const result = await rowsOfShards(named, settings, 'the pipe');
    const warnings = [...faults.map(({ message }) => `left out: ${message}`), ...result.warnings];
    return { ...result, warnings };
  },
};
