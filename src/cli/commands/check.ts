import type { Command } from 'commander';
import { metered, needsNoGpu, parseCount } from '../action-helpers.js';
import { addCommonOptions, runAction } from '../run-action.js';
import { formatTable } from '../table.js';

interface CheckOptions {
  readonly data: string;
  readonly deep?: boolean;
  readonly threads?: number;
  readonly allowUnusable?: boolean;
}

/** `vssl-native check`: which files of a data set can be used, and why not. */
export function registerCheck(program: Command): void {
  addCommonOptions(program.command('check'))
    .description('look at every video of a data set and list what cannot be used, and why')
    .requiredOption('--data <path>', 'folder, manifest, shards (tar:PATH) or video file')
    .option('--deep', 'decode every picture, not only the first, the middle and the last')
    .option('--threads <n>', 'files looked at at once (default: all processors)', parseCount)
    .option('--allow-unusable', 'exit 0 although some videos are unusable (all of them: still 4)')
    .action(
      runAction<CheckOptions>(async (context, options) => {
        needsNoGpu();
        const { data, deep, threads, allowUnusable = false } = options;
        const { checkVideos } = await import('../../prepare/check-videos.js');
        const { logger, print, signal } = context;
        const result = await metered(context, 'checked', (onProgress) =>
          checkVideos({ data, deep, threads, signal, onProgress }),
        );
        const odd = result.files.filter(({ status }) => status !== 'ok');
        if (odd.length > 0)
          print(
            formatTable(
              [{ title: 'status' }, { title: 'file' }, { title: 'reason' }],
              odd.map(({ status, path, reason = '' }) => [status, path, reason]),
            ),
          );
        print(
          `${result.files.length} videos: ${result.ok} ok, ${result.warning} with a warning, ${result.unusable} unusable`,
        );
        if (result.unusable === result.files.length) {
          logger.error(`no video of ${data} can be used`);
          process.exitCode = 4;
        } else if (result.unusable > 0 && !allowUnusable) process.exitCode = 1;
        return result;
      }),
    );
}
