import { type Command, InvalidArgumentError, Option } from 'commander';
import { VsslError } from '../../errors.js';
import { createProgress, formatDuration } from '../progress.js';
import { addCommonOptions, runAction } from '../run-action.js';

interface TrainFlags {
  readonly config?: string;
  readonly preset?: string;
  readonly data?: string;
  readonly out?: string;
  readonly set: readonly string[];
  readonly device?: string;
  readonly resume: string;
  readonly seed?: number;
  readonly maxSteps?: number;
  readonly threads?: number;
}

/** `vssl-native train`: a run from a configuration to an encoder. */
export function registerTrain(program: Command): void {
  addCommonOptions(program.command('train'))
    .description('train an encoder on a folder or list of videos')
    .option('--config <file>', 'configuration, YAML or JSON')
    .option('--preset <name>', "settings to start from; 'vssl-native presets' lists them")
    .option('--data <path>', 'videos: a folder, or a manifest (CSV, JSON lines); PATH?column=glob narrows it')
    .option('--out <dir>', 'run folder')
    .addOption(
      new Option('--set <key=value>', 'one entry of the configuration; repeatable')
        .argParser(collect)
        .default([], 'none'),
    )
    .addOption(new Option('--device <name>', 'where the network runs').choices(['auto', 'cpu', 'cuda']))
    .option('--resume <auto|never|file>', 'auto goes on with an unfinished run; never replaces it', 'auto')
    .option('--seed <n>', 'seed of weights, order and augmentation', wholeFrom(0))
    .option('--max-steps <n>', 'stop when so many steps are done; the schedule stays the same', wholeFrom(1))
    .option('--threads <n>', 'threads of the network', wholeFrom(1))
    .action(
      runAction<TrainFlags>(async ({ print, signal }, flags) => {
        if (flags.config === undefined && flags.preset === undefined)
          throw new VsslError(
            'ERR_VSSL_USAGE',
            "say what to train: --preset NAME (such as cvrl-tiny; 'vssl-native presets' lists them) or --config FILE",
          );
        const { loadConfig } = await import('../../methods/config.js');
        const config = loadConfig({ file: flags.config, preset: flags.preset, set: settings(flags) });
        const { train } = await import('../../train/train.js');
        const { createKnnHook } = await import('../../eval/knn-hook.js');
        const evaluation = createKnnHook(config);
        const run = train(config, {
          signal,
          hooks: evaluation ? [evaluation] : [],
          resume: flags.resume,
          ...(flags.data === undefined ? {} : { data: flags.data }),
          ...(flags.out === undefined ? {} : { out: flags.out }),
          ...(flags.maxSteps === undefined ? {} : { maxSteps: flags.maxSteps }),
        });
        const progress = createProgress();
        const onStop = () =>
          progress.writeLine('stopping after this step, with a checkpoint; once more to stop at once');
        signal.addEventListener('abort', onStop, { once: true });
        let step = 0;
        try {
          for await (const event of run) {
            if (event.type === 'step') step = event.step;
            progress.onEvent(event);
          }
        } catch (error) {
          throw error === signal.reason ? stoppedAfter(step) : error;
        } finally {
          progress.close();
        }
        const result = await run.result;
        print(
          result.stepsDone === 0
            ? `nothing to do: ${result.out} has done ${result.step} of ${result.totalSteps} steps`
            : `${result.stepsDone} steps in ${formatDuration(result.seconds)} (${result.clipsPerSecond.toPrecision(3)} clips/s, ` +
                `${(100 * result.dataWait).toFixed(1)} % waiting for data), loss ${result.loss?.toFixed(4)}\n` +
                `weights: ${result.weights}`,
        );
        return result;
      }),
    );
}

function stoppedAfter(step: number): VsslError {
  return new VsslError(
    'ERR_VSSL_ABORTED',
    step === 0
      ? 'stopped before the first step of this call; nothing was trained'
      : `stopped after step ${step}, with a checkpoint; the same command goes on from there`,
    { details: { step } },
  );
}

/** Named flags come last: they beat --set. */
function settings({ set, device, seed, threads }: TrainFlags): string[] {
  return [
    ...set,
    ...(device === undefined ? [] : [`train.device=${device}`]),
    ...(seed === undefined ? [] : [`train.seed=${seed}`]),
    ...(threads === undefined ? [] : [`train.threads=${threads}`]),
  ];
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

function wholeFrom(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isSafeInteger(value) || value < least)
      throw new InvalidArgumentError(`Expected a whole number from ${least}.`);
    return value;
  };
}
