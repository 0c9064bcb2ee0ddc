import { type Command, InvalidArgumentError, Option } from 'commander';
import type { PredictOptions } from '../../predict/predict-options.js';
import { metered, parseCount, parseNumber } from '../action-helpers.js';
import { addEncoderOptions, type EncoderFlags, encoderOptions, weightsOf } from '../encoder-flags.js';
import { formatPredictions } from '../format-predictions.js';
import { addCommonOptions, runAction } from '../run-action.js';

interface PredictFlags extends EncoderFlags {
  readonly train?: string;
  readonly data?: string;
  readonly out?: string;
  readonly model?: string;
  readonly classifier?: 'linear' | 'knn';
  readonly k?: number;
  readonly clips?: number;
  readonly crops?: '1' | '3';
  readonly suggest?: number;
  readonly minConfidence?: number;
  readonly shard?: string;
}

/** `vssl-native predict`: labels with confidences, from a few labelled clips. */
export function registerPredict(program: Command): void {
  addEncoderOptions(addCommonOptions(program.command('predict')), 'bf16 where the processor multiplies it')
    .description('label every video of a data set from a few labelled clips, with calibrated confidences')
    .option('--train <path>', 'labelled clips: manifest with a label column, or class folders')
    .option('--data <path>', 'what gets labels: folder, manifest, shards (tar:PATH) or video file')
    .option('--out <file>', 'file to write: .csv or .jsonl, a line a video')
    .option(
      '--model <file>',
      'keep the classifier there (.safetensors); without --train: use the one that was kept',
    )
    .addOption(
      new Option('--classifier <name>', 'linear probe or nearest labelled clips (default: linear)').choices([
        'linear',
        'knn',
      ]),
    )
    .option('--k <n>', 'neighbours that vote, with --classifier knn (default: 5)', parseCount)
    .option('--clips <n>', 'windows of a video whose vectors are averaged (default: 3)', parseCount)
    .addOption(new Option('--crops <n>', 'crops of a window (default: 1)').choices(['1', '3']))
    .option('--suggest <n>', 'name the n clips whose labels would help most', parseCount)
    .option('--min-confidence <p>', 'leave the label empty below this confidence, from 0 to 1', parseShare)
    .option('--shard <i/n>', 'part i of n of the data, from 0/n')
    .action(
      runAction<PredictFlags>(async (context, flags) => {
        const { predictVideos } = await import('../../predict/predict-videos.js');
        const { signal, print } = context;
        const result = await metered(context, 'embedded', (onProgress) =>
          predictVideos({ ...optionsOf(flags), signal, onProgress }),
        );
        print(formatPredictions(result));
        // they are in the file, and may be a million
        const { predictions, ...told } = result;
        return flags.out === undefined ? result : { ...told, count: predictions.length };
      }),
    );
}

function optionsOf(flags: PredictFlags): PredictOptions {
  const { run, weights, train, data, out, model, classifier, k, clips, crops } = flags;
  const { suggest, minConfidence, shard } = flags;
  const asked =
    run === undefined && weights === undefined && train === undefined ? undefined : weightsOf(flags);
  return {
    ...{ weights: asked, train, data, out, model, classifier, k, clips },
    ...{ suggest, minConfidence, shard },
    ...(crops === undefined ? {} : { crops: crops === '3' ? 3 : 1 }),
    ...encoderOptions(flags),
  };
}

/** A number from 0 to 1, for commander. */
function parseShare(text: string): number {
  const value = parseNumber(text);
  if (value > 1) throw new InvalidArgumentError('expected a number from 0 to 1');
  return value;
}
