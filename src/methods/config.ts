/** The configuration of this package's methods: src/config with the registry of src/methods filled in. */
import type { z } from 'zod';
import { configJsonSchemaWith, type LoadOptions, loadConfigWith, resolveConfigWith } from '../config/load.js';
import type { BaseConfigInput, ResolvedConfig } from '../config/schema.js';
import { type AnyMethod, METHODS, type PresetName } from './registry.js';

/** What a user may write: every key is optional but `method` (or `extends`, a preset that has one). */
export type TrainConfig = Partial<BaseConfigInput> & {
  readonly extends?: PresetName;
  readonly method?: AnyMethod['name'];
} & { readonly [M in AnyMethod as M['name']]?: z.input<M['configSchema']> };

/** preset < file (`extends:` a preset) < --set. Throws ERR_VSSL_CONFIG naming the key. */
export function loadConfig(options: LoadOptions): ResolvedConfig {
  return loadConfigWith(METHODS, options);
}

/** Checks a configuration object and fills in every default. Throws ERR_VSSL_CONFIG naming the key. */
export function resolveConfig(config: TrainConfig): ResolvedConfig {
  return resolveConfigWith(METHODS, config);
}

/** JSON Schema of a configuration file, for editors. */
export function configJsonSchema(): Record<string, unknown> {
  return configJsonSchemaWith(METHODS);
}
