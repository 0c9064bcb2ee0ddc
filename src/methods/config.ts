/** The configuration of this package's methods: src/config with the registry of src/methods filled in. */
import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import {
  type CellOptions,
  configJsonSchemaWith,
  type LoadOptions,
  loadCellWith,
  loadConfigWith,
  type Preset,
  resolveConfigWith,
} from '../config/load.js';
import type { BaseConfigInput, ResolvedConfig } from '../config/schema.js';
import type { Method } from './method.js';
import { type AnyMethod, allMethods, getMethod } from './registry.js';

/**
 * What a user may write: every key is optional but `method` (or `extends`, a preset that has one). `Own` are the types of
 * methods of one's own: `TrainConfig<typeof toy>`.
 */
export type TrainConfig<Own extends Method = never> = Partial<BaseConfigInput> & {
  readonly extends?: (AnyMethod | Own)['presets'][number]['name'];
  readonly method?: (AnyMethod | Own)['name'];
} & { readonly [M in AnyMethod | Own as M['name']]?: z.input<M['configSchema']> };

/** preset < file (`extends:` a preset) < --set. Throws ERR_VSSL_CONFIG naming the key. */
export function loadConfig(options: LoadOptions): ResolvedConfig {
  return loadConfigWith(allMethods(), options);
}

/** One run of several: what is laid over a configuration comes last. Throws ERR_VSSL_CONFIG naming the key. */
export function loadCell(options: CellOptions): ResolvedConfig {
  return loadCellWith(allMethods(), options);
}

/** Checks a configuration object and fills in every default. Throws ERR_VSSL_CONFIG naming the key. */
export function resolveConfig<Own extends Method = never>(config: TrainConfig<Own>): ResolvedConfig {
  return resolveConfigWith(allMethods(), config);
}

/** JSON Schema of a configuration file, for editors. */
export function configJsonSchema(): Record<string, unknown> {
  return configJsonSchemaWith(allMethods());
}

/**
 * The preset whose network and clips a configuration has, where that is one that needs a GPU; of several, the one whose
 * options of the method it has too.
 */
export function gpuPresetOf(config: ResolvedConfig): Preset | undefined {
  const workOf = ({ model, data: { clip } }: ResolvedConfig) => [model, clip.frames, clip.size];
  const optionsOf = ({ data, train, ...options }: ResolvedConfig) => options;
  const alike = getMethod(config.method)
    .presets.filter(({ needsGpu }) => needsGpu)
    .map((preset) => ({ preset, resolved: resolveConfigWith(allMethods(), preset.config) }))
    .filter(({ resolved }) => isDeepStrictEqual(workOf(config), workOf(resolved)));
  const same = alike.find(({ resolved }) => isDeepStrictEqual(optionsOf(config), optionsOf(resolved)));
  return (same ?? alike[0])?.preset;
}
