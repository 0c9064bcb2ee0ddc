/** Videos of an index that show the same, all of it or a part. */
import type { UnusableVideo } from '../embed/unusable.js';
import type { Alike } from './alike.js';
import { comparePictures } from './compare-pictures.js';
import { compareVectors } from './compare-vectors.js';
import { openLibrary } from './library.js';
import type { Timeline } from './overlap.js';
import type { StoreView } from './store.js';

export interface DuplicateOptions {
  /**
   * `pictures` (default): the pictures of videos whose vectors are alike are compared, which finds the same footage; the
   * files have to be there. `vectors`: what the encoder says is alike.
   */
  readonly compare?: 'pictures' | 'vectors';
  /** Likeness from which on two stretches count as the same, above 0 to 1. Default: chosen on the data for `precision`. */
  readonly threshold?: number;
  /** Share of the found pairs that should be duplicates, expected. Default 0.95. */
  readonly precision?: number;
  readonly signal?: AbortSignal | undefined;
  /** Counts the pairs whose pictures are compared. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** A stretch of a video, in seconds of the file. */
export interface Stretch {
  readonly path: string;
  readonly start: number;
  readonly end: number;
  /** How much of the video it is; 1: all. */
  readonly share: number;
}

/**
 * same: nearly all of both, a `share` of 0.8 or more; contained: nearly all of one, whose `share` says which; overlap: a part
 * of each.
 */
export type DuplicateKind = 'same' | 'contained' | 'overlap';

export interface DuplicatePair {
  readonly first: Stretch;
  readonly second: Stretch;
  readonly kind: DuplicateKind;
  /**
   * 0 to 1. Of pictures: how surely the stretch is the same footage. Of vectors: the mean likeness of the windows that lie
   * over one another, and of one more that has nothing in common.
   */
  readonly similarity: number;
  /** Seconds of the second for one of the first. */
  readonly pace: number;
}

export interface Duplicates {
  readonly threshold: number;
  /** Share of `pairs` that are duplicates, as expected from how alike pairs are by chance; null: too few videos to say. */
  readonly expectedPrecision: number | null;
  /** Most alike first. */
  readonly pairs: readonly DuplicatePair[];
  /** Paths of videos that are the same as one another, by way of others too; the larger first. */
  readonly clusters: readonly (readonly string[])[];
  /** Videos whose pictures could not be read: they are not compared. */
  readonly unread: readonly UnusableVideo[];
}

/** Of a video: nearly all. */
const NEARLY_ALL = 0.8;

export async function findDuplicates(view: StoreView, options: DuplicateOptions): Promise<Duplicates> {
  const { compare = 'pictures', threshold, precision = 0.95, signal, onProgress } = options;
  const library = await openLibrary(view, signal);
  const how = { threshold, precision, signal, onProgress };
  const { alike, ...compared } = await (compare === 'pictures' ? comparePictures : compareVectors)(
    library,
    how,
  );
  const pairs = alike
    .filter(({ similarity }) => similarity >= compared.threshold)
    .sort((x, y) => y.similarity - x.similarity)
    .map(pairOf);
  return { ...compared, pairs, clusters: clustersOf(pairs) };
}

function pairOf({ a, b, first, second, pace, similarity }: Alike): DuplicatePair {
  const share = ([start, end]: readonly [number, number], { starts, ends }: Timeline) => {
    const all = ends.at(-1)! - starts[0]!;
    return all > 0 ? Math.min(1, (end - start) / all) : 1;
  };
  const [of, by] = [share(first, a.timeline), share(second, b.timeline)];
  const nearly = (x: number) => x >= NEARLY_ALL;
  const kind = nearly(of) && nearly(by) ? 'same' : nearly(of) || nearly(by) ? 'contained' : 'overlap';
  return {
    first: { path: a.path, start: first[0], end: first[1], share: of },
    second: { path: b.path, start: second[0], end: second[1], share: by },
    ...{ kind, similarity, pace },
  };
}

/** Videos that are the same, or one in the other; those that share a part alone stay apart. */
function clustersOf(pairs: readonly DuplicatePair[]): string[][] {
  const parent = new Map<string, string>();
  const rootOf = (path: string): string => {
    let root = path;
    while (parent.has(root)) root = parent.get(root)!;
    return root;
  };
  const paths = new Set<string>();
  for (const { first, second, kind } of pairs) {
    if (kind === 'overlap') continue;
    paths.add(first.path).add(second.path);
    const [x, y] = [rootOf(first.path), rootOf(second.path)];
    if (x !== y) parent.set(y, x);
  }
  const clusters = new Map<string, string[]>();
  for (const path of paths) {
    const root = rootOf(path);
    clusters.set(root, [...(clusters.get(root) ?? []), path]);
  }
  return [...clusters.values()].sort((a, b) => b.length - a.length);
}
