import { type Command, Option } from 'commander';
import { VsslError } from '../../errors.js';
import type { SearchHit } from '../../search/index-options.js';
import type { SearchVideosResult } from '../../search/search-videos.js';
import { parseCount, unlessStopped } from '../action-helpers.js';
import { addEncoderOptions, type EncoderFlags, encoderOptions } from '../encoder-flags.js';
import { addCommonOptions, runAction } from '../run-action.js';
import { formatTable, right } from '../table.js';

interface SearchFlags extends EncoderFlags {
  readonly db: string;
  readonly top?: number;
  readonly perVideo?: boolean;
  readonly filter: readonly string[];
  readonly html?: string;
}

/** `vssl-native search`: where in which video of an index is something like this clip? */
export function registerSearch(program: Command): void {
  addEncoderOptions(addCommonOptions(program.command('search')), 'bf16 where the processor multiplies it')
    .description('find what of an index is most like a clip, and when')
    .argument('<clip>', 'video file, or a part of it in seconds: clip.mp4@12-20, clip.mp4@12-, clip.mp4@-20')
    .requiredOption('--db <dir>', "folder of the index, as 'index' makes it")
    .option('--top <k>', 'how many to show (default: 10)', parseCount)
    .option('--per-video', 'the best place of each video alone')
    .option('--html <file>', 'also as a page of moving pictures, one file')
    .addOption(
      new Option(
        '--filter <column=glob>',
        'only videos whose path, label, group or other column matches; repeatable',
      )
        .argParser((value: string, before: readonly string[]) => [...before, value])
        .default([], 'all'),
    )
    .action(
      runAction<SearchFlags>(async ({ print, signal }, flags, [text]) => {
        const { searchVideos } = await import('../../search/search-videos.js');
        const { db, top, perVideo, run, weights } = flags;
        if (run !== undefined && weights !== undefined)
          throw new VsslError(
            'ERR_VSSL_USAGE',
            'expected either --run DIR or --weights FILE, or none of them',
          );
        const result = await unlessStopped(
          signal,
          searchVideos({
            ...{ db, top, perVideo, signal, weights: run ?? weights, filter: filterOf(flags.filter) },
            ...(await clipOf(text!)),
            ...encoderOptions(flags),
          }),
        );
        print(formatHits(result.hits));
        if (flags.html !== undefined) await unlessStopped(signal, writePage(flags.html, result, signal));
        return result;
      }),
    );
}

async function writePage(
  file: string,
  { query, hits }: SearchVideosResult,
  signal: AbortSignal,
): Promise<void> {
  const { resolve } = await import('node:path');
  const { writeGallery } = await import('../../search/write-gallery.js');
  const count = hits.length === 1 ? 'The place that is' : `The ${hits.length} places that are`;
  await writeGallery(
    file,
    [{ title: 'Found', query: { ...query, path: resolve(query.path) }, places: hits }],
    {
      title: 'Search',
      summary:
        hits.length === 0
          ? 'Nothing in the index passes the filter'
          : `${count} most like the clip, best first`,
      signal,
    },
  );
}

/** The clip, and the part of it. A file whose name looks like a part of another is that file. */
async function clipOf(text: string): Promise<{ clip: string; start?: number; end?: number }> {
  const { stat } = await import('node:fs/promises');
  const [, clip, start, end] = /^(.+)@(\d+(?:\.\d+)?)?-(\d+(?:\.\d+)?)?$/.exec(text) ?? [];
  if (clip === undefined || (await stat(text).catch(() => null))) return { clip: text };
  const seconds = (value: string | undefined) => (value === undefined ? undefined : Number(value));
  return { clip, start: seconds(start), end: seconds(end) };
}

/** Of one column, any of its globs may match. */
function filterOf(entries: readonly string[]): Record<string, string[]> | undefined {
  if (entries.length === 0) return undefined;
  const filter: Record<string, string[]> = {};
  for (const entry of entries) {
    const at = entry.indexOf('=');
    if (at < 1)
      throw new VsslError('ERR_VSSL_USAGE', `expected COLUMN=GLOB for --filter but received '${entry}'`);
    const column = entry.slice(0, at);
    filter[column] = [...(filter[column] ?? []), entry.slice(at + 1)];
  }
  return filter;
}

function formatHits(hits: readonly SearchHit[]): string {
  if (hits.length === 0) return 'nothing in the index passes the filter';
  const seconds = (value: number | undefined) => (value === undefined ? '-' : value.toFixed(2));
  return formatTable(
    [right('similarity'), right('start'), right('end'), { title: 'label' }, { title: 'path' }],
    hits.map(({ similarity, start, end, label, path }) => [
      similarity.toFixed(4),
      seconds(start),
      seconds(end),
      label ?? '-',
      path,
    ]),
  );
}
