import { type Command, Option } from 'commander';
import { VsslError } from '../../errors.js';
import { metered, parseCount } from '../action-helpers.js';
import { addEncoderOptions, type EncoderFlags, encoderOptions, weightsOf } from '../encoder-flags.js';
import { addCommonOptions, runAction } from '../run-action.js';
import { stdinLines } from '../stdin-lines.js';

interface EmbedOptions extends EncoderFlags {
  readonly data?: string;
  readonly stdin?: boolean;
  readonly out: string;
  readonly windows?: string;
  readonly span?: string;
  readonly clips?: number;
  readonly crops?: '1' | '3';
  readonly shard?: string;
}

/** `vssl-native embed`: one vector a video, or one a window, into a file. */
export function registerEmbed(program: Command): void {
  addEncoderOptions(addCommonOptions(program.command('embed')), 'bf16 where the processor multiplies it')
    .description('turn every video of a data set, or every window of it, into a vector')
    .option('--data <path>', 'folder, manifest, shards (tar:PATH) or video file')
    .option(
      '--stdin',
      'instead of --data: paths of videos from the standard input, a line each, as they come',
    )
    .requiredOption(
      '--out <file>',
      'file to write: .safetensors, .jsonl, .parquet, .npy or .csv; what is in it is kept',
    )
    .option('--windows <every:TIME>', 'a vector for each window, such as every:1s, instead of one a video')
    .option('--span <time>', 'how long a window lasts, such as 2s (default: one clip)')
    .option(
      '--clips <n>',
      'clips of a video (default: 3) or window (default: 1) whose vectors are averaged',
      parseCount,
    )
    .addOption(new Option('--crops <n>', 'crops of a clip (default: 1)').choices(['1', '3']))
    .option('--shard <i/n>', "part i of n of the videos, from 0/n; 'merge' makes one file of all")
    .action(
      runAction<EmbedOptions>(async (context, options) => {
        const weights = weightsOf(options);
        const { embedToFile } = await import('../../embed/embed-to-file.js');
        const { parseGrid } = await import('../../data/windows.js');
        const { out, clips, shard, span } = options;
        const { signal } = context;
        if (span !== undefined && options.windows === undefined)
          throw new VsslError('ERR_VSSL_USAGE', 'expected --windows every:TIME beside --span');
        const data = dataOf(options);
        const windows = options.windows === undefined ? undefined : parseGrid(options.windows, span);
        const crops = options.crops === '3' ? 3 : 1;
        const result = await metered(context, 'embedded', (onProgress) =>
          embedToFile({
            ...{ weights, data, out, windows, clips, crops, shard, signal, onProgress },
            ...encoderOptions(options),
          }),
        );
        const { count, videos, reused, dim, failures, seconds } = result;
        const of = windows ? ` of ${videos} videos` : '';
        const kept = reused > 0 ? `, ${reused} of them there already` : '';
        const left = failures.length > 0 ? `, ${failures.length} left out` : '';
        context.print(
          `${count} vectors of ${dim} numbers${of} in ${out}${kept}${left} (${seconds.toFixed(1)} s)`,
        );
        return result;
      }),
    );
}

function dataOf({ data, stdin }: EmbedOptions): string | AsyncIterable<string> {
  if ((data === undefined) === (stdin !== true))
    throw new VsslError('ERR_VSSL_USAGE', 'expected either --data PATH or --stdin');
  return data ?? stdinLines();
}
