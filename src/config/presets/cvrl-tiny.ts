import { definePreset } from './preset.js';
import { tinySettings } from './tiny.js';

/** CVRL for two CPU cores and a few hundred short videos. */
export const cvrlTiny = definePreset({
  name: 'cvrl-tiny',
  description: 'CVRL for 2 CPU cores: R3D-10 at a quarter of its width, 8 x 64 x 64, batch 48, 720 steps',
  config: { method: 'cvrl', ...tinySettings },
});
