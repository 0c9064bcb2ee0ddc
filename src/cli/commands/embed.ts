import { type Command, Option } from 'commander';
import { metered, parseCount } from '../action-helpers.js';
import { addEncoderOptions, type EncoderFlags, encoderOptions, weightsOf } from '../encoder-flags.js';
import { addCommonOptions, runAction } from '../run-action.js';

interface EmbedOptions extends EncoderFlags {
  readonly data: string;
  readonly out: string;
  readonly clips?: number;
  readonly crops?: '1' | '3';
  readonly shard?: string;
}

/** `vssl-native embed`: one vector a video, into a file. */
export function registerEmbed(program: Command): void {
  addEncoderOptions(addCommonOptions(program.command('embed')), 'bf16 where the processor multiplies it')
    .description('turn every video of a data set into a vector')
    .requiredOption('--data <path>', 'folder, manifest or video file')
    .requiredOption('--out <file>', 'file to write: .safetensors or .jsonl')
    .option('--clips <n>', 'windows of a video whose vectors are averaged (default: 3)', parseCount)
    .addOption(new Option('--crops <n>', 'crops of a window (default: 1)').choices(['1', '3']))
    .option('--shard <i/n>', "part i of n of the videos, from 0/n; 'merge' makes one file of all")
    .action(
      runAction<EmbedOptions>(async (context, options) => {
        const weights = weightsOf(options);
        const { embedToFile } = await import('../../embed/embed-to-file.js');
        const { data, out, clips, shard } = options;
        const { signal } = context;
        const crops = options.crops === '3' ? 3 : 1;
        const result = await metered(context, 'embedded', (onProgress) =>
          embedToFile({
            ...{ weights, data, out, clips, crops, shard, signal, onProgress },
            ...encoderOptions(options),
          }),
        );
        const left = result.failures.length > 0 ? `, ${result.failures.length} left out` : '';
        context.print(
          `${result.count} vectors of ${result.dim} numbers in ${result.out}${left} (${result.seconds.toFixed(1)} s)`,
        );
        return result;
      }),
    );
}
