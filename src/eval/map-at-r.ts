/**
 * MAP@R (Musgrave, Belongie, Lim, "A Metric Learning Reality Check", ECCV 2020): of a query with R matches in the
 * gallery, the R nearest are looked at, and
 *
 *   MAP@R = 1/R sum over i = 1..R of  P(i) if the i-th nearest is a match, else 0
 *
 * P(i) being the share of matches among the i nearest. It tells the order as well as the number of what is found, and is
 * 1 when all matches come first.
 */

/** Of one query: `matches` are the gallery rows that it should find. Of equal similarities the lower row is nearer. */
export function precisionAtR(similarities: Float32Array, matches: readonly number[]): number {
  // NaN, from a vector that is not finite, is farther than everything
  const nearness = (row: number) => {
    const s = similarities[row]!;
    return Number.isNaN(s) ? Number.NEGATIVE_INFINITY : s;
  };
  const isNearer = (a: number, b: number) =>
    nearness(a) > nearness(b) || (nearness(a) === nearness(b) && a < b);
  const sorted = [...matches].sort((a, b) => (isNearer(a, b) ? -1 : 1));
  // others[i]: rows that are no match, farther than match i - 1 and nearer than match i
  const others = new Int32Array(sorted.length + 1);
  const own = new Set(matches);
  for (let row = 0; row < similarities.length; row++) {
    if (own.has(row)) continue;
    let low = 0;
    for (let high = sorted.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (isNearer(row, sorted[middle]!)) high = middle;
      else low = middle + 1;
    }
    others[low]!++;
  }
  let sum = 0;
  let before = 0;
  for (let i = 0; i < sorted.length; i++) {
    before += others[i]!;
    const place = i + 1 + before;
    if (place > sorted.length) break;
    sum += (i + 1) / place;
  }
  return sorted.length === 0 ? 0 : sum / sorted.length;
}

/**
 * What a random order of `gallery` rows gives a query with `matches` = R of them: place i holds a match with probability
 * R/n, and then each of the i - 1 before it does with probability (R - 1)/(n - 1).
 */
export function expectedPrecisionAtR(gallery: number, matches: number): number {
  let sum = 0;
  for (let i = 1; i <= matches; i++)
    sum += gallery === 1 ? 1 : (1 + ((i - 1) * (matches - 1)) / (gallery - 1)) / i;
  return sum / gallery;
}
