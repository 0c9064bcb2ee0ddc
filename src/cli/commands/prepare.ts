import { type Command, Option } from 'commander';
import type { PrepareOptions } from '../../prepare/prepare.js';
import { leftOut, metered, needsNoGpu, parseCount, parseNumber } from '../action-helpers.js';
import { addCommonOptions, runAction } from '../run-action.js';

interface PrepareFlags {
  readonly data: string;
  readonly out: string;
  readonly shortSide?: number;
  readonly fps?: number;
  readonly format?: PrepareOptions['format'];
  readonly quality?: number;
  readonly flow?: boolean;
  readonly threads?: number;
}

/** `vssl-native prepare`: a training copy of a data set, made once. */
export function registerPrepare(program: Command): void {
  addCommonOptions(program.command('prepare'))
    .description(
      'make a training copy: pictures at a short side, raw or JPEG, with their optical flow if asked for',
    )
    .requiredOption('--data <path>', 'folder, manifest or video file')
    .requiredOption('--out <dir>', 'folder of the copy; one that was begun is finished')
    .option('--short-side <n>', 'pixels of the short side (default: 256)', parseCount)
    .option('--fps <n>', 'frames a second of the copy (default: each video’s own)', parseNumber)
    .addOption(
      new Option(
        '--format <name>',
        'raw: nothing is decoded any more; jpeg: a small part of the room (default: raw)',
      ).choices(['raw', 'jpeg']),
    )
    .option('--quality <n>', 'of jpeg: 1 (best) to 31 (default: 3)', parseCount)
    .option('--flow', 'of raw: store the optical flow between neighbouring frames as well')
    .option('--threads <n>', 'videos under way at once (default: all processors)', parseCount)
    .action(
      runAction<PrepareFlags>(async (context, flags) => {
        needsNoGpu();
        const { prepare } = await import('../../prepare/prepare.js');
        const { data, out, shortSide, fps, format, quality, flow, threads } = flags;
        const { logger, print, signal } = context;
        const result = await metered(context, 'prepared', (onProgress) =>
          prepare({ data, out, shortSide, fps, format, quality, flow, threads, signal, onProgress }),
        );
        for (const video of result.skipped) logger.warn(leftOut(video));
        const before = result.reused > 0 ? `, ${result.reused} of them there already` : '';
        const left = result.skipped.length > 0 ? `, ${result.skipped.length} left out` : '';
        print(
          `${result.videos} videos, ${(result.bytes / 2 ** 20).toFixed(1)} MiB${before}${left} (${result.seconds.toFixed(1)} s)`,
        );
        print(`train on it with --data ${result.out}`);
        return result;
      }),
    );
}
