/** Flags of the commands that train: entries of the configuration, some of them under a name of their own. */
import { InvalidArgumentError, Option } from 'commander';
import { type DeviceChoice, isDeviceChoice } from '../checks.js';

export interface ConfigFlags {
  readonly set: readonly string[];
  readonly device?: DeviceChoice;
  readonly seed?: number;
  readonly threads?: number;
}

export function setOption(description: string): Option {
  return repeatable('--set <key=value>', description);
}

/** An option that may be given several times; none: an empty list. */
export function repeatable(flags: string, description: string): Option {
  return new Option(flags, `${description}; repeatable`)
    .argParser((value: string, before: readonly string[]) => [...before, value])
    .default([], 'none');
}

export function deviceOption(description: string): Option {
  return new Option('--device <auto|cpu|cuda|cuda:N>', description).argParser(parseDevice);
}

function parseDevice(text: string): DeviceChoice {
  if (isDeviceChoice(text)) return text;
  throw new InvalidArgumentError('Allowed choices are auto, cpu, cuda, and cuda:0, cuda:1...');
}

/** All of them as `a.b=c`. Named flags come last: they beat --set. */
export function settingsOf({ set, device, seed, threads }: ConfigFlags): string[] {
  const named = Object.entries({ device, seed, threads }).filter(([, value]) => value !== undefined);
  return [...set, ...named.map(([key, value]) => `train.${key}=${value}`)];
}
