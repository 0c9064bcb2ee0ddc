import { type Command, InvalidArgumentError, Option } from 'commander';
import { VsslError } from '../../errors.js';
import type { EmbedForEvaluationOptions } from '../../eval/embed-for-evaluation.js';
import type { EvaluateOptions, Protocol } from '../../eval/evaluation-options.js';
import type { PoolGrid } from '../../eval/feature-extractor.js';
import { metered, parseCount, parseCounts, parseNumber, parseSeed } from '../action-helpers.js';
import { addEncoderOptions, type EncoderFlags, encoderOptions, weightsOf } from '../encoder-flags.js';
import { formatEvaluation } from '../format-evaluation.js';
import { type ActionContext, addCommonOptions, runAction } from '../run-action.js';
import { registerEvalClaims } from './eval-claims.js';
import { registerEvalTuned } from './eval-tuned.js';

interface EvalFlags extends EncoderFlags {
  readonly train?: string;
  readonly test?: string;
  readonly data?: string;
  readonly folds?: string;
  readonly windows?: number;
  readonly crops?: '1' | '3';
  readonly frames?: number;
  readonly pool?: PoolGrid;
  readonly baseline?: 'random';
  readonly baselineSeed?: number;
  readonly floors?: boolean;
  readonly beside?: string;
  readonly out?: string;
  readonly shard?: string;
  readonly features?: string;
  // knn and retrieval
  readonly standardize?: boolean;
  // knn and linear
  readonly confusion?: boolean;
  // knn
  readonly k?: number;
  readonly weighting?: 'majority' | 'softmax';
  readonly temperature?: number;
  // linear
  readonly weightDecay?: number;
  readonly factors?: true | string;
  // lowshot
  readonly shots?: readonly number[];
  readonly draws?: number;
  // lowshot and retrieval
  readonly seed?: number;
}

/** `vssl-native eval knn|linear|lowshot|retrieval|finetune|attentive|claims`: what a trained encoder's features are worth. */
export function registerEval(program: Command): void {
  const group = program.command('eval').description('evaluate a trained encoder on labelled videos');
  addProtocol(group, 'knn', 'labels by the nearest neighbours in feature space')
    .option('--k <n>', 'neighbours that vote (default: 5)', parseCount)
    .addOption(
      new Option('--weighting <how>', 'of the votes (default: majority)').choices(['majority', 'softmax']),
    )
    .option('--temperature <t>', 'of softmax votes (default: 0.07)', parseNumber)
    .option(...standardizeOption)
    .option(...confusionOption)
    .action(
      evalAction('knn', ({ k, weighting, temperature, standardize }) => ({
        k,
        weighting,
        temperature,
        standardize,
      })),
    );
  addProtocol(group, 'linear', 'a linear classifier on frozen features')
    .option(
      '--weight-decay <d>',
      'L2 penalty (default: chosen by validation inside the training videos)',
      parseNumber,
    )
    .option(
      '--factors [columns]',
      'also probe what else the features tell: columns of the data, separated by commas (default: all)',
    )
    .option(...confusionOption)
    .action(
      evalAction('linear', ({ weightDecay, factors }) => ({
        weightDecay,
        factors: typeof factors === 'string' ? factors.split(',') : factors,
      })),
    );
  addProtocol(group, 'lowshot', 'a linear classifier on frozen features of a few labelled videos a class')
    .option('--shots <list>', 'labelled videos of a class (default: 1,5,10)', parseCounts)
    .option('--draws <n>', 'times that they are drawn (default: 10)', parseCount)
    .option('--seed <n>', 'of the draws (default: 0)', parseSeed)
    .option('--weight-decay <d>', 'L2 penalty (default: 0.1)', parseNumber)
    .action(
      evalAction('lowshot', ({ shots, draws, seed, weightDecay }) => ({ shots, draws, seed, weightDecay })),
    );
  addProtocol(
    group,
    'retrieval',
    'R@1/5/10/20/50, MAP@R and NMI: same label, and same video from another window',
  )
    .option('--seed <n>', 'of the windows and augmentations of instance retrieval (default: 0)', parseSeed)
    .option(...standardizeOption)
    .action(evalAction('retrieval', ({ seed, standardize }) => ({ seed, standardize })));
  registerEvalTuned(group);
  registerEvalClaims(group);
}

const standardizeOption = [
  '--standardize',
  'also on features that are shifted and scaled by the mean and deviation of the training videos',
] as const;

