import type { BaseConfigInput } from '../schema.js';

/** Named settings that a configuration can start from. */
export interface Preset {
  readonly name: string;
  /** One sentence for people. */
  readonly description: string;
  readonly config: BaseConfigInput & { readonly [slice: string]: unknown };
}
