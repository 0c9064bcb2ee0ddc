import { findPreset, type Preset } from '../config/load.js';
import { invalidArgument, toVsslError, VsslError } from '../errors.js';
import { checkMeasure, measureNames, registerMeasure } from '../eval/measures.js';
import { didYouMean } from '../spelling.js';
import { attentive } from './attentive.js';
import { cate } from './cate.js';
import { methodError } from './check-method.js';
import { concur } from './concur.js';
import { cstp } from './cstp.js';
import { cvrl } from './cvrl.js';
import { fame } from './fame.js';
import { finetune } from './finetune.js';
import { isMethod, type Method } from './method.js';
import { moco } from './moco.js';
import { modist } from './modist.js';
import { simclr } from './simclr.js';
import { tcgl } from './tcgl.js';
import { teg } from './teg.js';
import { videomoco } from './videomoco.js';

/** Every method of this package; a new one is a file of its own and a line here. */
export const METHODS = [
  cvrl,
  simclr,
  moco,
  videomoco,
  cate,
  modist,
  tcgl,
  concur,
  fame,
  cstp,
  teg,
  finetune,
  attentive,
] as const;

/** The methods with their schemas: what TrainConfig is made of. */
export type AnyMethod = (typeof METHODS)[number];

/** What `extends` may name. */
export type PresetName = AnyMethod['presets'][number]['name'];

/** Those of this package and those registered, in the order in which they are shown. */
const all: Method[] = [...METHODS];

export function allMethods(): readonly Method[] {
  return all;
}

/**
 * Adds a method of one's own, made by defineMethod: from then on it is trained, listed and evaluated by its name as the
 * package's are. `file` is what messages say of where it comes from. Throws ERR_VSSL_METHOD, naming the key: a name, a
 * preset's or a measure's name that there is, a claim of an unknown measure.
 */
export function registerMethod(method: Method, file?: string): void {
  if (!isMethod(method)) throw invalidArgument('method', 'what defineMethod makes', method);
  const { name, presets, claims, measures } = method;
  const wrong = (key: string, message: string) => methodError(name, key, message, file);
  if (all.some((other) => other.name === name))
    throw wrong('name', `there is a method '${name}'; give this one another name`);
  const taken = all.flatMap((other) => other.presets.map((preset) => preset.name));
  for (const [i, preset] of presets.entries()) {
    if (taken.includes(preset.name))
      throw wrong(`presets.${i}.name`, `there is a preset '${preset.name}'; give this one another name`);
    taken.push(preset.name);
  }
  for (const [i, measure] of measures.entries()) {
    if (measures.findIndex((other) => other.name === measure.name) < i)
      throw wrong(`measures.${i}.name`, `there is another measure '${measure.name}' in this list`);
    try {
      checkMeasure(measure, 'it');
    } catch (error) {
      throw wrong(`measures.${i}`, toVsslError(error).message);
    }
  }
  const known = [...measureNames(), ...measures.map((measure) => measure.name)];
  for (const [i, { measure }] of claims.entries())
    if (!known.includes(measure))
      throw wrong(
        `claims.${i}.measure`,
        `there is no measure '${measure}'; there are ${known.join(', ')}${didYouMean(measure, known)}`,
      );
  for (const measure of measures) registerMeasure(measure);
  all.push({ ...method, file });
}

/** The module that a method comes from; undefined for one that was registered without. */
export function methodFile(name: string): string | undefined {
  return all.find((method) => method.name === name)?.file;
}

export function isMethodOfPackage(name: string): boolean {
  return METHODS.some((method) => method.name === name);
}

/** An error met while this method was trained, with the file that the method comes from where that is known. */
export function ofMethod(name: string, error: VsslError): VsslError {
  const file = all.find((method) => method.name === name)?.file;
  const isOfMethod = error.code === 'ERR_VSSL_METHOD' || error.code === 'ERR_VSSL_INVALID_ARGUMENT';
  if (file === undefined || !isOfMethod) return error;
  return new VsslError(error.code, `method '${name}' (${file}): ${error.message}`, {
    details: { ...error.details, method: name, file },
    cause: error,
  });
}

/** Every method, in the order in which it is shown: copies. */
export function listMethods(): readonly Method[] {
  return all.map((method) => ({
    ...method,
    paper: method.paper && { ...method.paper },
    defaults: structuredClone(method.defaults),
    presets: structuredClone(method.presets),
    encoders: method.encoders.map((encoder) => ({ ...encoder })),
    claims: structuredClone(method.claims),
    measures: method.measures.map((measure) => ({ ...measure })),
  }));
}

/** A method by name. Throws ERR_VSSL_INVALID_ARGUMENT with the nearest name. */
export function getMethod(name: string): Method {
  const method = all.find((m) => m.name === name);
  if (method) return method;
  const names = all.map((m) => m.name);
  throw invalidArgument('method', `one of ${names.join(', ')}`, name, didYouMean(name, names));
}

/** Every preset, in the order in which it is shown: copies. */
export function listPresets(): readonly Preset[] {
  return structuredClone(all.flatMap((method) => method.presets));
}

/** A preset by name: a copy. Throws ERR_VSSL_CONFIG with the nearest name. */
export function getPreset(name: string): Preset {
  return structuredClone(findPreset(all, name));
}
