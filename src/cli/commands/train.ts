import type { Command } from 'commander';
import { VsslError } from '../../errors.js';
import type { TrainResult } from '../../train/events.js';
import { rankPlace } from '../../train/rank-place.js';
import type { TrainRun } from '../../train/train-run.js';
import { parseCount, parseSeed } from '../action-helpers.js';
import { type ConfigFlags, deviceOption, setOption, settingsOf } from '../config-flags.js';
import { endWithLauncher, launchRanks } from '../launch-ranks.js';
import { addMethodsOption } from '../own-methods.js';
import { createProgress, formatDuration } from '../progress.js';
import { addCommonOptions, runAction } from '../run-action.js';

interface TrainFlags extends ConfigFlags {
  readonly config?: string;
  readonly preset?: string;
  readonly data?: string;
  readonly out?: string;
  readonly resume: string;
  readonly init?: string;
  readonly maxSteps?: number;
  readonly indexFirst?: boolean;
  readonly ranks?: number;
  readonly rankTimeout?: number;
}

/** `vssl-native train`: a run from a configuration to an encoder. */
export function registerTrain(program: Command): void {
  addMethodsOption(addCommonOptions(program.command('train')))
    .description('train an encoder on a folder or list of videos')
    .option('--config <file>', 'configuration, YAML or JSON')
    .option('--preset <name>', "settings to start from; 'vssl-native presets' lists them")
    .option('--data <path>', 'videos: folder, manifest or shards (tar:PATH); PATH?column=glob narrows it')
    .option('--out <dir>', 'run folder')
    .addOption(setOption('one entry of the configuration'))
    .addOption(deviceOption('where the network runs'))
    .option('--resume <auto|never|file>', 'auto goes on with an unfinished run; never replaces it', 'auto')
    .option(
      '--init <file>',
      'weights that a new run begins with: an encoder file, or of torchvision, SlowFast, pytorchvideo (.pth too)',
    )
    .option('--seed <n>', 'seed of weights, order and augmentation', parseSeed)
    .option('--max-steps <n>', 'stop when so many steps are done; the schedule stays the same', parseCount)
    .option('--index-first', 'look at every file before the first step, not when it is first drawn')
    .option('--threads <n>', 'threads of the network', parseCount)
    .option('--ranks <n>', 'processes of this machine that train together', parseCount)
    .option('--rank-timeout <seconds>', 'time that a rank waits for the others (default: 600)', parseCount)
    .action(
      runAction<TrainFlags>(async ({ print, signal }, flags) => {
        const { config: file, preset, data, out, maxSteps, resume, init, indexFirst, rankTimeout } = flags;
        if (file === undefined && preset === undefined)
          throw new VsslError(
            'ERR_VSSL_USAGE',
            "say what to train: --preset NAME (such as cvrl-tiny; 'vssl-native presets' lists them) or --config FILE",
          );
        const place = rankPlace();
        if (place && flags.ranks !== undefined && flags.ranks !== place.size)
          throw new VsslError(
            'ERR_VSSL_USAGE',
            `--ranks ${flags.ranks} starts processes of its own, but a launcher has started ${place.size} already; leave --ranks out`,
          );
        if (!place && (flags.ranks ?? 1) > 1) {
          process.exitCode = await launchRanks(flags.ranks!, signal);
          return;
        }
        endWithLauncher();
        const { loadConfig } = await import('../../methods/config.js');
        const config = loadConfig({ file, preset, set: settingsOf(flags) });
        const { train } = await import('../../train/train.js');
        const { createKnnHook } = await import('../../eval/knn-hook.js');
        const evaluation = createKnnHook(config);
        const hooks = evaluation ? [evaluation] : [];
        const result = await follow(
          train(config, {
            ...{ signal, hooks, resume, init, data, out, maxSteps, indexFirst },
            ...{ ranks: place, rankTimeout },
          }),
          signal,
        );
        if (place && place.rank > 0) return; // rank 0 speaks for all
        print(summary(result));
        return result;
      }),
    );
}

/** Shows the events of a run until it ends. */
async function follow(run: TrainRun, signal: AbortSignal): Promise<TrainResult> {
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
  return run.result;
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

function summary(result: TrainResult): string {
  const { stepsDone, out, step, totalSteps, seconds, clipsPerSecond, dataWait, loss, weights } = result;
  if (stepsDone === 0) return `nothing to do: ${out} has done ${step} of ${totalSteps} steps`;
  return (
    `${stepsDone} steps in ${formatDuration(seconds)} (${clipsPerSecond.toPrecision(3)} clips/s, ` +
    `${(100 * dataWait).toFixed(1)} % waiting for data), loss ${loss?.toFixed(4)}\nweights: ${weights}`
  );
}
