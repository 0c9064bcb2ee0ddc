/** The configuration of a run that learns labels: a preset's training on the network and clips of given weights. */
import type { ResolvedConfig } from '../config/schema.js';
import { configError } from '../errors.js';
import { loadConfig, resolveConfig, type TrainConfig } from '../methods/config.js';
import type { EncoderDescription } from '../weights/encoder-file.js';

export interface TunedConfigOptions {
  readonly protocol: string;
  readonly preset: string;
  readonly set: readonly string[];
  readonly seed: number;
  /** Labels of the training videos. */
  readonly classes: number;
  readonly device?: string | undefined;
  readonly threads?: number | undefined;
}

/** Throws ERR_VSSL_CONFIG, for a preset of another method too. */
export function tunedConfig(
  { model, clip, input, mean, std, shrink }: EncoderDescription,
  { protocol, preset, set, seed, classes, device, threads }: TunedConfigOptions,
): ResolvedConfig {
  const config = loadConfig({ preset, set });
  if (config.method !== protocol)
    throw configError(
      'method',
      `expected a preset of '${protocol}', but '${preset}' is one of '${config.method}'`,
    );
  const slice = config[protocol] as object;
  const raw = {
    ...config,
    model: { ...model, checkpoint: config.model.checkpoint },
    data: { ...config.data, clip, input, shrink, normalize: { mean, std } },
    train: { ...config.train, seed, ...(device && { device }), ...(threads && { threads }) },
    [protocol]: { ...slice, classes },
  };
  return resolveConfig(raw as unknown as TrainConfig);
}
