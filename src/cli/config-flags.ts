/** Flags of the commands that train: entries of the configuration, some of them under a name of their own. */
import { Option } from 'commander';

export interface ConfigFlags {
  readonly set: readonly string[];
  readonly device?: 'auto' | 'cpu' | 'cuda';
  readonly seed?: number;
  readonly threads?: number;
}

export function setOption(description: string): Option {
  return new Option('--set <key=value>', `${description}; repeatable`)
    .argParser((value: string, before: readonly string[]) => [...before, value])
    .default([], 'none');
}

export function deviceOption(description: string): Option {
  return new Option('--device <name>', description).choices(['auto', 'cpu', 'cuda']);
}

/** All of them as `a.b=c`. Named flags come last: they beat --set. */
export function settingsOf({ set, device, seed, threads }: ConfigFlags): string[] {
  const named = Object.entries({ device, seed, threads }).filter(([, value]) => value !== undefined);
  return [...set, ...named.map(([key, value]) => `train.${key}=${value}`)];
}
