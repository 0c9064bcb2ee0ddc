import { type Command, Option } from 'commander';
import { leftOut, openMeter, parseCount, unlessStopped } from '../action-helpers.js';
import { addEncoderOptions, type EncoderFlags, encoderOptions, weightsOf } from '../encoder-flags.js';
import { addCommonOptions, runAction } from '../run-action.js';

interface EmbedOptions extends EncoderFlags {
  readonly data: string;
  readonly out: string;
  readonly clips?: number;
  readonly crops?: '1' | '3';
}

/** `vssl-native embed`: one vector a video, into a file. */
export function registerEmbed(program: Command): void {
  addEncoderOptions(addCommonOptions(program.command('embed')))
    .description('turn every video of a data set into a vector')
    .requiredOption('--data <path>', 'folder, manifest or video file')
    .requiredOption('--out <file>', 'file to write: .safetensors or .jsonl')
    .option('--clips <n>', 'windows of a video whose vectors are averaged (default: 3)', parseCount)
    .addOption(new Option('--crops <n>', 'crops of a window (default: 1)').choices(['1', '3']))
    .action(
      runAction<EmbedOptions>(async ({ logger, print, signal }, options) => {
        const weights = weightsOf(options);
        const { embedToFile } = await import('../../embed/embed-to-file.js');
        const meter = openMeter('embedded');
        const result = await unlessStopped(
          signal,
          embedToFile({
            weights,
            data: options.data,
            out: options.out,
            clips: options.clips,
            crops: options.crops === '3' ? 3 : 1,
            signal,
            onProgress: meter.update,
            ...encoderOptions(options),
          }).finally(meter.close),
        );
        for (const warning of result.warnings) logger.warn(warning);
        for (const failure of result.failures) logger.warn(leftOut(failure));
        const left = result.failures.length > 0 ? `, ${result.failures.length} left out` : '';
        print(
          `${result.count} vectors of ${result.dim} numbers in ${result.out}${left} (${result.seconds.toFixed(1)} s)`,
        );
        return result;
      }),
    );
}
