import { type Command, Option } from 'commander';
import type { DuplicatePair, Duplicates } from '../../search/duplicates.js';
import { leftOut, metered, needsNoGpu, parseNumber, unlessStopped } from '../action-helpers.js';
import { addCommonOptions, runAction } from '../run-action.js';
import { formatTable, right } from '../table.js';

interface DuplicatesFlags {
  readonly db: string;
  readonly compare?: 'pictures' | 'vectors';
  readonly threshold?: number;
  readonly precision?: number;
  readonly html?: string;
}

/** `vssl-native duplicates`: which videos of an index show the same, all of it or a part? */
export function registerDuplicates(program: Command): void {
  addCommonOptions(program.command('duplicates'))
    .description(
      'find videos that are the same, nearly the same, or part of one another, and where they overlap',
    )
    .requiredOption('--db <dir>', "folder of the index, as 'index' makes it")
    .addOption(
      new Option(
        '--compare <what>',
        'the pictures of what the index says is alike, or its vectors alone (default: pictures)',
      ).choices(['pictures', 'vectors']),
    )
    .option(
      '--threshold <likeness>',
      'likeness from which on two count as the same (default: chosen on the data)',
      parseNumber,
    )
    .option(
      '--precision <share>',
      'of what is found, the share that should be right (default: 0.95)',
      parseNumber,
    )
    .option('--html <file>', 'also as a page of moving pictures, one file')
    .action(
      runAction<DuplicatesFlags>(async (context, { db, html, ...options }) => {
        const { print, signal, logger } = context;
        needsNoGpu();
        const { VideoIndex } = await import('../../search/video-index.js');
        const index = await VideoIndex.open(db);
        try {
          const { compare, threshold, precision } = options;
          const result = await metered(context, 'compared', (onProgress) =>
            index.duplicates({ compare, threshold, precision, signal, onProgress }),
          );
          for (const video of result.unread) logger.warn(leftOut(video));
          print(formatDuplicates(result));
          if (html !== undefined) await unlessStopped(signal, writePage(html, result, signal));
          return result;
        } finally {
          await index.close();
        }
      }),
    );
}

const KINDS = { same: 'The same', contained: 'One within the other', overlap: 'A part of each' } as const;

async function writePage(file: string, { pairs }: Duplicates, signal: AbortSignal): Promise<void> {
  const { writeGallery } = await import('../../search/write-gallery.js');
  const groups = pairs.map(({ first, second, kind, similarity }, i) => ({
    title: `${i + 1}. ${KINDS[kind]}, likeness ${similarity.toFixed(3)}`,
    query: null,
    places: [first, second],
  }));
  const summary =
    pairs.length === 0
      ? 'No two videos are alike enough to be the same'
      : `${pairs.length === 1 ? '1 pair' : `${pairs.length} pairs`} of videos that show the same, most alike first`;
  await writeGallery(file, groups, { title: 'Duplicates', summary, signal });
}

function formatDuplicates({ pairs, clusters, threshold, expectedPrecision }: Duplicates): string {
  if (pairs.length === 0) return 'no two videos of the index are alike enough to be the same';
  const expected =
    expectedPrecision === null
      ? 'too few videos to say how many of them are so by chance'
      : `${(100 * expectedPrecision).toFixed(1)} % of them expected to be right`;
  return [
    formatTable(
      [right('similarity'), { title: 'what' }, { title: 'first' }, { title: 'second' }],
      pairs.map(({ first, second, kind, similarity }) => [
        similarity.toFixed(4),
        kind,
        placeOf(first),
        placeOf(second),
      ]),
    ),
    `${pairs.length} pairs, from a likeness of ${threshold.toFixed(4)} on: ${expected}; ${clusters.length} clusters`,
  ].join('\n');
}

function placeOf({ path, start, end }: DuplicatePair['first']): string {
  return `${path}@${start.toFixed(2)}-${end.toFixed(2)}`;
}
