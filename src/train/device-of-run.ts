/** Where the network of a run runs, and what there is to say of it before the first video is read. */
import type { Device } from '../checks.js';
import type { ResolvedConfig } from '../config/schema.js';
import { gpuPresetOf } from '../methods/config.js';
import type { EngineAddon } from '../native/bindings.js';
import { checkPrecision, chooseDevice, whyNoGpu } from '../native/device.js';
import type { RankGroup } from './ranks.js';

/** Throws ERR_VSSL_CUDA_UNAVAILABLE. Warns of settings that are made for a GPU where none was found. */
export function deviceOfRun(
  engine: Pick<EngineAddon, 'info'>,
  config: ResolvedConfig,
  group: Pick<RankGroup, 'size' | 'localRank'>,
  warn: (message: string) => void,
): Device {
  const { device: wanted, precision } = config.train;
  const device = chooseDevice(engine, wanted, group.size > 1 ? group.localRank : null);
  checkPrecision(engine, device, precision);
  const preset = device === 'cpu' && wanted === 'auto' ? gpuPresetOf(config) : undefined;
  if (preset)
    warn(
      `the network and clips are those of preset '${preset.name}', which needs a GPU: on a processor it takes weeks. None ` +
        `can be used: ${whyNoGpu(engine.info())}; see 'npx vssl-native doctor'. Presets called ...-tiny are made for processors`,
    );
  return device;
}
