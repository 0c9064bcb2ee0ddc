import { findPreset, type Preset } from '../config/load.js';
import { invalidArgument } from '../errors.js';
import { didYouMean } from '../spelling.js';
import { cate } from './cate.js';
import { cvrl } from './cvrl.js';
import type { Method } from './method.js';
import { moco } from './moco.js';
import { modist } from './modist.js';
import { simclr } from './simclr.js';
import { tcgl } from './tcgl.js';
import { videomoco } from './videomoco.js';

/** Every method of this package; a new one is a file of its own and a line here. */
export const METHODS = [cvrl, simclr, moco, videomoco, cate, modist, tcgl] as const;

/** The methods with their schemas: what TrainConfig is made of. */
export type AnyMethod = (typeof METHODS)[number];

/** What `extends` may name. */
export type PresetName = AnyMethod['presets'][number]['name'];

/** Every method, in the order in which it is shown: copies. */
export function listMethods(): readonly Method[] {
  return METHODS.map((method: Method) => ({
    ...method,
    paper: { ...method.paper },
    defaults: structuredClone(method.defaults),
    presets: structuredClone(method.presets),
    encoders: method.encoders.map((encoder) => ({ ...encoder })),
    claims: structuredClone(method.claims),
  }));
}

/** A method by name. Throws ERR_VSSL_INVALID_ARGUMENT with the nearest name. */
export function getMethod(name: string): Method {
  const method = METHODS.find((m) => m.name === name);
  if (method) return method;
  const names = METHODS.map((m) => m.name);
  throw invalidArgument('method', `one of ${names.join(', ')}`, name, didYouMean(name, names));
}

/** Every preset, in the order in which it is shown: copies. */
export function listPresets(): readonly Preset<PresetName>[] {
  return structuredClone(METHODS.flatMap((method): readonly Preset<PresetName>[] => method.presets));
}

/** A preset by name: a copy. Throws ERR_VSSL_CONFIG with the nearest name. */
export function getPreset(name: string): Preset {
  return structuredClone(findPreset(METHODS, name));
}
