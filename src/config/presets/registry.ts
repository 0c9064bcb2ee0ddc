import { VsslError } from '../../errors.js';
import { didYouMean } from '../../spelling.js';
import { cate } from './cate.js';
import { cateTiny } from './cate-tiny.js';
import { cvrl } from './cvrl.js';
import { cvrlTiny } from './cvrl-tiny.js';
import { moco } from './moco.js';
import { mocoTiny } from './moco-tiny.js';
import { modist } from './modist.js';
import { modistTiny } from './modist-tiny.js';
import type { Preset } from './preset.js';
import { simclr } from './simclr.js';
import { simclrTiny } from './simclr-tiny.js';
import { tcgl } from './tcgl.js';
import { tcglTiny } from './tcgl-tiny.js';
import { videomoco } from './videomoco.js';
import { videomocoTiny } from './videomoco-tiny.js';

const PRESETS = [
  cvrl,
  cvrlTiny,
  simclr,
  simclrTiny,
  moco,
  mocoTiny,
  videomoco,
  videomocoTiny,
  cate,
  cateTiny,
  modist,
  modistTiny,
  tcgl,
  tcglTiny,
] as const;

/** What `extends` may name. */
export type PresetName = (typeof PRESETS)[number]['name'];

/** Every preset, in the order in which it is shown: copies. */
export function listPresets(): readonly (Preset & { readonly name: PresetName })[] {
  return structuredClone(PRESETS);
}

/** A preset by name: a copy. Throws ERR_VSSL_CONFIG with the nearest name. */
export function getPreset(name: string): Preset {
  const found = PRESETS.find((preset) => preset.name === name);
  if (found) return structuredClone(found);
  const names = PRESETS.map((preset) => preset.name);
  throw new VsslError(
    'ERR_VSSL_CONFIG',
    `there is no preset '${name}'; there are ${names.join(', ')}${didYouMean(name, names)}`,
    {
      details: { preset: name },
    },
  );
}
