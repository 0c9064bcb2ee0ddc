import { type Command, InvalidArgumentError } from 'commander';
import type { ReportResult } from '../../run-report/write-report.js';
import { metered, parseCount, parseSeed, unlessStopped } from '../action-helpers.js';
import { deviceOption } from '../config-flags.js';
import type { EncoderFlags } from '../encoder-flags.js';
import { addCommonOptions, runAction } from '../run-action.js';

interface ReportFlags extends Pick<EncoderFlags, 'device' | 'threads'> {
  readonly run: readonly string[];
  readonly out: string;
  readonly data?: string;
  readonly clips?: number;
  readonly separate?: boolean;
  readonly maxSize?: number;
  readonly watch?: boolean;
  readonly port?: number;
}

/** `vssl-native report`: runs on one page, to look at and to hand on. */
export function registerReport(program: Command): void {
  addCommonOptions(program.command('report'))
    .description(
      'write one HTML page about runs: curves, evaluations, a map of clips, what augmentation does, what was left out',
    )
    .requiredOption('--run <dir...>', 'run folders; runs under way too')
    .requiredOption('--out <file>', 'the page, one file that needs nothing beside it')
    .option('--data <path>', 'videos of the map (default: those that the first run was trained on)')
    .option('--clips <n>', 'of them, so many are shown; 0: no map (default: 300)', parseSeed)
    .option('--separate', 'runs of different data, each with curves of its own')
    .option('--max-size <size>', 'of the file, such as 4MB: pictures get smaller (default: 15MB)', parseSize)
    .option('--watch', 'follow runs under way in a browser, until they end or Ctrl-C')
    .option('--port <n>', 'of the page that follows them (default: a free one)', parseSeed)
    .addOption(deviceOption('where to embed the clips (default: auto)'))
    .option(
      '--threads <n>',
      'threads of the network and of the decoder (default: all processors)',
      parseCount,
    )
    .action(
      runAction<ReportFlags>(async (context, flags) => {
        const { run: runs, out, data, clips, separate, maxSize: maxBytes, device, threads, port } = flags;
        const options = {
          runs,
          out,
          data,
          clips,
          separate,
          maxBytes,
          device,
          threads,
          signal: context.signal,
        };
        if (flags.watch) {
          const { watchReport } = await import('../../run-report/watch-report.js');
          const onListening = (url: string) => context.logger.info(`following the runs on ${url}`);
          const followed = watchReport({ ...options, port, onListening });
          const result = await unlessStopped(context.signal, followed);
          for (const warning of result.warnings) context.logger.warn(warning);
          context.print(tell(result));
          return result;
        }
        const { writeReport } = await import('../../run-report/write-report.js');
        const result = await metered(context, 'clips', (onProgress) =>
          writeReport({ ...options, onProgress }),
        );
        context.print(tell(result));
        return result;
      }),
    );
}

function tell({ out, bytes, runs, clips, seconds }: ReportResult): string {
  const what = runs.length === 1 ? '1 run' : `${runs.length} runs`;
  return `${out}: ${what}, ${clips} clips, ${(bytes / 1e6).toFixed(1)} MB (${seconds.toFixed(1)} s)`;
}

const UNITS = { kB: 1e3, MB: 1e6, GB: 1e9 } as const;

/** '4MB', '800kB'. */
function parseSize(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(kB|MB|GB)$/i.exec(text) ?? [];
  const known = (Object.keys(UNITS) as (keyof typeof UNITS)[]).find(
    (name) => name.toLowerCase() === unit?.toLowerCase(),
  );
  if (number === undefined || known === undefined)
    throw new InvalidArgumentError('expected a size such as 800kB, 4MB or 1GB');
  return Math.round(Number(number) * UNITS[known]);
}
