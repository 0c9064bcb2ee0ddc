import type { Command } from 'commander';
import type { ClaimsEvent } from '../../claims/run-claims.js';
import { VsslError } from '../../errors.js';
import { leftOut, parseCount, parseSeed, unlessStopped } from '../action-helpers.js';
import { type ConfigFlags, deviceOption, setOption, settingsOf } from '../config-flags.js';
import { formatClaimList, formatClaims } from '../format-claims.js';
import type { Logger } from '../logger.js';
import { addMethodsOption } from '../own-methods.js';
import { createProgress, type Progress } from '../progress.js';
import { type ActionContext, addCommonOptions, runAction } from '../run-action.js';

interface ClaimsFlags extends ConfigFlags {
  readonly method?: string;
  readonly data?: string;
  readonly test?: string;
  readonly folds?: string;
  readonly budget?: number;
  readonly seeds: number;
  readonly firstSeed?: number;
  readonly out?: string;
  readonly claim?: readonly string[];
  readonly preset?: string;
  readonly list?: boolean;
}

/** `vssl-native eval claims`: which orderings of a method's paper hold at small scale. */
export function registerEvalClaims(group: Command): void {
  addMethodsOption(addCommonOptions(group.command('claims')))
    .description("train a method's ablation arms and say which of its paper's orderings hold")
    .option('--method <name>', "whose claims; 'vssl-native methods' lists them")
    .option('--data <path>', 'videos to train on; {seed} in it stands for the seed of a run')
    .option('--test <path>', 'labelled test videos')
    .option('--folds <column>', "instead of --test: hold out this column's values in turn ('group:5')")
    .option('--budget <steps>', 'steps of each arm; its schedule is scaled to them', parseCount)
    .option('--seeds <n>', 'how many seeds; 2 are the least that give an interval', parseCount, 3)
    .option('--first-seed <n>', 'the first of them (default: 0)', parseSeed)
    .option('--out <dir>', 'folder of the runs, which a later call goes on with (default: claims/NAME)')
    .option('--claim <name...>', 'only these claims')
    .option('--preset <name>', 'settings that the arms change (default: NAME-tiny)')
    .addOption(setOption('one entry of the configuration of all arms'))
    .option('--list', 'show the claims and their arms; nothing is trained')
    .addOption(deviceOption('where to compute'))
    .option('--threads <n>', 'threads of the network', parseCount)
    .action(
      runAction<ClaimsFlags>((context, flags) =>
        flags.list ? listClaims(context, flags) : measureClaims(context, flags),
      ),
    );
}

async function listClaims({ print }: ActionContext, { method, claim }: ClaimsFlags) {
  const { listMethods, getMethod } = await import('../../methods/registry.js');
  const { withClaims } = await import('../../claims/plan-arms.js');
  const shown = withClaims(method === undefined ? listMethods() : [getMethod(method)], claim);
  print(formatClaimList(shown));
  return { methods: shown.map(({ name, claims }) => ({ name, claims })) };
}

async function measureClaims({ logger, print, signal }: ActionContext, flags: ClaimsFlags) {
  const { method, data, test, folds, budget, seeds, firstSeed, preset, device, threads } = flags;
  if (method === undefined || data === undefined || budget === undefined)
    throw new VsslError(
      'ERR_VSSL_USAGE',
      'expected --method NAME, --data PATH and --budget STEPS; --list shows what there is to claim',
    );
  const { runClaims } = await import('../../claims/run-claims.js');
  const show = createReporter(logger);
  const result = await unlessStopped(
    signal,
    runClaims({
      ...{ method, data, test, folds, budget, seeds, firstSeed, preset, signal, device, threads },
      out: flags.out ?? `claims/${method}`,
      claims: flags.claim,
      set: settingsOf({ set: flags.set, device, threads }),
      onEvent: show.onEvent,
    }).finally(show.close),
  );
  print(formatClaims(result));
  logger.info(`written to ${result.file}`);
  return result;
}

/** A line a run, and the progress of the one that is trained. */
function createReporter({ info: say, warn }: Pick<Logger, 'info' | 'warn'>) {
  let progress: Progress | null = null;
  const close = () => {
    progress?.close();
    progress = null;
  };
  const onEvent = (event: ClaimsEvent) => {
    switch (event.type) {
      case 'run':
        close();
        say(`run ${event.number} of ${event.total}: '${event.arm}', seed ${event.seed}, in ${event.folder}`);
        break;
      case 'train':
        progress ??= createProgress();
        progress.onEvent(event.event);
        break;
      case 'measure':
        close();
        say(`measuring: ${event.measure}`);
        break;
      case 'warning':
        close();
        warn(event.message);
        break;
      case 'left-out':
        close();
        warn(leftOut(event));
        break;
      case 'failed':
        close();
        say(`'${event.arm}', seed ${event.seed}, failed: ${event.reason}`);
    }
  };
  return { onEvent, close };
}
