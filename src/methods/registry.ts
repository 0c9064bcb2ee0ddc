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

/** Every method; a new one is a file of its own and a line here. */
export const METHODS = [cvrl, simclr, moco, videomoco, cate, modist, tcgl] as const;

/** Every method, in the order in which it is shown: copies. */
export function listMethods(): readonly Method[] {
  return METHODS.map((method: Method) => ({
    ...method,
    paper: { ...method.paper },
    defaults: structuredClone(method.defaults),
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
