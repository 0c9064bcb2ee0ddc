import { type Command, Option } from 'commander';
import type { ExportedFile, Layout, WeightType } from '../../exchange/layouts.js';
import type { OnnxInput } from '../../exchange/onnx-graph.js';
import { weightsOf } from '../encoder-flags.js';
import { addCommonOptions, runAction } from '../run-action.js';

interface ExportFlags {
  readonly run?: string;
  readonly weights?: string;
  readonly out: string;
  readonly layout?: Layout;
  readonly encoder?: string;
  readonly dtype?: WeightType;
  readonly input?: OnnxInput;
  readonly license?: string;
  readonly card: boolean;
}

/** `vssl-native export`: a trained encoder as a file for others. */
export function registerExport(program: Command): void {
  addCommonOptions(program.command('export'))
    .description('write a trained encoder for PyTorch, ONNX or another project, with a model card')
    .option('--run <dir>', 'run folder with the trained encoder')
    .option('--weights <file>', 'weights file (.safetensors), instead of --run')
    .requiredOption(
      '--out <path>',
      'file (.safetensors, .onnx), or a folder: names there say what a file holds and end in its hash',
    )
    .addOption(
      new Option('--layout <name>', 'default: onnx for a file that ends so, else vssl').choices([
        'vssl',
        'torchvision',
        'onnx',
      ]),
    )
    .option('--encoder <name>', "one of the run's encoders (default: the one that is evaluated)")
    .addOption(
      new Option('--dtype <name>', 'of the weights in the file (default: fp32)').choices([
        'fp32',
        'fp16',
        'bf16',
      ]),
    )
    .addOption(
      new Option(
        '--input <name>',
        'what an ONNX file takes: clips of normalised floats (default), or frames of bytes',
      ).choices(['clips', 'frames']),
    )
    .option('--license <name>', 'put into the file and the card, such as cc-by-4.0')
    .option('--no-card', 'write no model card (README.md) beside')
    .action(
      runAction<ExportFlags>(async ({ print }, flags) => {
        const weights = weightsOf(flags);
        const { out, layout, encoder, dtype, input, license, card } = flags;
        const { exportWeights } = await import('../../exchange/export-weights.js');
        const result = await exportWeights({ weights, out, layout, encoder, dtype, input, license, card });
        print(describe(result));
        return result;
      }),
    );
}

function describe({ file, arch, width, layout, dtype, bytes, sha256, card }: ExportedFile): string {
  const what = `${arch}${width === 1 ? '' : ` of width ${width}`}, ${layout}, ${dtype}`;
  return [
    `${file}: ${what}, ${(bytes / 1e6).toFixed(1)} MB, sha256 ${sha256}`,
    ...(card === undefined ? [] : [`model card: ${card}`]),
  ].join('\n');
}
