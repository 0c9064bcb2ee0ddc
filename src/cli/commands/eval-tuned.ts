import { type Command, Option } from 'commander';
import type { TunedEvaluationOptions, TunedEvent, TunedProtocol } from '../../tune/tune-options.js';
import { leftOut, parseCount, parseSeed, unlessStopped } from '../action-helpers.js';
import { type ConfigFlags, deviceOption, setOption } from '../config-flags.js';
import { weightsOf } from '../encoder-flags.js';
import { formatEvaluation } from '../format-evaluation.js';
import type { Logger } from '../logger.js';
import { createProgress, type Progress } from '../progress.js';
import { addCommonOptions, runAction } from '../run-action.js';

interface TunedFlags extends ConfigFlags {
  readonly run?: string;
  readonly weights?: string;
  readonly train?: string;
  readonly test?: string;
  readonly data?: string;
  readonly folds?: string;
  readonly preset?: string;
  readonly runs?: string;
  readonly windows?: number;
  readonly crops?: '1' | '3';
  readonly baseline?: 'random';
  readonly baselineSeed?: number;
  readonly floors?: boolean;
  readonly out?: string;
  readonly confusion?: boolean;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

/** `vssl-native eval finetune|attentive`: what the network comes to when it learns the labels. */
export function registerEvalTuned(group: Command): void {
  addTuned(group, 'finetune', 'train the whole network on the labels, beginning with the given weights');
  addTuned(group, 'attentive', 'train a query that attends to the feature map; the network stays as it is');
}

function addTuned(group: Command, protocol: TunedProtocol, description: string): void {
  addCommonOptions(group.command(protocol))
    .description(description)
    .option('--run <dir>', 'run folder with the trained encoder')
    .option('--weights <file>', 'weights file (.safetensors), instead of --run; needs --runs')
    .option('--train <path>', 'labelled training videos; may be narrowed: PATH?group=set1_*&label=walk')
    .option('--test <path>', 'test videos')
    .option('--data <path>', 'one set for both, instead of --train and --test')
    .option(
      '--folds <column>',
      "with --data: hold out each value of this column in turn, or K folds ('group:5')",
    )
    .option(
      '--preset <name>',
      `settings of the training, such as ${protocol}-ucf101 (default: ${protocol}-tiny); network and clips are those of the weights`,
    )
    .addOption(setOption('one entry of the configuration'))
    .option('--seed <n>', 'of the training (default: 0)', parseSeed)
    .option(
      '--runs <dir>',
      'folder of the runs, which a later call goes on with (default: in the run folder)',
    )
    .option(
      '--windows <n>',
      'windows of a test video whose probabilities are averaged (default: 10)',
      parseCount,
    )
    .addOption(new Option('--crops <n>', 'crops of a window (default: 3)').choices(['1', '3']))
    .addOption(
      new Option('--baseline <name>', 'also the same training on the same architecture untrained').choices([
        'random',
      ]),
    )
    .option('--baseline-seed <n>', "of the baseline's weights (default: 0)", parseSeed)
    .option('--floors', 'also what a linear probe of raw pixels achieves')
    .option('--confusion', 'also show which classes are taken for which')
    .option(
      '--out <file>',
      'file for the result, as JSON (default: with --run, one of its own in the run folder)',
    )
    .addOption(deviceOption('where to compute (default: auto)'))
    .option('--threads <n>', 'threads of the network', parseCount)
    .action(tunedAction(protocol));
}

function tunedAction(protocol: TunedProtocol) {
  return runAction<TunedFlags>(async ({ logger, print, signal }, flags) => {
    weightsOf(flags);
    const { crops, confusion, json: _json, verbose: _verbose, ...rest } = flags;
    const { evaluateTuned } = await import('../../tune/evaluate-tuned.js');
    const show = createReporter(logger);
    const options = {
      protocol,
      ...rest,
      ...(crops && { crops: crops === '3' ? 3 : 1 }),
      signal,
      onEvent: show.onEvent,
    } as TunedEvaluationOptions;
    const result = await unlessStopped(signal, evaluateTuned(options).finally(show.close));
    for (const warning of result.warnings) logger.warn(warning);
    for (const failure of result.failures) logger.warn(leftOut(failure));
    print(formatEvaluation(result, { confusion }));
    if (result.file) logger.info(`written to ${result.file}`);
    return result;
  });
}

/** A line a run, and the progress of the one that is trained. */
function createReporter({ info: say }: Pick<Logger, 'info'>) {
  let progress: Progress | null = null;
  const close = () => {
    progress?.close();
    progress = null;
  };
  const onEvent = (event: TunedEvent) => {
    if (event.type === 'train') {
      progress ??= createProgress();
      progress.onEvent(event.event);
      return;
    }
    if (event.type === 'test' && event.done > 1) return;
    close();
    if (event.type === 'run') say(`run ${event.number} of ${event.total}: ${event.name}, in ${event.folder}`);
    else say(`testing ${event.total} videos`);
  };
  return { onEvent, close };
}
