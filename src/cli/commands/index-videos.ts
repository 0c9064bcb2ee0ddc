import { type Command, Option } from 'commander';
import { VsslError } from '../../errors.js';
import type { IndexVideosOptions, IndexVideosResult } from '../../search/index-videos.js';
import { leftOut, metered, parseCount, unlessStopped } from '../action-helpers.js';
import { addEncoderOptions, type EncoderFlags, encoderOptions, weightsOf } from '../encoder-flags.js';
import { addCommonOptions, runAction } from '../run-action.js';

interface IndexFlags extends EncoderFlags {
  readonly data: string;
  readonly db: string;
  readonly windows?: string;
  readonly span?: string;
  readonly clips?: number;
  readonly crops?: '1' | '3';
  readonly type?: 'fp16' | 'fp32';
  readonly store?: 'flat' | 'lancedb';
  readonly include: readonly string[];
  readonly shard?: string;
  readonly repair?: boolean;
  readonly watch?: boolean;
}

/** `vssl-native index`: brings an index up to what a folder holds. */
export function registerIndex(program: Command): void {
  addEncoderOptions(addCommonOptions(program.command('index')), 'bf16 where the processor multiplies it')
    .description('make or update an index of the windows of all videos, for search')
    .requiredOption('--data <path>', 'folder, manifest, shards (tar:PATH) or video file')
    .requiredOption('--db <dir>', 'folder of the index; what is in it and unchanged is kept')
    .option('--windows <every:TIME>', 'a window begins every so often (default: every:1s)')
    .option('--span <time>', 'how long a window lasts, such as 2s (default: one clip)')
    .option('--clips <n>', 'clips of a window whose vectors are averaged (default: 1)', parseCount)
    .addOption(new Option('--crops <n>', 'crops of a clip (default: 1)').choices(['1', '3']))
    .addOption(
      new Option('--type <name>', 'of the numbers of a new index (default: fp16)').choices(['fp16', 'fp32']),
    )
    .addOption(
      new Option(
        '--store <name>',
        "of a new index: files, or a table of LanceDB for more vectors than memory and for several writers at once (needs 'npm install @lancedb/lancedb@0.31 apache-arrow@18') (default: flat)",
      ).choices(['flat', 'lancedb']),
    )
    .addOption(
      new Option('--include <glob>', "only videos whose path matches, such as '**/*.mp4'; repeatable")
        .argParser((value: string, before: readonly string[]) => [...before, value])
        .default([], 'all'),
    )
    .option('--shard <i/n>', 'part i of n of the videos, from 0/n')
    .option('--repair', 'keep the whole rows of a damaged index, and make the others again')
    .option('--watch', 'go on and follow the folder, until Ctrl-C')
    .action(
      runAction<IndexFlags>(async (context, flags) => {
        const { indexVideos, watchVideos } = await import('../../search/index-videos.js');
        const options = { ...(await optionsOf(flags)), signal: context.signal };
        if (!flags.watch) {
          const result = await metered(context, 'embedded', (onProgress) =>
            indexVideos({ ...options, onProgress }),
          );
          context.print(tell(result));
          return result;
        }
        const follow = async () => {
          for await (const result of watchVideos(options)) {
            for (const video of result.failures) context.logger.warn(leftOut(video));
            context.logger.info(tell(result));
          }
        };
        return await unlessStopped(context.signal, follow());
      }),
    );
}

async function optionsOf(flags: IndexFlags): Promise<IndexVideosOptions> {
  const { parseGrid } = await import('../../data/windows.js');
  const { data, db, clips, type, store, include, shard, repair, span } = flags;
  if (span !== undefined && flags.windows === undefined)
    throw new VsslError('ERR_VSSL_USAGE', 'expected --windows every:TIME beside --span');
  return {
    ...{ weights: weightsOf(flags), data, db, clips, type, store, shard, repair },
    windows: flags.windows === undefined ? undefined : parseGrid(flags.windows, span),
    crops: flags.crops === undefined ? undefined : flags.crops === '3' ? 3 : 1,
    include: include.length > 0 ? include : undefined,
    ...encoderOptions(flags),
  };
}

function tell({
  db,
  added,
  changed,
  moved,
  removed,
  unchanged,
  videos,
  windows,
  seconds,
}: IndexVideosResult): string {
  const parts = Object.entries({ new: added, changed, moved, gone: removed, 'as they were': unchanged })
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${count} ${what}`);
  return `${videos} videos, ${windows} windows in ${db}: ${parts.join(', ') || 'no more'} (${seconds.toFixed(1)} s)`;
}
