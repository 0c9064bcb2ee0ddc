import { type Command, InvalidArgumentError } from 'commander';
import type { Protocol } from '../../eval/evaluation-options.js';
import type { SweepEvent, SweepResult } from '../../sweep/result.js';
import { parseCount, unlessStopped } from '../action-helpers.js';
import { type ConfigFlags, deviceOption, repeatable, setOption, settingsOf } from '../config-flags.js';
import { addMethodsOption } from '../own-methods.js';
import { type ActionContext, addCommonOptions, runAction } from '../run-action.js';
import { createSweepProgress } from '../sweep-progress.js';
import { formatTable } from '../table.js';

interface SweepFlags extends ConfigFlags {
  readonly config?: string;
  readonly preset?: string;
  readonly grid: readonly string[];
  readonly seeds?: number;
  readonly data?: string;
  readonly out: string;
  readonly jobs?: number;
  readonly maxSteps?: number;
  readonly eval?: readonly Protocol[];
  readonly test?: string;
  readonly folds?: string;
  readonly labelled?: string;
}

/** `vssl-native sweep`: many runs from one configuration. */
export function registerSweep(program: Command): void {
  addMethodsOption(addCommonOptions(program.command('sweep')))
    .description('train every combination of some settings with several seeds, and make one table of them')
    .option('--config <file>', 'configuration that the cells are laid over, YAML or JSON')
    .option('--preset <name>', "settings to start from; 'vssl-native presets' lists them")
    .addOption(
      repeatable('--grid <key=a,b>', "values that a key takes in turn; 'preset' and 'method' may be keys"),
    )
    .option('--seeds <n>', 'seeds 0 to n - 1 of each cell (default: 1)', parseCount)
    .option('--data <path>', 'videos to train on')
    .requiredOption('--out <dir>', 'folder of the cells; the same command goes on with what is there')
    .addOption(setOption('one entry of the configuration of all cells'))
    .option('--jobs <n>', 'runs trained at once, which share the processors (default: 1)', parseCount)
    .option('--threads <n>', 'processors for all of them together (default: all)', parseCount)
    .addOption(deviceOption('where the networks run'))
    .option('--max-steps <n>', 'stop each run when so many steps are done', parseCount)
    .option(
      '--eval <names>',
      'evaluate each run: knn, linear, retrieval, separated by commas',
      parseProtocols,
    )
    .option('--test <path>', 'with --eval: labelled test videos')
    .option('--folds <column>', "with --eval: hold out this column's values in turn instead ('group:5')")
    .option('--labelled <path>', 'with --eval: labelled videos, where those of --data have no labels')
    .action(runAction<SweepFlags>(runSweep));
}

function parseProtocols(text: string): Protocol[] {
  const names = text.split(',').map((name) => name.trim());
  const wrong = names.find((name) => !['knn', 'linear', 'retrieval'].includes(name));
  if (wrong !== undefined)
    throw new InvalidArgumentError(`there is no '${wrong}'; expected knn, linear, retrieval`);
  return names as Protocol[];
}

async function runSweep({ print, logger, signal }: ActionContext, flags: SweepFlags): Promise<SweepResult> {
  const {
    config: file,
    preset,
    seeds,
    data,
    out,
    jobs = 1,
    threads,
    maxSteps,
    test,
    folds,
    labelled,
  } = flags;
  const { parseChoices } = await import('../../config/read-file.js');
  const { configError } = await import('../../errors.js');
  const choices = flags.grid.map(parseChoices);
  const twice = choices.find(([key], i) => choices.findIndex(([other]) => other === key) < i);
  if (twice) throw configError(twice[0], 'stands twice in the grid; give all of its values in one --grid');
  const { sweep } = await import('../../sweep/sweep.js');
  const progress = createSweepProgress(logger, jobs);
  const result = await unlessStopped(
    signal,
    sweep({
      ...{ file, preset, seeds, data, out, jobs, threads, maxSteps, test, folds, labelled, signal },
      grid: Object.fromEntries(choices),
      set: settingsOf({ set: flags.set, device: flags.device }),
      evaluate: flags.eval,
      onEvent: (event: SweepEvent) => progress.onEvent(event),
    }).finally(() => progress.close()),
    'stopped, each run with a checkpoint; the same command goes on from there',
  );
  const { tableOf } = await import('../../sweep/summarise.js');
  const { columns, rows } = tableOf(result);
  print(
    formatTable(
      columns.map(({ title, isNumber }) => ({
        title,
        align: isNumber ? ('right' as const) : ('left' as const),
      })),
      rows,
    ),
  );
  print(`(${result.interval}.)`);
  logger.info(`written to ${result.files.markdown} and ${result.files.json}`);
  // the others are done, and told of
  if (result.failures.length > 0) process.exitCode = 1;
  return result;
}
