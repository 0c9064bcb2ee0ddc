/**
 * Which clips to label next: those that stand for many others that are in doubt.
 *
 * Each clip without a label counts with its doubt, the chance that its label is wrong (1 - confidence). A set of clips is
 * worth the doubt that it covers: that of every clip, times its similarity to the nearest one of the set or of the labelled
 * clips (facility location). Clips are taken one after the other, each time the one that adds most, which is at least
 * 1 - 1/e of what the best set is worth (Nemhauser et al. 1978). So a clip is chosen when it is in a part of the data where
 * much is in doubt and nothing near it is labelled; a second clip of that part adds little, and an odd clip that resembles
 * nothing adds its own doubt alone. The least sure clips by themselves would be near-copies of one another, or outliers;
 * diverse ones by themselves (k-means++) are drawn to outliers too, and to what is told right already.
 */
import { throwIfAborted } from '../checks.js';
import { type FeatureMatrix, selectRows } from '../eval/feature-matrix.js';
import { applyStandardization, standardization } from '../eval/linear.js';
import { forEachQuery } from '../eval/neighbours.js';

/** Clips that take part, at most: the work grows with their square. Of more, those most in doubt. */
const MOST = 3000;

/**
 * At most `count` rows of `features`, most helpful first. `doubts`: of each row. `labelled`: vectors of clips that have a label.
 * Throws the reason of an aborted signal.
 */
export async function suggestRows(
  features: FeatureMatrix,
  doubts: ArrayLike<number>,
  labelled: FeatureMatrix,
  count: number,
  signal?: AbortSignal,
): Promise<number[]> {
  const rows = Array.from({ length: features.rows }, (_, row) => row)
    .sort((a, b) => doubts[b]! - doubts[a]! || a - b)
    .slice(0, MOST)
    .sort((a, b) => a - b);
  if (rows.length === 0) return [];
  // each number of a vector counts alike, and what all clips have in common does not
  const by = standardization(features);
  const clips = applyStandardization(selectRows(features, rows), by);
  const doubt = rows.map((row) => doubts[row]!);
  const covered = new Float64Array(rows.length);
  await forEachQuery(
    clips,
    applyStandardization(labelled, by),
    (clip, similarities) => {
      for (const similarity of similarities) covered[clip] = Math.max(covered[clip]!, similarity);
    },
    signal,
  );
  const similarities = await allSimilarities(clips, signal);
  const chosen: number[] = [];
  while (chosen.length < Math.min(count, rows.length)) {
    throwIfAborted(signal);
    const best = mostAdded(similarities, doubt, covered, chosen);
    chosen.push(best);
    const near = similarities.subarray(best * rows.length, (best + 1) * rows.length);
    for (let clip = 0; clip < rows.length; clip++) covered[clip] = Math.max(covered[clip]!, near[clip]!);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return chosen.map((clip) => rows[clip]!);
}

/** Cosine similarities of all pairs, (rows, rows). */
async function allSimilarities(clips: FeatureMatrix, signal?: AbortSignal): Promise<Float32Array> {
  const out = new Float32Array(clips.rows * clips.rows);
  await forEachQuery(clips, clips, (clip, similarities) => out.set(similarities, clip * clips.rows), signal);
  return out;
}

/** The clip that adds most to what is covered; of equal ones the first. */
function mostAdded(
  similarities: Float32Array,
  doubt: readonly number[],
  covered: Float64Array,
  chosen: readonly number[],
): number {
  const clips = doubt.length;
  const taken = new Set(chosen);
  let best = -1;
  let most = -1;
  for (let candidate = 0; candidate < clips; candidate++) {
    if (taken.has(candidate)) continue;
    let added = 0;
    for (let clip = 0, at = candidate * clips; clip < clips; clip++, at++) {
      const more = similarities[at]! - covered[clip]!;
      if (more > 0) added += doubt[clip]! * more;
    }
    if (added > most) [best, most] = [candidate, added];
  }
  return best;
}
