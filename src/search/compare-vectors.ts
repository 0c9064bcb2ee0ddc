/** Videos compared by what the encoder says of them alone: what looks alike, whether or not it is the same footage. */
import type { Alike, Compared, CompareOptions } from './alike.js';
import { barOf, candidates, drawPairs } from './candidates.js';
import type { Library, LibraryVideo } from './library.js';
import { bestOverlap } from './overlap.js';
import { chanceOfDrawn, chooseThreshold } from './threshold.js';
import { dots } from './top-k.js';

/** Pairs drawn at random with which something can be said about chance. */
const LEAST_DRAWN = 20;
/** Without enough videos to learn from. */
const FALLBACK = 0.95;

export async function compareVectors(
  library: Library,
  { threshold, precision, signal }: CompareOptions,
): Promise<Compared> {
  const { videos } = library;
  const drawn = drawPairs(videos.length);
  const bar = barOf(library, drawn);
  const compare = (i: number, j: number) => alikeOf(library, videos[i]!, videos[j]!, bar);
  const total = (videos.length * (videos.length - 1)) / 2;
  const chance =
    drawn.length < LEAST_DRAWN
      ? null
      : chanceOfDrawn(
          drawn.map(([i, j]) => compare(i, j).similarity),
          total,
        );
  const alike: Alike[] = [];
  for await (const [i, j] of candidates(library, bar, signal)) alike.push(compare(i, j));
  const found = alike.map(({ similarity }) => similarity);
  const chosen = chooseThreshold(chance, found, { given: threshold, precision, usual: FALLBACK });
  return { ...chosen, alike, unread: [] };
}

/** A short stretch that is alike says less than a long one: as if one more window had nothing in common. */
function alikeOf({ dim, whitened }: Library, a: LibraryVideo, b: LibraryVideo, bar: number): Alike {
  const { similarity, windows, first, second, pace } = bestOverlap(
    a.timeline,
    b.timeline,
    dots(a.vectors, b.vectors, dim),
    bar,
  );
  const said = whitened ? (similarity * windows) / (windows + 1) : similarity;
  return { a, b, first, second, pace, similarity: said };
}
