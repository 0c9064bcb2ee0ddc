const LEVELS = '▁▂▃▄▅▆▇█';

/** A curve as a line of text, a character a value: low ones at the bottom of `range`, a space where there is none. */
export function sparkline(
  values: readonly (number | null)[],
  [low, high]: readonly [number, number],
): string {
  return values
    .map((value) => {
      if (value === null || !Number.isFinite(value)) return ' ';
      const part = high > low ? (value - low) / (high - low) : 0.5;
      return LEVELS[Math.min(LEVELS.length - 1, Math.floor(part * LEVELS.length))]!;
    })
    .join('');
}
