/** A part of a data set for one of several jobs, as those of a Slurm array. */
import { invalidArgument } from '../errors.js';

export interface Shard {
  /** From 0. */
  readonly index: number;
  readonly count: number;
}

/** `0/8` to `7/8`. Throws ERR_VSSL_INVALID_ARGUMENT. */
export function parseShard(text: string): Shard {
  const [index, count] = (/^(\d+)\/(\d+)$/.exec(text)?.slice(1) ?? []).map(Number);
  if (index === undefined || count === undefined || count < 1 || index >= count)
    throw invalidArgument('shard', 'i/n with i from 0 to n - 1, as 0/8 to 7/8', text);
  return { index, count };
}

export function formatShard({ index, count }: Shard): string {
  return `${index}/${count}`;
}

/** The shard's rows: whole stretches in the order of the data, of sizes that differ by one at most. */
export function rowsOfShard<Row>(rows: readonly Row[], { index, count }: Shard): readonly Row[] {
  const start = (part: number) => Math.floor((rows.length * part) / count);
  return rows.slice(start(index), start(index + 1));
}
