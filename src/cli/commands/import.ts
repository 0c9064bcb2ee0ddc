import { type Command, InvalidArgumentError, Option } from 'commander';
import type { InputKind } from '../../data/plan.js';
import type { ImportResult } from '../../exchange/import-weights.js';
import type { Inflation } from '../../exchange/inflate.js';
import { parseCount, parseNumber } from '../action-helpers.js';
import { addCommonOptions, runAction } from '../run-action.js';

interface ImportFlags {
  readonly out: string;
  readonly arch?: string;
  readonly width?: number;
  readonly inflate?: Inflation;
  readonly frames?: number;
  readonly stride?: number;
  readonly size?: number;
  readonly fps?: number | null;
  readonly input?: InputKind;
  readonly mean?: [number, number, number];
  readonly std?: [number, number, number];
}

/** `vssl-native import`: weights of other libraries as an encoder file. */
export function registerImport(program: Command): void {
  addCommonOptions(program.command('import'))
    .description(
      'make an encoder file of weights of torchvision, SlowFast, pytorchvideo, or of a ResNet of pictures',
    )
    .argument('<file>', 'weights: .safetensors, or what torch.save wrote (.pth, .pt, .pyth)')
    .requiredOption('--out <file>', 'encoder file to write (.safetensors)')
    .option('--arch <name>', 'architecture (default: the one that the tensors fit)')
    .option('--width <factor>', 'on channel counts (default: what the tensors have)', parseNumber)
    .addOption(
      new Option('--inflate <how>', 'what kernels of pictures become in time (default: mean)').choices([
        'mean',
        'centre',
      ]),
    )
    .option('--frames <n>', "of a clip (this and the next: default of the weights' library)", parseCount)
    .option('--stride <n>', 'frames from one frame of a clip to the next', parseCount)
    .option('--size <pixels>', 'height and width of a clip', parseCount)
    .option('--fps <rate|own>', "frames a second that the stride counts, or each video's own", parseRate)
    .addOption(
      new Option('--input <kind>', 'what is done to pixels first (default: rgb)').choices([
        'rgb',
        'temporal-mean-removed',
        'difference',
      ]),
    )
    .option('--mean <r,g,b>', 'subtracted, on values from 0 to 1', parseTriple)
    .option('--std <r,g,b>', 'divided by', parseTriple)
    .action(
      runAction<ImportFlags>(async ({ print, logger }, flags, [weights]) => {
        const { out, arch, width, inflate, input, mean, std } = flags;
        const { importWeights } = await import('../../exchange/import-weights.js');
        const result = await importWeights({
          ...{ weights: weights as string, out, arch, width, inflate, clip: clipOf(flags), input, mean, std },
        });
        for (const warning of result.warnings) logger.warn(warning);
        print(describe(result));
        return result;
      }),
    );
}

/** Those that were given. */
function clipOf({ frames, stride, size, fps }: ImportFlags) {
  const given = Object.entries({ frames, stride, size, fps }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given);
}

function parseRate(text: string): number | null {
  return text === 'own' ? null : parseNumber(text);
}

function parseTriple(text: string): [number, number, number] {
  const values = text.split(',').map(Number);
  if (values.length !== 3 || !values.every(Number.isFinite))
    throw new InvalidArgumentError('expected three numbers, such as 0.45,0.45,0.45');
  return values as [number, number, number];
}

function describe({ out, from, arch, width, dim, clip, mean, std, leftOut }: ImportResult): string {
  const { frames, stride, size, fps } = clip;
  const rate = fps === null ? '' : ` at ${fps} frames a second`;
  const left = leftOut.length === 0 ? '' : `; ${leftOut.length} tensors left out, such as ${leftOut[0]}`;
  return [
    `${out}: ${arch} of width ${width}, ${dim} numbers a clip, from ${from}${left}`,
    `clips: ${frames} frames with stride ${stride}${rate}, ${size} x ${size}, mean ${mean.join(' ')}, std ${std.join(' ')}`,
  ].join('\n');
}