const confusionOption = ['--confusion', 'also show which classes are taken for which'] as const;

function addProtocol(group: Command, name: Protocol, description: string): Command {
  return addEncoderOptions(addCommonOptions(group.command(name)), 'fp32')
    .description(description)
    .option(
      '--train <path>',
      'labelled training (gallery) videos; may be narrowed: PATH?group=set1_*&label=walk',
    )
    .option('--test <path>', 'test (query) videos')
    .option('--data <path>', 'one set for both, instead of --train and --test')
    .option(
      '--folds <column>',
      "with --data: hold out each value of this column in turn ('group'), or K folds ('group:5')",
    )
    .option('--windows <n>', 'windows of a video whose vectors are averaged (default: 3)', parseCount)
    .addOption(new Option('--crops <n>', 'crops of a window (default: 1, the centre)').choices(['1', '3']))
    .option(
      '--frames <n>',
      'frames of a clip, with the stride of training (default: as in training)',
      parseCount,
    )
    .option(
      '--pool <cells>',
      'cells of time, height and width of the feature map, put side by side: 1x2x2 (default: 1x1x1)',
      parsePool,
    )
    .addOption(new Option('--baseline <name>', 'also the same architecture untrained').choices(['random']))
    .option('--baseline-seed <n>', "of the baseline's weights (default: 0)", parseSeed)
    .option('--floors', 'also what raw pixels achieve')
    .option('--beside <run>', 'run folder or weights file of a second encoder, whose features stand beside')
    .option(
      '--out <file>',
      'file for the result, as JSON (default: with --run, one of its own in the run folder)',
    )
    .option(
      '--shard <i/n>',
      "embed part i of n of the videos, from 0/n, into --out, and evaluate nothing; 'merge' makes one file of all",
    )
    .option('--features <file>', "what '--shard' and 'merge' have embedded, instead of embedding");
}

/** `1x2x2`, for commander. */
function parsePool(text: string): PoolGrid {
  const cells = text.split('x').map(parseCount);
  if (cells.length !== 3) throw new InvalidArgumentError('expected three numbers such as 1x2x2');
  return cells as unknown as PoolGrid;
}

function evalAction(protocol: Protocol, own: (flags: EvalFlags) => Record<string, unknown>) {
  return runAction<EvalFlags>(async (context, flags) => {
    weightsOf(flags);
    const { run, weights, train, test, data, folds, windows, crops, baseline, baselineSeed, floors } = flags;
    const { shard, features, beside, out, frames, pool } = flags;
    const { signal } = context;
    const options = {
      protocol,
      ...{
        run,
        weights,
        beside,
        features,
        train,
        test,
        data,
        folds,
        windows,
        frames,
        pool,
        baseline,
        baselineSeed,
        floors,
        out,
        signal,
      },
      crops: crops === '3' ? 3 : 1,
      ...encoderOptions(flags),
      ...own(flags),
    } as EvaluateOptions;
    if (shard !== undefined) return await embedShare(context, { ...options, shard, out: outOf(out) });
    const { evaluate } = await import('../../eval/evaluate.js');
    const result = await metered(context, '', (count) => evaluate({ ...options, onProgress: staged(count) }));
    context.print(formatEvaluation(result, { confusion: flags.confusion }));
    if (result.file) context.logger.info(`written to ${result.file}`);
    return result;
  });
}

/** `--shard`: what the evaluation needs of some of the videos. */
async function embedShare(context: ActionContext, options: EmbedForEvaluationOptions) {
  const { embedForEvaluation } = await import('../../eval/embed-for-evaluation.js');
  const result = await metered(context, '', (count) =>
    embedForEvaluation({ ...options, onProgress: staged(count) }),
  );
  const left = result.failures.length > 0 ? `, ${result.failures.length} videos left out` : '';
  context.print(`${result.count} vectors in ${result.out}${left} (${result.seconds.toFixed(1)} s)`);
  return result;
}

function staged(count: (done: number, total: number, what: string) => void) {
  return ({ stage, done, total }: { stage: string; done: number; total: number }) =>
    count(done, total, `${stage}:`);
}

function outOf(out: string | undefined): string {
  if (out !== undefined) return out;
  throw new VsslError(
    'ERR_VSSL_USAGE',
    '--shard writes features: name a file for them, --out part-0.safetensors',
  );
}
