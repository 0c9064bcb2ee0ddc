import { type Command, Option } from 'commander';
import type { ClaimsEvent } from '../../claims/run-claims.js';
import { VsslError } from '../../errors.js';
import { leftOut, parseCount, unlessStopped } from '../action-helpers.js';
import { formatClaimList, formatClaims } from '../format-claims.js';
import type { Logger } from '../logger.js';
import { createProgress, type Progress } from '../progress.js';
import { addCommonOptions, runAction } from '../run-action.js';

interface ClaimsFlags {
  readonly method?: string;
  readonly data?: string;
  readonly test?: string;
  readonly folds?: string;
  readonly budget?: number;
  readonly seeds: number;
  readonly out?: string;
  readonly claim?: readonly string[];
  readonly preset?: string;
  readonly set: readonly string[];
  readonly list?: boolean;
  readonly device?: 'auto' | 'cpu' | 'cuda';
  readonly threads?: number;
}

/** `vssl-native eval claims`: which orderings of a method's paper hold at small scale. */
export function registerEvalClaims(group: Command): void {
  addCommonOptions(group.command('claims'))
    .description("train a method's ablation arms and say which of its paper's orderings hold")
    .option('--method <name>', "whose claims; 'vssl-native methods' lists them")
    .option('--data <path>', 'videos to train on; synthetic:motion keeps a test set of its own')
    .option('--test <path>', 'labelled test videos')
    .option('--folds <column>', "instead of --test: hold out this column's values in turn ('group:5')")
    .option('--budget <steps>', 'steps of each arm; its schedule is scaled to them', parseCount)
    .option('--seeds <n>', 'seeds 0 to n - 1; 2 are the least that give an interval', parseCount, 3)
    .option('--out <dir>', 'folder of the runs, which a later call goes on with (default: claims/NAME)')
    .option('--claim <name...>', 'only these claims')
    .option('--preset <name>', 'settings that the arms change (default: NAME-tiny)')
    .addOption(
      new Option('--set <key=value>', 'one entry of the configuration of all arms; repeatable')
        .argParser((value: string, before: readonly string[]) => [...before, value])
        .default([], 'none'),
    )
    .option('--list', 'show the claims and their arms; nothing is trained')
    .addOption(new Option('--device <name>', 'where to compute').choices(['auto', 'cpu', 'cuda']))
    .option('--threads <n>', 'threads of the network', parseCount)
    .action(
      runAction<ClaimsFlags>(async ({ logger, print, signal }, flags) => {
        const { listMethods, getMethod } = await import('../../methods/registry.js');
        if (flags.list) {
          const methods = flags.method === undefined ? listMethods() : [getMethod(flags.method)];
          const { withClaims } = await import('../../claims/plan-arms.js');
          const shown = withClaims(methods, flags.claim);
          print(formatClaimList(shown));
          return { methods: shown.map(({ name, claims }) => ({ name, claims })) };
        }
        const { method, data, budget, device, threads, set } = flags;
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
            ...{ method, data, budget, signal, device, threads },
            ...{ test: flags.test, folds: flags.folds, seeds: flags.seeds, preset: flags.preset },
            out: flags.out ?? `claims/${method}`,
            claims: flags.claim,
            set: [
              ...set,
              ...(device === undefined ? [] : [`train.device=${device}`]),
              ...(threads === undefined ? [] : [`train.threads=${threads}`]),
            ],
            onEvent: show.onEvent,
          }).finally(show.close),
        );
        print(formatClaims(result));
        logger.info(`written to ${result.file}`);
        return result;
      }),
    );
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
