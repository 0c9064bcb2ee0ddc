/** A video some of whose clips could not be decoded, and how many. */
export interface DamagedVideo {
  readonly path: string;
  readonly lostClips: number;
}

/** Videos that a warning names. */
const NAMED = 10;

/** One warning about all of them; none when there is none. */
export function warnOfLostClips(videos: readonly DamagedVideo[]): string[] {
  if (videos.length === 0) return [];
  const named = videos.slice(0, NAMED).map(({ path, lostClips }) => `${path} (${lostClips})`);
  const more = videos.length > NAMED ? ` and ${videos.length - NAMED} more` : '';
  const [what, whose] =
    videos.length === 1 ? ['a video', 'its vector is'] : [`${videos.length} videos`, 'their vectors are'];
  return [
    `clips of ${what} cannot be decoded, and ${whose} the mean of the others: ${named.join(', ')}${more}`,
  ];
}
