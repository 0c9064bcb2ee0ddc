import { definePreset } from './preset.js';
import { tinySettings } from './tiny.js';

/** SimCLR for two CPU cores and a few hundred short videos: cvrl-tiny with clips drawn uniformly in time. */
export const simclrTiny = definePreset({
  name: 'simclr-tiny',
  description: 'SimCLR for 2 CPU cores: R3D-10 at a quarter of its width, 8 x 64 x 64, batch 48, 720 steps',
  config: { method: 'simclr', ...tinySettings },
});
