/** Videos that could not be used, as a whole or in part, as results tell them. */
import { VsslError } from '../errors.js';

/** A video that could not be used, and why. */
export interface UnusableVideo {
  readonly path: string;
  readonly code: string;
  readonly reason: string;
}

export function unusableVideo(path: string, { code, message }: VsslError): UnusableVideo {
  return { path, code, reason: message };
}

/** ERR_VSSL_NO_USABLE_VIDEO, of `count` videos. */
export function noneUsable(count: number, failures: readonly UnusableVideo[]): VsslError {
  const first = failures[0] ? `; the first: ${failures[0].reason}` : '';
  return new VsslError(
    'ERR_VSSL_NO_USABLE_VIDEO',
    `none of the ${count} videos could be used${first}. 'vssl-native check' lists them all`,
    { details: { failures } },
  );
}

/** A video some of whose clips, or windows, could not be decoded, and how many. */
export interface DamagedVideo {
  readonly path: string;
  readonly lostClips: number;
}

/** Videos that a warning names. */
const NAMED = 10;

/** One warning about all of them; none when there is none. */
export function warnOfLostClips(videos: readonly DamagedVideo[]): string[] {
  if (videos.length === 0) return [];
  const [what, whose] =
    videos.length === 1 ? ['a video', 'its vector is'] : [`${videos.length} videos`, 'their vectors are'];
  return [`clips of ${what} cannot be decoded, and ${whose} the mean of the others: ${named(videos)}`];
}

/** The same where each window has a vector of its own. */
export function warnOfLostWindows(videos: readonly DamagedVideo[]): string[] {
  if (videos.length === 0) return [];
  const what = videos.length === 1 ? 'a video' : `${videos.length} videos`;
  return [`windows of ${what} cannot be decoded and are left out: ${named(videos)}`];
}

function named(videos: readonly DamagedVideo[]): string {
  const first = videos.slice(0, NAMED).map(({ path, lostClips }) => `${path} (${lostClips})`);
  const more = videos.length > NAMED ? ` and ${videos.length - NAMED} more` : '';
  return `${first.join(', ')}${more}`;
}
