import type { BaseConfigInput } from '../schema.js';

/** Named settings that a configuration can start from. */
export interface Preset {
  readonly name: string;
  /** One sentence for people. */
  readonly description: string;
  readonly config: BaseConfigInput & { readonly [slice: string]: unknown };
}

/** A preset as its file writes it down; its name becomes one of PresetName. */
export function definePreset<const Name extends string>(
  preset: Preset & { readonly name: Name },
): Preset & { readonly name: Name } {
  return preset;
}
