import { type Command, Option } from 'commander';
import type { DeviceChoice } from '../checks.js';
import type { Precision } from '../embed/encoder-options.js';
import { VsslError } from '../errors.js';
import { parseCount } from './action-helpers.js';
import { deviceOption } from './config-flags.js';

/** Flags of every command that uses a trained encoder. */
export interface EncoderFlags {
  readonly run?: string;
  readonly weights?: string;
  readonly device?: DeviceChoice;
  readonly threads?: number;
  readonly precision?: Precision;
}

/** `precision`: what it is where nothing is said. */
export function addEncoderOptions(command: Command, precision: string): Command {
  return command
    .option('--run <dir>', 'run folder with the trained encoder')
    .option('--weights <file>', 'weights file (.safetensors), instead of --run')
    .addOption(deviceOption('where to compute (default: auto)'))
    .addOption(
      new Option('--precision <name>', `of the network (default: ${precision})`).choices(['fp32', 'bf16']),
    )
    .option(
      '--threads <n>',
      'threads of the network and of the decoder (default: all processors)',
      parseCount,
    );
}

/** The run folder or weights file; exactly one must be given. */
export function weightsOf({ run, weights }: EncoderFlags): string {
  const given = run ?? weights;
  if (given === undefined || (run !== undefined && weights !== undefined))
    throw new VsslError('ERR_VSSL_USAGE', 'expected either --run DIR or --weights FILE');
  return given;
}

export function encoderOptions({ device, threads, precision }: EncoderFlags) {
  return { device, threads, precision };
}
