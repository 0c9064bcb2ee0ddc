/** Whether a text matches a glob in which `*` is any run of characters and `?` any one; the whole text has to match. */
export function matchesGlob(text: string, glob: string): boolean {
  // Two-pointer matching with one point of return: linear in practice, never exponential.
  let t = 0;
  let g = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (g < glob.length && glob[g] === '*') {
      star = g++;
      resume = t;
    } else if (g < glob.length && (glob[g] === '?' || glob[g] === text[t])) {
      t++;
      g++;
    } else if (star >= 0) {
      g = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (glob[g] === '*') g++;
  return g === glob.length;
}
