/** Predictions as a list of videos, one a line, which is a manifest as well: corrected by hand, it can be trained on. */
import { dirname, extname, isAbsolute, relative, resolve, sep } from 'node:path';
import { encodeName } from '../data/file-names.js';
import { formatCsv } from '../data/format-csv.js';
import { invalidArgument } from '../errors.js';
import { writeError, writeFileAtomic } from '../weights/atomic-write.js';

/** What is said of one video of the data. */
export interface PredictedVideo {
  /** Its name in the data. */
  readonly id: string;
  readonly path: string;
  readonly start?: number;
  readonly end?: number;
  readonly group?: string;
  /** Given by hand, or the classifier's where it is sure enough; else null. */
  readonly label: string | null;
  /** Whose label it is; null without one. */
  readonly by: 'hand' | 'model' | null;
  /** The likeliest class, and the chance that it is right; null for a video that cannot be used. 1 for a label by hand. */
  readonly guess: string | null;
  readonly confidence: number | null;
  /** Of every class; null where the classifier says nothing. */
  readonly probabilities: Readonly<Record<string, number>> | null;
  /** Place among the clips to label next, from 1. */
  readonly suggest?: number;
  /** Why it cannot be used. */
  readonly reason?: string;
}

/** Throws ERR_VSSL_INVALID_ARGUMENT for a name of another format. */
export function formatOf(out: unknown): 'csv' | 'jsonl' {
  const suffix = typeof out === 'string' ? extname(out).toLowerCase() : '';
  if (suffix === '.csv') return 'csv';
  if (suffix === '.jsonl') return 'jsonl';
  throw invalidArgument('out', 'a file name that ends in .csv or .jsonl', out);
}

/** Columns that are there when a video has a value in them, and those that always are. */
const SOME = ['start', 'end', 'group'] as const;
const ALL = ['label', 'confidence', 'guess', 'by', 'suggest', 'reason'] as const;

/** Paths below the file's folder are relative to it, so that both can move. Throws ERR_VSSL_WRITE. */
export async function writePredictions(out: string, videos: readonly PredictedVideo[]): Promise<void> {
  const format = formatOf(out);
  const folder = dirname(resolve(out));
  const named = videos.map((video) => ({ ...video, path: seenFrom(folder, video.path) }));
  const text = format === 'csv' ? asCsv(named) : named.map((video) => `${JSON.stringify(video)}\n`).join('');
  const bytes = format === 'csv' ? encodeName(text) : Buffer.from(text);
  await writeFileAtomic(out, [bytes]).catch((error) => {
    throw writeError(out, error);
  });
}

function asCsv(videos: readonly PredictedVideo[]): string {
  const some = SOME.filter((column) => videos.some((video) => video[column] !== undefined));
  const lines = videos.map((video) => ({ ...video, confidence: video.confidence?.toFixed(4) }));
  return formatCsv(['path', ...some, ...ALL], lines);
}

function seenFrom(folder: string, path: string): string {
  // clips that are drawn, not read, have a name and no path
  if (!isAbsolute(path)) return path;
  const inside = relative(folder, path);
  const isBelow = inside !== '' && !isAbsolute(inside) && inside !== '..' && !inside.startsWith(`..${sep}`);
  return isBelow ? inside.split(sep).join('/') : path;
}
