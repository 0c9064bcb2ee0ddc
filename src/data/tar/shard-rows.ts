/** The samples of tar files as rows. */
import { checkOneOf } from '../../checks.js';
import { VsslError } from '../../errors.js';
import { decodeValue } from '../manifest-query.js';
import { unreadable } from '../readers/folder.js';
import { LeftOut } from '../readers/left-out.js';
import type { ReaderResult } from '../readers/reader.js';
import { nameOfPart, type VideoRow } from '../rows.js';
import { listTar, type TarFault, type TarListing } from './list-tar.js';
import { MemberRow } from './member-row.js';
import { isText, samplesOf } from './samples.js';

/** Shards that are listed at once. */
const AT_ONCE = 8;

export interface Shard {
  /** Absolute. */
  readonly path: string;
  /** In ids: the same on any machine. */
  readonly name: string;
  /** In messages and results. */
  readonly shown: string;
}

/** Entries of a query that are about shards: how they are read, and what becomes of those that cannot be. */
export const SHARD_OPTIONS = ['video', 'missing', 'damaged'] as const;

export function readShardOptions(options: ReadonlyMap<string, string>) {
  const choiceOf = (name: string) => checkOneOf(name, options.get(name) ?? 'fail', ['fail', 'skip']);
  const named = options.get('video')?.split(',');
  return {
    skipsMissing: choiceOf('missing') === 'skip',
    skipsDamaged: choiceOf('damaged') === 'skip',
    suffixes: named ? new Set(named.map((suffix) => decodeValue(suffix).toLowerCase())) : null,
  };
}

export type ShardOptions = ReturnType<typeof readShardOptions>;

/** `target`: what they are called together. Throws ERR_VSSL_DATA for one that is damaged, or is none. */
export async function rowsOfShards(
  shards: readonly Shard[],
  { suffixes, skipsDamaged }: ShardOptions,
  target: string,
): Promise<ReaderResult> {
  const left = new LeftOut();
  const rows: VideoRow[] = [];
  const columns = new Set<string>();
  const warnings: string[] = [];
  for (let i = 0; i < shards.length; i += AT_ONCE) {
    const some = shards.slice(i, i + AT_ONCE);
    const listings = await Promise.all(some.map(list));
    for (const [at, { members, fault }] of listings.entries()) {
      const shard = some[at]!;
      if (fault) warnings.push(say(shard, fault, members.length, skipsDamaged));
      for (const { key, video, ...said } of samplesOf(members, { shard: shard.name, suffixes, left })) {
        for (const column of Object.keys(said.extra)) columns.add(column);
        const id = nameOfPart(`${shard.name}/${key}`, said);
        rows.push(new MemberRow({ id, ...said }, shard, video));
      }
    }
  }
  return { rows, columns: [...columns], warnings: [...warnings, ...left.lines(target)] };
}

async function list({ path, shown }: Shard): Promise<TarListing> {
  return await listTar(path, isText).catch((cause) => {
    throw unreadable(shown, cause);
  });
}

/** A warning, or ERR_VSSL_DATA. */
function say({ shown }: Shard, { what, way }: TarFault, whole: number, skipsDamaged: boolean): string {
  if (skipsDamaged) return `${shown} ${what}; the ${whole} members before that are used`;
  throw new VsslError('ERR_VSSL_DATA', `${shown} ${what}: ${way}`, { details: { path: shown, whole } });
}
